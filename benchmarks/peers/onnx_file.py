"""A `Graph` as an ONNX file: float32, and int8 by ONNX Runtime's own quantizer."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.graph import Graph, Node

_OPSET = 17
_INPUT = "image"


def write_float(graph: Graph, path: Path) -> None:
    """Write the network: float32 [1, 3, S, S] raw RGB pixels to probabilities."""
    nodes, initializers = [], []
    names = {node.name: node.name for node in graph.nodes}
    for node in graph.nodes:
        if node.operator == "input":
            names[node.name] = _INPUT
            continue
        inputs = [names[name] for name in node.inputs]
        arrays = [_onnx_layout(node, array) for array in graph.arrays.get(node.name, ())]
        stored = [
            numpy_helper.from_array(array, f"{node.name}:{index}")
            for index, array in enumerate(arrays)
        ]
        initializers += stored
        inputs += [array.name for array in stored]
        nodes.append(_operation(node, inputs, arrays))
    shape = [1, 3, graph.side, graph.side]
    last = graph.nodes[-1].name
    made = helper.make_graph(
        nodes,
        "squeezenet",
        [helper.make_tensor_value_info(_INPUT, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, None)],
        initializers,
    )
    opsets = [helper.make_opsetid("", _OPSET)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=8)
    onnx.save(onnx.shape_inference.infer_shapes(model), str(path))


def write_int8(float_path: Path, path: Path, pictures: np.ndarray) -> None:
    """Quantize statically: uint8 activations, int8 weights per channel (ORT's advice for x86).

    Args:
      float_path: what `write_float` wrote.
      path: where to.
      pictures: uint8 [N, S, S, 3] to calibrate on.
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Pictures(CalibrationDataReader):
        def __init__(self) -> None:
            self.left = iter(pictures)

        def get_next(self) -> dict[str, np.ndarray] | None:
            picture = next(self.left, None)
            return None if picture is None else {_INPUT: to_onnx(picture[None])}

    quantize_static(
        str(float_path),
        str(path),
        Pictures(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )


def to_onnx(pictures: np.ndarray) -> np.ndarray:
    """Return uint8 [N, S, S, 3] as float32 [N, 3, S, S]."""
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), np.float32)


def prepared(graph: Graph, folder: Path, precision: str, pictures: np.ndarray) -> Path:
    """Return the file of that precision in `folder`, made unless it is there."""
    float_path = folder / f"published_{graph.side}_float.onnx"
    int8_path = folder / f"published_{graph.side}_int8.onnx"
    if not float_path.exists():
        write_float(graph, float_path)
    if precision == "int8" and not int8_path.exists():
        write_int8(float_path, int8_path, pictures)
    return int8_path if precision == "int8" else float_path


def _onnx_layout(node: Node, array: np.ndarray) -> np.ndarray:
    if node.operator == "convolution" and array.ndim == 4:
        return np.ascontiguousarray(array.transpose(3, 2, 0, 1))
    return array


def _operation(node: Node, inputs: list[str], arrays: list[np.ndarray]) -> onnx.NodeProto:
    outputs = [node.name]
    if node.operator == "convolution":
        side = arrays[0].shape[2]
        padding = [side // 2 if node.same_padding else 0] * 4
        return helper.make_node(
            "Conv", inputs, outputs, node.name, strides=[node.stride] * 2, pads=padding
        )
    if node.operator == "pool":
        return helper.make_node(
            "MaxPool", inputs, outputs, node.name, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1
        )
    if node.operator == "mean":
        return helper.make_node("ReduceMean", inputs, outputs, node.name, axes=[2, 3], keepdims=0)
    if node.operator in ("concatenate", "softmax"):
        kind = {"concatenate": "Concat", "softmax": "Softmax"}[node.operator]
        return helper.make_node(kind, inputs, outputs, node.name, axis=1)
    kind = {"relu": "Relu", "add": "Add", "add_constant": "Add"}[node.operator]
    return helper.make_node(kind, inputs, outputs, node.name)
