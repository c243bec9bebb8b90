"""Which weights of a kernel share a value: one-dimensional k-means, exact and quick.

Han et al., "Deep Compression", 2016, section 3: the values start at equal
distances from the least weight to the largest (the paper's best start), and
Lloyd's iterations follow. On sorted weights an iteration is a search for the
boundaries, so that 38 million weights take seconds.
"""

import numpy as np

MOST_ITERATIONS = 100


def share(kernel: np.ndarray, number_of_clusters: int) -> np.ndarray:
    """Return the kernel with at most that many distinct values.

    Args:
      kernel: float32 of any shape; its zeros stay zeros.
      number_of_clusters: 2 or more, zero included.

    Returns:
      float32 of the same shape; each weight is the mean of those it shares with.
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
    """Return the values of one-dimensional k-means, ascending.

    Args:
      ordered: float64 [n], ascending, n at least 1.
      count: of values to start from, 1 or more; those that no weight is
        nearest to are left out.
    """
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    values = np.linspace(ordered[0], ordered[-1], count)
    for _ in range(MOST_ITERATIONS):
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
    return (values[1:] + values[:-1]) / 2
