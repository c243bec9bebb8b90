"""The last layer of a classifier: where its features and its class map are in the graph.

A network that ends in a 1x1 convolution and an average (SqueezeNet), or in an average and a
dense layer (MobileNet), computes linear functions of features that are averaged over a map. So
another last layer can be taught from those averages alone.
"""

import dataclasses
import hashlib
import math

import numpy as np

from sqzkit.base.errors import FormatError
from sqzkit.tflite import metadata
from sqzkit.tflite.flatbuffer import Tensor, TFLiteFile

# What may stand behind the last layer: it changes no order of classes, or adds a constant.
_AFTER = ("SOFTMAX", "LOGISTIC", "QUANTIZE", "DEQUANTIZE", "RESHAPE", "SQUEEZE")
_AVERAGES = ("MEAN", "AVERAGE_POOL_2D")
_DENSE = ("FULLY_CONNECTED", "CONV_2D")
_DTYPES = ("float32", "int8", "uint8", "int16")
MAX_FEATURES = 4096


@dataclasses.dataclass(frozen=True)
class LastLayer:
    """Where a classifier's features are.

    Attributes:
      features: the activation [1, H, W, features] whose average the last layer reads.
      class_map: [1, H, W, classes] before the average, or None where the average comes first.
      average, dense: numbers of the operators.
    """

    features: Tensor
    class_map: Tensor | None
    average: int
    dense: int

    @property
    def outputs(self) -> tuple[int, ...]:
        """The numbers of the further outputs: features, and the class map if there is one."""
        maps = (self.features, self.class_map)
        return tuple(tensor.index for tensor in maps if tensor is not None)


def find(model: TFLiteFile) -> LastLayer:
    """Return where a classifier's features are.

    Raises:
      FormatError: the graph does not end in an average beside a 1x1 convolution or dense layer.
    """
    makers = {number: i for i, op in enumerate(model.operators) for number in op.outputs}
    last = _before(model, makers, model.outputs[0] if model.outputs else -1)
    if _is_average(model, last):
        average, dense = last, makers.get(model.operators[last].inputs[0], -1)
        if not _is_dense(model, dense):
            raise _unfit(f"the average at its end reads {_named(model, dense)}")
    elif _is_dense(model, last):
        first = model.operators[last].inputs[0]
        dense, average = last, _before(model, makers, first, ("RESHAPE", "SQUEEZE"))
        if not _is_average(model, average):
            raise _unfit(f"its last layer reads {_named(model, average)}")
    else:
        raise _unfit(f"it ends in {_named(model, last)}")
    beginning = model.operators[min(dense, average)]
    if beginning.inputs[0] not in makers:
        raise _unfit("its last layer reads the input")
    features = model.tensors[beginning.inputs[0]]
    _check(model, features, model.tensors[model.operators[average].outputs[0]])
    convolved = dense < average
    class_map = model.tensors[beginning.outputs[0]] if convolved else None
    return LastLayer(features, class_map, average, dense)


def teachable(content: bytes) -> bytes:
    """Return a `.tflite` whose features and class map are further outputs of its graph.

    No operator is added, the first output, metadata and labels stay. A file that has these
    outputs already is returned as it is.

    Raises:
      FormatError: the graph has no features to teach from.
    """
    model = TFLiteFile(content)
    wanted = (model.outputs[:1]) + find(model).outputs
    return content if model.outputs == wanted else metadata.with_outputs(content, wanted)


def digest(model: TFLiteFile, layer: LastLayer) -> bytes:
    """Return the SHA-256 of all that decides on the features, 32 bytes.

    Files with other classes but the same network before them have the same one:
    docs/teaching.md says what goes into it.
    """
    found = hashlib.sha256()
    maker = next(i for i, op in enumerate(model.operators) if layer.features.index in op.outputs)
    for operator in model.operators[: maker + 1]:
        found.update(operator.name.encode() + b"\0")
        for number in (*operator.inputs, *operator.outputs):
            if number < 0:
                continue
            tensor = model.tensors[number]
            found.update(np.asarray(tensor.shape, "<i4").tobytes())
            found.update(tensor.scales.astype("<f4").tobytes())
            found.update(tensor.zero_points.astype("<i8").tobytes())
            if model.is_constant(tensor):
                found.update(model.data(tensor).tobytes())
    return found.digest()


def _before(
    model: TFLiteFile, makers: dict[int, int], number: int, passed: tuple[str, ...] = ()
) -> int:
    """Return the number of the operator that makes a tensor, `passed` ones left out, or -1."""
    names = passed or (*_AFTER, "ADD")
    for _ in model.operators:  # a graph may be damaged so that it runs in a circle
        found = makers.get(number, -1)
        operator = model.operators[found]
        if found < 0 or operator.name not in names or not operator.inputs:
            return found
        if operator.name == "ADD" and not model.is_constant(model.tensors[operator.inputs[-1]]):
            return found
        number = operator.inputs[0]
    return -1


def _is_average(model: TFLiteFile, number: int) -> bool:
    if number < 0:
        return False
    operator = model.operators[number]
    return operator.name in _AVERAGES and min(operator.inputs, default=-1) >= 0


def _is_dense(model: TFLiteFile, number: int) -> bool:
    """Return whether an operator multiplies each place of its input by a constant matrix."""
    if number < 0:
        return False
    operator = model.operators[number]
    if operator.name not in _DENSE or len(operator.inputs) < 2 or min(operator.inputs[:2]) < 0:
        return False
    kernel = model.stored(operator.inputs[1])
    window = kernel.shape[1:-1]
    return model.is_constant(kernel) and math.prod(window) == 1 and len(kernel.shape) in (2, 4)


def _check(model: TFLiteFile, features: Tensor, averaged: Tensor) -> None:
    shape = features.shape
    if len(shape) != 4 or shape[0] != 1 or not 0 < shape[3] <= MAX_FEATURES or not all(shape):
        raise _unfit(f"its features are {list(shape)}, not [1, H, W, at most {MAX_FEATURES}]")
    if math.prod(averaged.shape) != averaged.shape[-1]:
        raise _unfit(f"its average gives {list(averaged.shape)}, not one value for each channel")
    if features.dtype not in _DTYPES:
        raise _unfit(f"its features are {features.dtype}, not {', '.join(_DTYPES)}")
    if features.dtype != "float32" and features.scales.size != 1:
        raise _unfit("its features have not one scale")


def _named(model: TFLiteFile, operator: int) -> str:
    return model.operators[operator].name if operator >= 0 else "the input"


def _unfit(reason: str) -> FormatError:
    return FormatError(
        f"cannot be taught: {reason}. A network that can be taught ends in a 1x1 convolution and "
        "an average, or in an average and a dense layer, as SqueezeNet and MobileNet do"
    )
