"""What compression promised, read back from the int8 file: zeros and shared values."""

from collections.abc import Sequence

import numpy as np

from sqzkit.base.errors import InvariantError
from sqzkit.base.keras import keras
from sqzkit.compression import invariants
from sqzkit.compression import kernels as reading
from sqzkit.conversion.converter import prepare
from sqzkit.conversion.input_folding import fold_input
from sqzkit.preprocessing import Preprocessing
from sqzkit.tflite.flatbuffer import TFLiteFile


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
    invariants.check_zeros_kept(expected, found)
    invariants.check_sharing_kept(per_tensor, found)
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
