"""Batch normalization measured anew, after a network was cut."""

from collections.abc import Iterable

import numpy as np

from sqzkit.base.keras import keras


def renormalize(model: keras.Model, batches: Iterable[np.ndarray]) -> None:
    """Set moving means and variances to what the batches give.

    An offspring inherits its ancestor's statistics, but what reaches a layer
    is less than it was: until they are measured again, it answers at random
    though its filters are good.

    Args:
      model: changed in place; nothing but its statistics.
      batches: float32 [B, S, S, 3], preprocessed; each counts the same.
    """
    normalizations = [
        layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    before = [layer.momentum for layer in normalizations]
    for number, images in enumerate(batches if normalizations else ()):
        for layer in normalizations:
            layer.momentum = number / (number + 1)  # the moving average is the mean so far
        model(images, training=True)
    for layer, momentum in zip(normalizations, before, strict=True):
        layer.momentum = momentum
