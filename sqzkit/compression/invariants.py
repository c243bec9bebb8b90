"""What every stage promised, read back from the weights and from the int8 file.

Zeros once made stay, a layer has no more distinct values than were asked for,
and weights that share a value go on sharing it. A difference stops the run
with the layer's name.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from sqzkit.compression import kernels as reading
from sqzkit.errors import InvariantError
from sqzkit.keras import keras
from sqzkit.preprocessing import Preprocessing
from sqzkit.tflite.convert import prepare
from sqzkit.tflite.flatbuffer import TFLiteFile
from sqzkit.tflite.input_folding import fold_input

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


def check_int8_file(
    model: keras.Model, preprocessing: Preprocessing, content: bytes
) -> dict[str, tuple[float, int]]:
    """Check that convolutions and dense layers of a file keep the model's zeros and shared values.

    Args:
      model: the plain network that was converted.
      preprocessing: its record; where its scale is folded into the first
        convolution, the codebook is looked for after the multiplication.
      content: the `.tflite`; shared values are only looked for where it has
        one scale a kernel.

    Returns:
      (share of zeros, distinct values) by layer, as the file holds them.

    Raises:
      InvariantError: naming the first layer that lost something.
    """
    expected = expected_kernels(model, preprocessing)
    stored = int8_kernels(content, list(expected))
    found = {name: kernel for name, (kernel, _) in stored.items()}
    per_tensor = {name: kernel for name, kernel in expected.items() if stored[name][1] == 1}
    check_zeros_kept(expected, found)
    check_sharing_kept(per_tensor, found)
    return {
        name: (reading.sparsity(kernel), int(np.unique(kernel).size))
        for name, kernel in found.items()
    }


def int8_kernels(content: bytes, layers: Sequence[str]) -> dict[str, tuple[np.ndarray, int]]:
    """Return (kernel int8, number of scales) of each of the `layers`, in their order.

    Kernels come in Keras's order of dimensions: [h, w, in, out] or [in, out].
    Raises:
      InvariantError: the file has none, or several, of that name.
    """
    file = TFLiteFile(content)
    found: dict[str, tuple[np.ndarray, int]] = {}
    for layer in layers:
        # A network with its normalization in front is a model within a model: its name comes first.
        alike = [kernel for name, kernel in file.kernels() if f"/{name}".endswith(f"/{layer}")]
        if len(alike) != 1:
            raise InvariantError(layer, f"the int8 file has {len(alike)} layers of that name")
        found[layer] = (np.moveaxis(file.data(alike[0]), 0, -1), alike[0].scales.size)
    return found


def expected_kernels(model: keras.Model, preprocessing: Preprocessing) -> dict[str, np.ndarray]:
    """Return the float kernels by layer that conversion rounds: everything folded into them."""
    prepared = prepare(model)
    fold_input(prepared, preprocessing)  # into a convolution of `prepared`, or in front of it
    return reading.read_kernels(prepared)


def _codes(kernel: np.ndarray) -> np.ndarray:
    return np.unique(kernel, return_inverse=True)[1].ravel()
