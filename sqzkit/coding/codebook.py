"""Clustered weights as codes and a codebook with zero first."""

import numpy as np

from sqzkit.base.errors import FormatError, UsageError

MAX_ENTRIES = 256


def encode(values: np.ndarray, name: str = "the layer") -> tuple[np.ndarray, np.ndarray]:
    """Return codes (uint8, shaped like `values`) and the codebook they index.

    Code 0 is the value zero, whether it occurs or not; the others are in
    ascending order. Negative zero counts as zero.

    Raises:
      UsageError: more than 255 distinct values other than zero.
    """
    others = np.unique(values[values != 0])
    if len(others) >= MAX_ENTRIES:
        raise UsageError(
            f"{name} has {len(others)} distinct values that are not zero: a codebook takes at most "
            f"{MAX_ENTRIES - 1}; cluster it first (--stages=cluster)"
        )
    codebook = np.concatenate([np.zeros(1, values.dtype), others])
    codes = np.where(values == 0, 0, np.searchsorted(others, values) + 1)
    return codes.astype(np.uint8), codebook


def decode(codes: np.ndarray, codebook: np.ndarray) -> np.ndarray:
    """Return the values; raise `FormatError` for a code outside the codebook."""
    if codes.size and int(codes.max()) >= len(codebook):
        raise FormatError(f"code {int(codes.max())} in a codebook of {len(codebook)}")
    return codebook[codes]
