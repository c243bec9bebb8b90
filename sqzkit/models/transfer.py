"""Transfer learning: published weights, a new head for other classes, the head trained first."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from sqzkit.base.errors import RunError
from sqzkit.base.imagenet import imagenet_labels
from sqzkit.base.keras import keras
from sqzkit.models import published
from sqzkit.models.spec import SqueezeNetSpec

HEAD = "conv10"


def keeps_head(labels: Sequence[str]) -> bool:
    """Return whether the labels are ImageNet's own, in its order: the published head fits."""
    return tuple(labels) == imagenet_labels()


def transfer_spec(
    weights: str, labels: Sequence[str], dropout: float | None = None
) -> SqueezeNetSpec:
    """Return the network of published weights, with a new head unless the labels are ImageNet's.

    The new head is neither padded nor rectified. Both are habits of the published 1,000-class
    models, and a rectified logit that falls below zero no longer learns.

    Args:
      weights: a key of `published.PUBLISHED`.
      labels: of the data.
      dropout: share to drop instead of the published network's, or None.

    Raises:
      UsageError: the name is unknown.
    """
    spec = published.find(weights).spec
    if not keeps_head(labels):
        spec = dataclasses.replace(spec, classes=len(labels), conv10_padding=0, conv10_relu=False)
    return spec if dropout is None else dataclasses.replace(spec, dropout=dropout)


def load_published(
    model: keras.Model, name: str, weights_dir: str | None, labels: Sequence[str]
) -> None:
    """Copy published weights into a model of `transfer_spec`; a new head keeps its own.

    Raises:
      RunError: the weights cannot be fetched, or are not the published ones.
    """
    _, weights = published.load_published(name, weights_dir)
    load_weights(model, weights, head=keeps_head(labels))


def load_weights(
    model: keras.Model, weights: Mapping[str, tuple[np.ndarray, np.ndarray]], head: bool = True
) -> None:
    """Copy weights into the convolutions of the same names.

    Args:
      model: made by `squeezenet.build`, without normalization.
      weights: kernel [height, width, inputs, filters] and bias [filters] by layer name.
      head: whether conv10 is copied too; without it, it keeps its fresh weights.

    Raises:
      RunError: a convolution has no weights here, or they have another shape.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D) and (head or layer.name != HEAD):
            layer.set_weights(_fitting(layer, weights))


def _fitting(
    layer: keras.layers.Layer, weights: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    if layer.name not in weights:
        raise RunError(f"{layer.name}: the weights do not have this layer; choose their network")
    shape = tuple(layer.kernel.shape)
    kernel, bias = weights[layer.name]
    if kernel.shape != shape or bias.shape != shape[-1:]:
        raise RunError(
            f"{layer.name}: the weights are {kernel.shape}, the network's {shape}; choose "
            "the weights' own network, or replace the head where only conv10 differs"
        )
    return kernel, bias


@contextlib.contextmanager
def only_head(model: keras.Model) -> Iterator[None]:
    """Freeze every layer but the head for the time of a `with` statement."""
    before = [layer.trainable for layer in model.layers]
    for layer in model.layers:
        layer.trainable = layer.name == HEAD
    try:
        yield
    finally:
        for layer, trainable in zip(model.layers, before, strict=True):
            layer.trainable = trainable
