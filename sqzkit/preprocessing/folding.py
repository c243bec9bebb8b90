"""The arithmetic of a preprocessing record, folded into a network's first convolution.

A convolution of `(pixel - mean) * scale` by a kernel k is a convolution of the
pixels by `k * scale`, with `sum(k * scale * mean)` subtracted from the bias.
This is exact where the convolution is not padded: a padded zero would have to
become a padded mean.
"""

import numpy as np

from sqzkit.preprocessing.record import Preprocessing

Weights = tuple[np.ndarray, np.ndarray]


def fold(kernel: np.ndarray, bias: np.ndarray, preprocessing: Preprocessing) -> Weights:
    """Return the first convolution's kernel and bias for raw RGB pixels 0..255.

    Args:
      kernel: float32 [height, width, 3, filters], for preprocessed input.
      bias: float32 [filters].
      preprocessing: what the kernel expects of its input.

    Returns:
      float32 arrays of the same shapes; each is rounded once.
    """
    scaled = kernel.astype(np.float64) * np.asarray(preprocessing.scale)[:, None]
    shift = np.einsum("hwcf,c->f", scaled, np.asarray(preprocessing.mean))
    if preprocessing.channel_order == "BGR":
        scaled = scaled[:, :, ::-1]
    return scaled.astype(np.float32), (bias - shift).astype(np.float32)


def unfold(kernel: np.ndarray, bias: np.ndarray, preprocessing: Preprocessing) -> Weights:
    """Undo `fold`, up to float32 rounding."""
    ordered = kernel[:, :, ::-1] if preprocessing.channel_order == "BGR" else kernel
    shift = np.einsum("hwcf,c->f", ordered.astype(np.float64), np.asarray(preprocessing.mean))
    unfolded = ordered / np.asarray(preprocessing.scale)[:, None]
    return unfolded.astype(np.float32), (bias + shift).astype(np.float32)


def rounding_shift(
    kernel: np.ndarray, rounded: np.ndarray, preprocessing: Preprocessing
) -> np.ndarray:
    """Return what a folded kernel's rounding takes from each filter at the mean pixel.

    Pixels are positive, so the errors of a filter's weights do not cancel: they shift its output
    by about the same amount in every image. A bias with this added makes up for it (bias
    correction: Nagel et al. 2019, section 4.2).

    Args:
      kernel: [height, width, 3, filters], for raw RGB pixels.
      rounded: the same, rounded.
      preprocessing: whose mean the normalization subtracts.

    Returns:
      float64 [filters].
    """
    mean = np.asarray(preprocessing.mean)
    if preprocessing.channel_order == "BGR":
        mean = mean[::-1]
    return np.asarray(np.einsum("hwcf,c->f", (kernel - rounded).astype(np.float64), mean))
