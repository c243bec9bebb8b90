"""The network's normalization and channel order, folded into its first convolution.

A convolution of `(pixel - mean) * scale` by a kernel k is a convolution of the
pixels themselves by `k * scale`, with `sum(k * scale * mean)` taken from the
bias. That is exact where no padding stands beside the pixels (a padded zero
would have to become a padded mean); elsewhere a 1x1 convolution that does the
same arithmetic is put in front.
"""

import numpy as np

from sqzkit.base.keras import keras
from sqzkit.preprocessing import Preprocessing

NORMALIZATION_NAME = "normalization"

layers = keras.layers


def fold_input(model: keras.Model, preprocessing: Preprocessing) -> keras.Model:
    """Return a network of the same function that takes raw RGB pixels 0..255.

    Args:
      model: from float32 [N, S, S, 3], preprocessed. It may be changed: pass a copy.
      preprocessing: what `model` expects of its input.
    """
    first = _first_convolution(model)
    if first is not None and (first.use_bias or not any(preprocessing.mean)):
        weights = first.get_weights()
        bias = weights[1] if first.use_bias else np.zeros(weights[0].shape[-1], np.float32)
        kernel, bias = folded(weights[0], bias, preprocessing)
        first.set_weights([kernel, bias] if first.use_bias else [kernel])
        return model
    pixels = keras.Input(model.input_shape[1:], name="image")
    in_front = layers.Conv2D(3, 1, name=NORMALIZATION_NAME)
    normalized = in_front(pixels)
    identity = np.eye(3, dtype=np.float32)[None, None]
    in_front.set_weights(folded(identity, np.zeros(3, np.float32), preprocessing))
    return keras.Model(pixels, model(normalized), name=model.name)


def folded(
    kernel: np.ndarray, bias: np.ndarray, preprocessing: Preprocessing
) -> tuple[np.ndarray, np.ndarray]:
    """Return the kernel and bias for raw RGB pixels.

    Args:
      kernel: float32 [height, width, 3, filters], for preprocessed input.
      bias: float32 [filters].
      preprocessing: the arithmetic to take over.

    Returns:
      float32 arrays of the same shapes; each is rounded once.
    """
    scaled = kernel.astype(np.float64) * np.asarray(preprocessing.scale)[:, None]
    shift = np.einsum("hwcf,c->f", scaled, np.asarray(preprocessing.mean))
    if preprocessing.channel_order == "BGR":
        scaled = scaled[:, :, ::-1]
    return scaled.astype(np.float32), (bias - shift).astype(np.float32)


def _first_convolution(model: keras.Model) -> keras.layers.Conv2D | None:
    """Return the convolution that alone reads the input without padding, or None."""
    (node,) = model.get_layer(index=0).inbound_nodes
    readers = [outbound.layer for outbound in node.layer.outbound_nodes]
    readers = [layer for layer in readers if layer in model.layers]
    first = readers[0] if len(readers) == 1 else None
    if not isinstance(first, layers.Conv2D) or first.groups != 1:
        return None
    return first if first.padding == "valid" else None
