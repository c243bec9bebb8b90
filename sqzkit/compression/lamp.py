"""Share one sparsity out over the layers by the weights themselves.

Lee et al., "Layer-adaptive sparsity for the magnitude-based pruning", 2021: a
weight's score is its square over the sum of the squares of all weights of its
layer that are not smaller, itself included. The smallest scores of the whole
network go, so that each layer's output is distorted about equally. It needs no
photographs and no time, and never empties a layer: each one's largest weight
has score 1.
"""

from collections.abc import Mapping

import numpy as np

from sqzkit.base.errors import UsageError

HIGHEST = 0.99


def shared_out(kernels: Mapping[str, np.ndarray], target: float) -> dict[str, float]:
    """Return the sparsity by layer that gives `target` over all layers together.

    Args:
      kernels: by layer, any shape.
      target: share of zeros, 0..0.99.

    Raises:
      UsageError: `target` is out of range.
    """
    if not 0 <= target <= HIGHEST:
        raise UsageError(
            f"--target_sparsity lamp:{target}: shares out 0..{HIGHEST}; "
            "beyond that give a table by layer"
        )
    scored = {name: scores(kernel) for name, kernel in kernels.items()}
    ordered = np.sort(np.concatenate(list(scored.values())))
    threshold = ordered[min(int(target * ordered.size), ordered.size - 1)]
    return {name: round(float(np.mean(own < threshold)), 4) for name, own in scored.items()}


def scores(kernel: np.ndarray) -> np.ndarray:
    """Return the scores of a layer's weights, highest first: float64, 0..1."""
    squares = np.sort(np.abs(kernel.ravel()).astype(np.float64))[::-1] ** 2
    return squares / np.maximum(np.cumsum(squares), np.finfo(np.float64).tiny)
