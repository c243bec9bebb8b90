"""What every stage promised, read back from the weights.

Zeros once made stay, a layer has no more distinct values than were asked for,
and weights that share a value go on sharing it. A difference stops the run
with the layer's name.
"""

from collections.abc import Mapping

import numpy as np

from sqzkit.base.errors import InvariantError
from sqzkit.compression import kernels as reading

Kernels = Mapping[str, np.ndarray]


def check_sparsity(kernels: Kernels, targets: Mapping[str, float]) -> None:
    """Raise `InvariantError` if a layer has fewer zeros than its target asks for."""
    for name, target in targets.items():
        zeros = kernels[name].size - np.count_nonzero(kernels[name])
        due = reading.zeros_due(kernels[name].size, target) if target else 0
        if zeros < due:
            raise InvariantError(
                name,
                f"{zeros:,} of {kernels[name].size:,} weights are zero, {due:,} were asked for",
            )


def check_zeros_kept(before: Kernels, after: Kernels) -> None:
    """Raise `InvariantError` if a weight that was zero is not any more."""
    for name, kernel in before.items():
        lost = np.count_nonzero((kernel == 0) & (after[name] != 0))
        if lost:
            zeros = np.count_nonzero(kernel == 0)
            raise InvariantError(name, f"{lost:,} of its {zeros:,} pruned weights came back")


def check_clusters(kernels: Kernels, clusters: Mapping[str, int]) -> None:
    """Raise `InvariantError` if a layer has more distinct values than were asked for."""
    for name, wanted in clusters.items():
        distinct = np.unique(kernels[name]).size
        if wanted and distinct > wanted:
            raise InvariantError(
                name, f"{distinct:,} distinct values, at most {wanted} were asked for"
            )


def check_sharing_kept(before: Kernels, after: Kernels) -> None:
    """Raise `InvariantError` if weights that shared a value no longer do.

    Kernels of more distinct values than int8 has are no codebooks and pass.
    """
    for name, kernel in before.items():
        values, codes = np.unique(kernel, return_inverse=True)
        if values.size > 255:
            continue
        pairs = np.unique(np.stack([codes.ravel(), _codes(after[name])]), axis=1)
        if pairs.shape[1] > values.size:
            raise InvariantError(
                name,
                f"its {values.size} shared values were split into {pairs.shape[1]}",
            )


def _codes(kernel: np.ndarray) -> np.ndarray:
    return np.unique(kernel, return_inverse=True)[1].ravel()
