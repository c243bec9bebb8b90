"""Transfer learning: published weights, another head, the head learning first."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

from sqzkit.base.errors import UsageError
from sqzkit.base.imagenet import imagenet_labels
from sqzkit.base.keras import keras
from sqzkit.models import published
from sqzkit.models.spec import SqueezeNetSpec
from sqzkit.models.transfer import HEAD, load_weights, transfer_spec
from sqzkit.preprocessing import Preprocessing, caffe


def network(
    name: str, labels: Sequence[str], image_size: int, dropout: float | None = None
) -> tuple[SqueezeNetSpec, Preprocessing]:
    """Return the network and the preprocessing of published weights for other labels.

    Args:
      name: a key of `published.PUBLISHED`.
      labels: of the data; ImageNet's own keep the published head.
      image_size: pixels.
      dropout: another share than the published network's, or None.

    Raises:
      UsageError: the name is unknown.
    """
    if name not in published.PUBLISHED:
        legal = ", ".join(published.PUBLISHED)
        raise UsageError(f"--weights {name!r}: must be one of {legal}")
    spec = published.PUBLISHED[name].spec
    if not keeps_head(labels):
        spec = transfer_spec(spec, len(labels))
    if dropout is not None:
        spec = dataclasses.replace(spec, dropout=dropout)
    return spec, caffe(image_size)


def keeps_head(labels: Sequence[str]) -> bool:
    """Return whether the labels are ImageNet's own, in its order."""
    return tuple(labels) == imagenet_labels()


def start(model: keras.Model, name: str, weights_dir: str | None, labels: Sequence[str]) -> None:
    """Put published weights into `model`, the head only if the labels are ImageNet's.

    Raises:
      RunError: the weights cannot be had, or are not the published ones.
    """
    _, weights = published.load_published(name, weights_dir)
    load_weights(model, weights, head=keeps_head(labels))


@contextlib.contextmanager
def only_head(model: keras.Model) -> Iterator[None]:
    """Freeze every layer but the head inside the context."""
    before = [layer.trainable for layer in model.layers]
    for layer in model.layers:
        layer.trainable = layer.name == HEAD
    try:
        yield
    finally:
        for layer, trainable in zip(model.layers, before, strict=True):
            layer.trainable = trainable
