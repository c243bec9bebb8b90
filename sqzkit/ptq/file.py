"""Put optimized weights and ranges into a `.tflite`, whose graph stays as it is."""

from collections.abc import Mapping

import numpy as np

from sqzkit.base.errors import InvariantError
from sqzkit.ptq.graph import Array, Graph, Operation
from sqzkit.ptq.layers import Rounded
from sqzkit.ptq.simulation import Range
from sqzkit.tflite.flatbuffer import Convolution, TFLiteFile

_MAX_BIAS = 2**31 - 1
_OPERATORS = {
    "max": "MAX_POOL_2D",
    "concat": "CONCATENATION",
    "add": "ADD",
    "constant": "ADD",
    "mean": "MEAN",
}


def write(
    content: bytes,
    graph: Graph,
    layers: Mapping[str, Rounded],
    ranges: Mapping[str, Range],
) -> bytes:
    """Return an int8 `.tflite` with other weights and activation scales.

    Args:
      content: per-tensor int8 file of the same network, as `convert_model` gives it.
      graph: the network.
      layers: kernel, scale and bias by convolution.
      ranges: by site. Where values may be negative the file's own scale
        stays, because its zero point belongs to it.

    Raises:
      InvariantError: the file is not one of this network (the layer is named).
    """
    file = TFLiteFile(content)
    tensors = match(file, graph)
    scales = _activation_scales(file, graph, tensors, ranges)
    found = {item.output: item for item in file.convolutions()}
    values: dict[int, Array] = {}
    new_scales = {index: _scale(scale) for index, scale in scales.items()}
    for item in graph.convolutions():
        layer = layers[item.name]
        place = found[tensors[item.name]]
        if place.bias is None or place.kernel.scales.size != 1:
            raise InvariantError(item.name, "needs a bias and one kernel scale in the file")
        scale_in = scales.get(place.input, float(file.tensors[place.input].scales[0]))
        unit = float(np.float32(layer.step)) * float(np.float32(scale_in))
        bias = np.rint(layer.bias.astype(np.float64) / unit)
        values[place.kernel.index] = np.ascontiguousarray(layer.kernel.transpose(3, 0, 1, 2))
        values[place.bias.index] = np.clip(bias, -_MAX_BIAS, _MAX_BIAS).astype(np.int32)
        new_scales[place.kernel.index] = _scale(layer.step)
        new_scales[place.bias.index] = _scale(unit)
    return file.replace(values, new_scales)


def match(file: TFLiteFile, graph: Graph) -> dict[str, int]:
    """Return the tensor number of every operation's result; `InvariantError` if one has none."""
    start = file.inputs[0]
    for operator in file.operators:
        if operator.name == "QUANTIZE" and operator.inputs[0] == start:
            start = operator.outputs[0]
            break
    tensors = {"": start}
    convolutions = file.convolutions()
    for item in graph.operations:
        inputs = [tensors[name] for name in item.inputs]
        if item.kind == "conv":
            tensors[item.name] = _convolution(convolutions, item, inputs[0], graph).output
        elif item.kind == "constant" and not graph.constants[item.name].any():
            tensors[item.name] = inputs[0]  # the converter leaves out adding zero
        else:
            tensors[item.name] = _operator(file, item, inputs)
    return tensors


def _convolution(
    convolutions: list[Convolution], item: Operation, source: int, graph: Graph
) -> Convolution:
    readers = [other for other in convolutions if other.input == source]
    named = [other for other in readers if other.layer == item.name]
    alike = [other for other in readers if other.kernel.shape[0] == graph.channels[item.name]]
    for candidates in (named, alike):
        if len(candidates) == 1:
            return candidates[0]
    raise InvariantError(item.name, "is not found in the file")


def _operator(file: TFLiteFile, item: Operation, inputs: list[int]) -> int:
    for operator in file.operators:
        if operator.name != _OPERATORS[item.kind]:
            continue
        if sorted(operator.inputs) == sorted(inputs) or (
            item.kind in ("mean", "constant") and inputs[0] in operator.inputs
        ):
            return operator.outputs[0]
    raise InvariantError(item.name, f"is not found in the file as {_OPERATORS[item.kind]}")


def _activation_scales(
    file: TFLiteFile, graph: Graph, tensors: Mapping[str, int], ranges: Mapping[str, Range]
) -> dict[int, float]:
    scales = {}
    for item in graph.operations:
        tensor = file.tensors[tensors[item.name]]
        site = ranges[item.site]
        if tensor.scales.size != 1:
            raise InvariantError(item.name, "its result is not int8 with one scale")
        # A site whose values are never negative has its zero at int8's lowest.
        if site.lowest == 0 and tensor.zero_points.tolist() == [-128]:
            scales[tensor.index] = site.step
    return scales


def _scale(value: float | Array) -> Array:
    return np.asarray(value, np.float32).reshape(-1)
