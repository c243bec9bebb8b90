"""What a converted file must be, read back from its bytes."""

from collections.abc import Sequence

import numpy as np

from sqzkit.base.errors import InvariantError
from sqzkit.base.keras import keras
from sqzkit.compression import kernels as reading
from sqzkit.conversion.options import ConversionOptions
from sqzkit.conversion.prepared import prepare
from sqzkit.preprocessing import Preprocessing
from sqzkit.tflite.flatbuffer import TFLiteFile

_ZERO_POINTS = {"int8": -128, "uint8": 0}
_OPERATORS = {
    "Conv2D": "CONV_2D",
    "MaxPooling2D": "MAX_POOL_2D",
    "Concatenate": "CONCATENATION",
    "Add": "ADD",
    "AddConstant": "ADD",
    "GlobalAveragePooling2D": "MEAN",
    "Dense": "FULLY_CONNECTED",
    "Softmax": "SOFTMAX",
    "Flatten": "RESHAPE",
    "InputLayer": None,
    "ReLU": None,
}
_CASTS = {
    ("int8", "int8"): {},
    ("int8", "uint8"): {"QUANTIZE": 2},
    ("int8", "float32"): {"QUANTIZE": 1, "DEQUANTIZE": 1},
}
# float16: one DEQUANTIZE for each constant, which runtimes fold on loading;
# int16x8: the converter rescales each input of a concatenation.
_UNCOUNTED = {"float16": {"DEQUANTIZE"}, "int16x8": {"QUANTIZE", "DEQUANTIZE"}}


def check(model: TFLiteFile, source: keras.Model | None, options: ConversionOptions) -> None:
    """Raise `InvariantError` unless a file is what was asked for.

    Checked are the operators, the dtypes and granularity of the kernels, and
    the type and scale of input and output. `source` is the network that was converted, from pixels
    to probabilities; None for one of another maker, whose operators are not known beforehand.
    """
    if source is not None:
        _check_operators(model, source, options)
    _check_kernels(model, options)
    check_ends(model, options)


def _check_operators(model: TFLiteFile, source: keras.Model, options: ConversionOptions) -> None:
    expected = expected_operators(source, options)
    found = model.operator_counts()
    for name in _UNCOUNTED.get(options.quantization, ()):
        found.pop(name, None)
    if expected is not None and found != expected:
        raise InvariantError("operators", f"the file has {found} instead of {expected}")


def expected_operators(source: keras.Model, options: ConversionOptions) -> dict[str, int] | None:
    """Return the operators a clean conversion has, or None if a layer is not known."""
    counts: dict[str, int] = {}
    for layer in source.layers:
        kind = type(layer).__name__
        if kind not in _OPERATORS:
            return None
        name = _OPERATORS[kind]
        if kind == "AddConstant" and not layer.constant.numpy().any():
            name = None  # adding zero is left out
        if name is not None:
            counts[name] = counts.get(name, 0) + 1
    casts = _CASTS.get((options.quantization, str(options.inference_input_type)), {})
    return dict(sorted({**counts, **casts}.items()))


def _check_kernels(model: TFLiteFile, options: ConversionOptions) -> None:
    integers = options.quantization in ("int8", "int16x8")
    exact = {"none": "float32", "float16": "float16"}.get(options.quantization)
    for layer, kernel in model.kernels():
        where = layer or kernel.name
        if integers and kernel.dtype != "int8":
            raise InvariantError(where, f"its kernel is {kernel.dtype} instead of int8")
        if exact and kernel.dtype != exact:
            raise InvariantError(where, f"its kernel is {kernel.dtype} instead of {exact}")
        legal = {1 if options.granularity == "per_tensor" else kernel.shape[kernel.axis]}
        if len(kernel.shape) == 2:
            legal.add(1)  # phones know no dense layer in float with a scale a channel
        if kernel.dtype == "int8" and kernel.scales.size not in legal:
            raise InvariantError(
                where,
                f"its kernel has {kernel.scales.size} scales; {options.granularity} means "
                f"{max(legal)}",
            )


def check_ends(model: TFLiteFile, options: ConversionOptions) -> None:
    """Raise `InvariantError` unless input and output have the type and scale promised."""
    wanted = str(options.inference_input_type)
    for what, index in (("input", model.inputs[0]), ("output", model.outputs[0])):
        tensor = model.tensors[index]
        if tensor.dtype != wanted:
            raise InvariantError(what, f"is {tensor.dtype} instead of {wanted}")
        if wanted == "float32":
            continue
        scale = 1.0 if what == "input" else 1 / 256
        found = (tensor.scales.tolist(), tensor.zero_points.tolist())
        if found != ([scale], [_ZERO_POINTS[wanted]]):
            raise InvariantError(
                what, f"has scale and zero point {found} instead of {scale}, {_ZERO_POINTS[wanted]}"
            )


def check_compression(
    model: keras.Model, preprocessing: Preprocessing, content: bytes
) -> dict[str, tuple[float, int]]:
    """Check that an int8 file keeps the zeros and shared values of the plain network it is made of.

    The scale of `preprocessing` is folded into the first convolution, so its codebook is looked
    for after the multiplication. Shared values are only looked for in kernels of one scale.

    Returns:
      (share of zeros, distinct values) by layer, as the file holds them.

    Raises:
      InvariantError: naming the first layer that lost something.
    """
    # Conversion rounds the float kernels into which everything is folded.
    prepared = prepare(model, preprocessing)
    nested = [layer for layer in prepared.layers if isinstance(layer, keras.Model)]
    expected = reading.read_kernels(nested[0] if nested else prepared)
    stored = int8_kernels(content, list(expected))
    found = {name: kernel for name, (kernel, _) in stored.items()}
    per_tensor = {name: kernel for name, kernel in expected.items() if stored[name][1] == 1}
    reading.check_zeros_kept(expected, found)
    reading.check_sharing_kept(per_tensor, found)
    return {
        name: (reading.sparsity(kernel), int(np.unique(kernel).size))
        for name, kernel in found.items()
    }


def int8_kernels(content: bytes, layers: Sequence[str]) -> dict[str, tuple[np.ndarray, int]]:
    """Return (kernel int8, number of scales) of each of the `layers`, in their order.

    Kernels come in Keras's order of dimensions: [h, w, in, out] or [in, out].
    Raises `InvariantError` if the file has none, or several, of that name.
    """
    file = TFLiteFile(content)
    kernels = file.kernels()
    found: dict[str, tuple[np.ndarray, int]] = {}
    for layer in layers:
        # A network with its normalization in front is a model within a model: its name comes first.
        alike = [kernel for name, kernel in kernels if f"/{name}".endswith(f"/{layer}")]
        if len(alike) != 1:
            raise InvariantError(layer, f"the int8 file has {len(alike)} layers of that name")
        found[layer] = (np.moveaxis(file.data(alike[0]), 0, -1), alike[0].scales.size)
    return found
