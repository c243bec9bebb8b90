"""How many bits a weight's value will cost, before there is an archive.

The archive's coder adapts to each layer, so the cost of a value is about its
information in that layer: -log2 of how often it occurs. Single values are
smoothed by a geometric law, because a value that occurs twice in a small
layer says little of its price.
"""

import numpy as np

from sqzkit.ptq.rounding import LARGEST

Array = np.ndarray
_TRUST = 0.9  # weight of the counted values against the smooth law


def bits_by_level(levels: Array) -> Array:
    """Return float64 [255]: bits to store -127..127 in a layer like `levels`.

    Args:
      levels: integers in -127..127, any shape.
    """
    sizes = np.abs(np.asarray(levels, np.int64)).ravel()
    counts = np.bincount(sizes, minlength=LARGEST + 1).astype(np.float64)
    nonzero = counts[1:].sum()
    mean = max((counts[1:] * np.arange(1, LARGEST + 1)).sum() / max(nonzero, 1.0), 1.02)
    law = (1 - 1 / mean) ** np.arange(LARGEST)
    smooth = law / law.sum() * nonzero
    counts = np.concatenate([[counts[0] + 1], _TRUST * counts[1:] + (1 - _TRUST) * smooth + 1e-3])
    bits = -np.log2(counts / counts.sum())
    bits[1:] += 1  # the sign
    return np.concatenate([bits[:0:-1], bits])
