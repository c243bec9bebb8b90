"""Uniform steps instead of a free codebook: kernels on an integer grid.

At equal distortion, equal steps and an entropy coder need fewer bits than
k-means centroids (Gish and Pierce, 1968; measured in docs/compression.md).
"""

import numpy as np

CANDIDATES = 64


def highest_level(number_of_clusters: int) -> int:
    """Return the largest |level| of a symmetric grid of at most that many values."""
    return (number_of_clusters - 1) // 2


def best_step(kernel: np.ndarray, number_of_clusters: int) -> float:
    """Return the step of least squared error over the non-zero weights.

    Args:
      kernel: float32, any shape.
      number_of_clusters: values of the grid, zero included, 3 or more.

    Returns:
      The step, more than 0; 1 for a kernel of zeros.
    """
    weights = kernel[kernel != 0].astype(np.float64)
    if not weights.size:
        return 1.0
    levels = highest_level(number_of_clusters)
    largest = np.abs(weights).max() / levels
    steps = largest * np.linspace(1 / CANDIDATES, 1, CANDIDATES)
    errors = [np.square(snap(weights, step, levels) - weights).sum() for step in steps]
    return float(np.float32(steps[int(np.argmin(errors))]))


def snap(weights: np.ndarray, step: float, levels: int) -> np.ndarray:
    """Return the nearest values of the grid -levels*step .. levels*step."""
    return np.clip(np.round(weights / step), -levels, levels) * step
