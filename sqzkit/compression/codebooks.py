"""Which values the weights of a kernel share: a grid of equal steps, or k-means.

At equal distortion, equal steps and an entropy coder need fewer bits than
k-means centroids (Gish and Pierce, 1968; measured in docs/compression.md).

K-means is one-dimensional, exact and quick. The values start at equal distances
from the smallest weight to the largest (the best start of Han et al., "Deep
Compression", 2016, section 3), and Lloyd's iterations follow. On sorted weights
an iteration is a search for the boundaries: 38 million weights take seconds.
"""

import numpy as np

CANDIDATES = 64


def highest_level(number_of_clusters: int) -> int:
    """Return the largest |level| of a symmetric grid of at most that many values."""
    return (number_of_clusters - 1) // 2


def best_step(kernel: np.ndarray, number_of_clusters: int) -> float:
    """Return the step of least squared error over the non-zero weights; 1 for a kernel of zeros.

    Args:
      kernel: float32, any shape.
      number_of_clusters: values of the grid, zero included, 3 or more.
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


MAX_ITERATIONS = 100


def share(kernel: np.ndarray, number_of_clusters: int) -> np.ndarray:
    """Return the kernel, float32 of any shape, with at most that many distinct values.

    Zeros stay zeros and count as one of the values (2 or more); every other weight is the mean of
    those it shares with.
    """
    left = kernel != 0
    weights = kernel[left]
    if not weights.size:
        return kernel.copy()
    ordered = np.sort(weights).astype(np.float64)
    values = lloyd(ordered, number_of_clusters - 1)
    codes = np.searchsorted(_boundaries(values), weights.astype(np.float64))
    shared = np.zeros_like(kernel)
    shared[left] = values.astype(np.float32)[codes]
    return shared


def lloyd(ordered: np.ndarray, count: int) -> np.ndarray:
    """Return the values of one-dimensional k-means, ascending; those without a weight are left out.

    Args:
      ordered: float64 [n], ascending, n at least 1.
      count: of values to start from, 1 or more.
    """
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    values = np.linspace(ordered[0], ordered[-1], count)
    for _ in range(MAX_ITERATIONS):
        edges = np.searchsorted(ordered, _boundaries(values))
        edges = np.concatenate([[0], edges, [len(ordered)]])
        counts = np.diff(edges)
        taken = counts > 0
        means = np.diff(sums[edges])[taken] / counts[taken]
        if len(means) == len(values) and np.allclose(means, values, rtol=1e-7, atol=0):
            return means
        values = means
    return values


def _boundaries(values: np.ndarray) -> np.ndarray:
    return np.asarray((values[1:] + values[:-1]) / 2)
