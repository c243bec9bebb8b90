"""What a converted file must be, read back from its bytes."""

from sqzkit.base.errors import InvariantError
from sqzkit.base.keras import keras
from sqzkit.conversion.options import ConversionOptions
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


def check(model: TFLiteFile, source: keras.Model, options: ConversionOptions) -> None:
    """Raise `InvariantError` unless the file is what was asked for.

    Checked are the operators (where every layer of `source` is one whose
    operator is known), the dtypes and granularity of the kernels, and the type
    and scale of input and output.
    """
    _check_operators(model, source, options)
    _check_kernels(model, options)
    check_ends(model, options)


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


def _check_operators(model: TFLiteFile, source: keras.Model, options: ConversionOptions) -> None:
    expected = expected_operators(source, options)
    found = model.operator_counts()
    for name in _UNCOUNTED.get(options.quantization, ()):
        found.pop(name, None)
    if expected is not None and found != expected:
        raise InvariantError("operators", f"the file has {found} instead of {expected}")


def _check_kernels(model: TFLiteFile, options: ConversionOptions) -> None:
    integers = options.quantization in ("int8", "int16x8")
    for layer, kernel in model.kernels():
        where = layer or kernel.name
        if integers and kernel.dtype != "int8":
            raise InvariantError(where, f"its kernel is {kernel.dtype} instead of int8")
        exact = {"none": "float32", "float16": "float16"}.get(options.quantization, kernel.dtype)
        if kernel.dtype != exact:
            raise InvariantError(where, f"its kernel is {kernel.dtype} instead of {exact}")
        per_tensor = options.granularity == "per_tensor"
        scales = 1 if per_tensor else kernel.shape[kernel.axis]
        if kernel.dtype == "int8" and kernel.scales.size != scales:
            raise InvariantError(
                where,
                f"its kernel has {kernel.scales.size} scales; {options.granularity} means {scales}",
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
