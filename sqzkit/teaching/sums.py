"""What a head is computed from: exact sums over photographs, which can be added up."""

import dataclasses

import numpy as np

MAX_FEATURE = 32767  # of an int16
MAX_PHOTOGRAPHS = 100_000  # so that every sum stays below 2^47
_ROWS = 1 << 14  # in one product of float64, which is exact below 2^53


@dataclasses.dataclass(frozen=True)
class Sums:
    """Sums over photographs. Integers, so that the order of adding does not matter.

    Attributes:
      counts: int64 [classes], photographs of each class.
      sums: int64 [classes, d], the sum of their features.
      gram: int64 [d, d], the sum over all photographs of features times features.
    """

    counts: np.ndarray
    sums: np.ndarray
    gram: np.ndarray

    @classmethod
    def over(cls, features: np.ndarray, labels: np.ndarray, classes: int) -> "Sums":
        """Return the sums over photographs, int16 [N, d], of classes `labels`, int [N]."""
        size = features.shape[1]
        sums, gram = np.zeros((classes, size), np.int64), np.zeros((size, size), np.int64)
        np.add.at(sums, labels, features.astype(np.int64))
        for start in range(0, len(features), _ROWS):
            rows = features[start : start + _ROWS].astype(np.float64)
            gram += (rows.T @ rows).astype(np.int64)
        return cls(np.bincount(labels, minlength=classes).astype(np.int64), sums, gram)

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(self.counts + other.counts, self.sums + other.sums, self.gram + other.gram)
