"""Sparse vectors as gaps: Deep Compression's relative indices.

Each entry stores how many zeros stand before it in a few bits. Where more
stand than the field can say, a filler is put in: an entry of value zero after
the longest gap (Han et al., "Deep Compression", 2016, section 3, figure 2).
"""

import numpy as np

from sqzkit.base.errors import FormatError


def encode(dense: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the entries of `dense` (unsigned integers [n], 0 = pruned).

    Returns:
      gaps: uint8 [m], zeros before each entry, below 2^bits.
      values: [m], the entries; 0 marks a filler.
    """
    longest = (1 << bits) - 1
    positions = np.flatnonzero(dense)
    zeros = np.diff(positions, prepend=-1) - 1
    fillers = zeros // (longest + 1)
    ends = np.cumsum(fillers + 1)
    total = int(ends[-1]) if len(ends) else 0
    gaps = np.full(total, longest, np.uint8)
    values = np.zeros(total, dense.dtype)
    gaps[ends - 1] = zeros % (longest + 1)
    values[ends - 1] = dense[positions]
    return gaps, values


def decode(gaps: np.ndarray, values: np.ndarray, size: int, bits: int) -> np.ndarray:
    """Return the dense vector [size] that `encode` took.

    Raises:
      FormatError: an entry lies outside, or is a filler that no encoder would
        write (after a shorter gap, or at the end).
    """
    if len(gaps) != len(values):
        raise FormatError(f"{len(gaps)} gaps for {len(values)} entries")
    dense = np.zeros(size, values.dtype)
    if not len(gaps):
        return dense
    positions = np.cumsum(gaps.astype(np.int64) + 1) - 1
    if positions[-1] >= size:
        raise FormatError(f"an entry at {int(positions[-1])} of a layer of {size} weights")
    fillers = values == 0
    if fillers[-1] or (gaps[fillers] != (1 << bits) - 1).any():
        raise FormatError("a zero is stored where no filler is needed")
    dense[positions] = values
    return dense
