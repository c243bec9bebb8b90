"""Linear algebra whose every rounding is defined, so that another program gets the same bits.

NumPy's matrix products add in an order that depends on the machine. Here each value is changed
by one float64 operation at a time, in the order that docs/teaching.md states.
"""

import numpy as np

from sqzkit.base.errors import FormatError


def cholesky(matrix: np.ndarray) -> np.ndarray:
    """Return the lower factor L of a symmetric matrix, so that L L^T is the matrix.

    Both are float64 [d, d]. Only the lower triangle is read; what lies above the diagonal of L is
    not defined.

    Raises:
      FormatError: the matrix is not positive definite.
    """
    lower = np.array(matrix, np.float64)
    for k in range(len(lower)):
        pivot = lower[k, k]
        if not (pivot > 0 and np.isfinite(pivot)):
            raise FormatError(f"the sums are not positive definite: pivot {k} is {pivot:g}")
        lower[k, k] = np.sqrt(pivot)
        column = lower[k + 1 :, k]
        column /= lower[k, k]
        lower[k + 1 :, k + 1 :] -= column[:, None] * column
    return lower


def forward(lower: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return Y with L Y = `right`, float64 [d, columns], for a factor L of `cholesky`."""
    solution = np.array(right, np.float64)
    for k in range(len(lower)):
        solution[k] /= lower[k, k]
        solution[k + 1 :] -= lower[k + 1 :, k, None] * solution[k]
    return solution


def backward(lower: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return Y with L^T Y = `right`, float64 [d, columns], for a factor L of `cholesky`."""
    solution = np.array(right, np.float64)
    for k in reversed(range(len(lower))):
        solution[k] /= lower[k, k]
        solution[:k] -= lower[k, :k, None] * solution[k]
    return solution


def total(values: np.ndarray) -> np.ndarray:
    """Return the sum over the last axis, added from the first value to the last."""
    return np.cumsum(values, axis=-1)[..., -1]
