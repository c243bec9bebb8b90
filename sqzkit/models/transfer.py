"""Transfer learning: published weights, a new head for other classes, the head trained first."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from sqzkit.base.errors import RunError
from sqzkit.base.keras import keras
from sqzkit.models.pretrained import Pretrained
from sqzkit.models.spec import SqueezeNetSpec

HEAD = "conv10"


def keeps_head(pretrained: Pretrained, labels: Sequence[str]) -> bool:
    """Return whether the weights' own head fits: the same labels, or as many if unknown."""
    if pretrained.labels is None:
        return len(labels) == pretrained.spec.classes
    return tuple(labels) == pretrained.labels


def transfer_spec(
    pretrained: Pretrained, labels: Sequence[str], changes: Mapping[str, Any] | None = None
) -> SqueezeNetSpec:
    """Return the network of pretrained weights, with a new head unless theirs fits.

    The new head is neither padded nor rectified. Both are habits of the published 1,000-class
    models, and a rectified logit that falls below zero no longer learns.

    Args:
      pretrained: the weights.
      labels: of the data.
      changes: fields without weights, such as poolings, instead of the pretrained network's.
    """
    spec = pretrained.spec
    if not keeps_head(pretrained, labels):
        spec = dataclasses.replace(spec, classes=len(labels), conv10_padding=0, conv10_relu=False)
    return dataclasses.replace(spec, **(changes or {}))


def load_pretrained(
    model: keras.Model, pretrained: Pretrained, weights_dir: str | None, labels: Sequence[str]
) -> None:
    """Copy pretrained weights into a model of `transfer_spec`; a new head keeps its own.

    Raises:
      RunError: the weights cannot be fetched, or are not the published ones.
    """
    weights = pretrained.load(weights_dir)
    load_weights(model, weights, head=keeps_head(pretrained, labels))


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
