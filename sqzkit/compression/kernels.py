"""The kernels that are pruned, clustered and quantized, and what each stage must keep of them.

Zeros once made stay, a layer has no more distinct values than were asked for,
and weights that share a value keep sharing it. A difference stops the run with
the layer's name.
"""

from collections.abc import Mapping

import numpy as np

from sqzkit.base.errors import InvariantError
from sqzkit.base.keras import keras


def weighted_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the convolutions and dense layers of a plain model, in network order."""
    kinds = (keras.layers.Conv2D, keras.layers.Dense)
    return [layer for layer in model.layers if isinstance(layer, kinds)]


def layer_names(model: keras.Model) -> list[str]:
    """Return the names of `weighted_layers`."""
    return [layer.name for layer in weighted_layers(model)]


def read_kernels(model: keras.Model) -> dict[str, np.ndarray]:
    """Return each weighted layer's kernel: float32, [h, w, in, out] or [in, out]."""
    return {layer.name: layer.kernel.numpy() for layer in weighted_layers(model)}


def read_weights(model: keras.Model) -> dict[str, list[np.ndarray]]:
    """Return all layers' weights by layer name, for `write_weights`."""
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def write_weights(model: keras.Model, weights: Mapping[str, list[np.ndarray]]) -> None:
    """Set the weights of the plain `model` to those `read_weights` gave.

    Raises:
      KeyError: a layer of `model` is not in `weights`.
    """
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(weights[layer.name])


def sparsity(kernel: np.ndarray) -> float:
    """Return the share of zeros, 0..1."""
    return float(1 - np.count_nonzero(kernel) / kernel.size)


def overall_sparsity(kernels: Mapping[str, np.ndarray]) -> float:
    """Return the share of zeros in all kernels together, 0..1."""
    size = sum(kernel.size for kernel in kernels.values())
    return float(1 - sum(np.count_nonzero(kernel) for kernel in kernels.values()) / size)


def zeros_due(size: int, target: float) -> int:
    """Return how many of `size` weights pruning sets to zero: never all, rounded as TF-MOT does."""
    return size - max(1, round(size * (1 - target)))


def prune_once(kernel: np.ndarray, target: float) -> np.ndarray:
    """Return the kernel with its `zeros_due` smallest weights at zero; of equal ones the first."""
    pruned = kernel.ravel().copy()
    smallest = np.argsort(np.abs(pruned), kind="stable")[: zeros_due(kernel.size, target)]
    pruned[smallest] = 0
    return pruned.reshape(kernel.shape)


Kernels = Mapping[str, np.ndarray]


def check_sparsity(kernels: Kernels, targets: Mapping[str, float]) -> None:
    """Raise `InvariantError` if a layer has fewer zeros than its target asks for."""
    for name, target in targets.items():
        zeros = kernels[name].size - np.count_nonzero(kernels[name])
        due = zeros_due(kernels[name].size, target) if target else 0
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
