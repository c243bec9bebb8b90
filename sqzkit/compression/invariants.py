"""What every stage promised, read back from the weights and from the int8 file.

Zeros once made stay, a layer has no more distinct values than were asked for,
and weights that share a value go on sharing it. A difference stops the run
with the layer's name.
"""

from collections.abc import Mapping

import numpy as np

from sqzkit.compression import kernels as reading
from sqzkit.errors import InvariantError
from sqzkit.keras import keras
from sqzkit.preprocessing import Preprocessing
from sqzkit.tflite.flatbuffer import TFLiteFile
from sqzkit.tflite.input_folding import folded

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
    """Check that the kernels of a converted file keep the model's zeros and shared values.

    Args:
      model: the plain network that was converted.
      preprocessing: its record; its scale is folded into the first convolution,
        whose codebook is therefore looked for after the multiplication.
      content: the `.tflite`; shared values are only looked for where it has
        one scale a kernel.

    Returns:
      (share of zeros, distinct values) by layer, as the file holds them.

    Raises:
      InvariantError: naming the first layer that lost something.
    """
    stored = int8_kernels(content)
    expected = expected_kernels(model, preprocessing)
    for name in expected:
        if name not in stored:
            raise InvariantError(name, "the int8 file has no convolution of that name")
    found = {name: stored[name][0] for name in expected}
    per_tensor = {name: kernel for name, kernel in expected.items() if stored[name][1] == 1}
    check_zeros_kept(expected, found)
    check_sharing_kept(per_tensor, found)
    return {
        name: (reading.sparsity(kernel), int(np.unique(kernel).size))
        for name, kernel in found.items()
    }


def int8_kernels(content: bytes) -> dict[str, tuple[np.ndarray, int]]:
    """Return (kernel int8 [h, w, in, out], number of scales) of each convolution by layer."""
    file = TFLiteFile(content)
    return {
        item.layer: (file.data(item.kernel).transpose(1, 2, 3, 0), item.kernel.scales.size)
        for item in file.convolutions()
    }


def expected_kernels(model: keras.Model, preprocessing: Preprocessing) -> dict[str, np.ndarray]:
    """Return the convolutions' float kernels as conversion rounds them, up to a factor.

    Batch normalization multiplies the channels of a kernel by different
    factors: what is followed by one is returned as it is, for its zeros.
    """
    kinds = keras.layers.Conv2D
    kernels = {
        layer.name: layer.kernel.numpy()
        for layer in reading.weighted_layers(model)
        if isinstance(layer, kinds)
    }
    first = next(iter(kernels))
    no_bias = np.zeros(kernels[first].shape[-1], np.float32)
    kernels[first] = folded(kernels[first], no_bias, preprocessing)[0]
    return kernels


def _codes(kernel: np.ndarray) -> np.ndarray:
    return np.unique(kernel, return_inverse=True)[1].ravel()
