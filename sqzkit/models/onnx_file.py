"""Read the convolutions of an `.onnx` file, without ONNX.

Only the fields needed here are declared (numbers from ONNX's public `onnx.proto`):

    ModelProto    7 graph
    GraphProto    1 node, 5 initializer
    NodeProto     1 input, 2 output, 4 op_type, 5 attribute
    AttributeProto  1 name, 5 t, 8 ints
    TensorProto   1 dims, 2 data_type, 4 float_data, 5 int32_data, 8 name, 9 raw_data,
                  14 data_location (1: in another file)
"""

import functools
import math
from typing import Any

import numpy as np

from sqzkit.base.errors import FormatError
from sqzkit.models import protobuf
from sqzkit.models.protobuf import BYTES, FLOAT, INT32, INT64

MAX_BYTES = 16 << 20  # SqueezeNet has 5 MB
MAX_NODES = 4096
_MESSAGES: protobuf.Messages = {
    "TensorProto": (
        ("dims", 1, INT64, True),
        ("data_type", 2, INT32, False),
        ("float_data", 4, FLOAT, True),
        ("int32_data", 5, INT32, True),
        ("name", 8, BYTES, False),
        ("raw_data", 9, BYTES, False),
        ("data_location", 14, INT32, False),
    ),
    "AttributeProto": (
        ("name", 1, BYTES, False),
        ("t", 5, "TensorProto", False),
        ("ints", 8, INT64, True),
    ),
    "NodeProto": (
        ("input", 1, BYTES, True),
        ("output", 2, BYTES, True),
        ("op_type", 4, BYTES, False),
        ("attribute", 5, "AttributeProto", True),
    ),
    "GraphProto": (("node", 1, "NodeProto", True), ("initializer", 5, "TensorProto", True)),
    "ModelProto": (("graph", 7, "GraphProto", False),),
}
_FLOAT, _FLOAT16 = 1, 10  # TensorProto.DataType
_IN_ANOTHER_FILE = 1


@functools.cache
def message_class(name: str) -> Any:
    """Return the protocol buffer class of a message, such as "ModelProto"."""
    return protobuf.message_classes("sqzkit.onnx", _MESSAGES)[name]


def read(content: bytes, source: str) -> dict[str, list[np.ndarray]]:
    """Return kernel and bias of each convolution, by the name of its kernel.

    Args:
      content: the file.
      source: its name, for messages.

    Returns:
      float32 arrays: kernel OIHW, then bias. The names lack what exporters append
      (`_w_0` of Caffe2, `.weight` of PyTorch).

    Raises:
      FormatError: the file is damaged, too large, has a convolution whose weights
        are not constants of the file, or none at all.
    """
    model = protobuf.parse(message_class("ModelProto"), content, source, "an ONNX model", MAX_BYTES)
    nodes, tensors = model.graph.node, model.graph.initializer
    if max(len(nodes), len(tensors)) > MAX_NODES:
        raise FormatError(
            f"{source}: {len(nodes)} nodes and {len(tensors)} tensors, more than {MAX_NODES}"
        )
    constants = {tensor.name: tensor for tensor in tensors}
    for node in nodes:
        if node.op_type == b"Constant":
            constants |= {
                name: found.t
                for found in node.attribute
                for name in node.output[:1]
                if found.name == b"value"
            }
    arrays: dict[bytes, np.ndarray] = {}  # one for each tensor, however many nodes name it
    weights: dict[str, list[np.ndarray]] = {}
    for node in nodes:
        if node.op_type == b"Conv":
            names = node.input[1:4]
            for part in names:
                if part not in arrays:
                    arrays[part] = _constant(constants, part, source)
            name = protobuf.text(names[0], source) if names else "a convolution"
            name = name.removesuffix("_w_0").removesuffix(".weight")
            if name in weights:
                raise FormatError(f"{source}: two convolutions use the weights {name!r}")
            weights[name] = [arrays[part] for part in names]
    if not weights:
        raise FormatError(f"{source}: no convolution has weights; is it an .onnx file?")
    return weights


def operators(content: bytes, source: str) -> list[tuple[str, int]]:
    """Return type and padding of each node in order."""
    model = protobuf.parse(message_class("ModelProto"), content, source, "an ONNX model", MAX_BYTES)
    return [
        (protobuf.text(node.op_type, source), max(_pads(node), default=0))
        for node in model.graph.node[:MAX_NODES]
    ]


def _pads(node: Any) -> list[int]:
    return [n for found in node.attribute if found.name == b"pads" for n in found.ints[:4]]


def _constant(constants: dict[bytes, Any], name: bytes, source: str) -> np.ndarray:
    place = f"{source}: {protobuf.text(name, source)}"
    if name not in constants:
        raise FormatError(f"{place}: the weights of a convolution are not a constant of the file")
    tensor = constants[name]
    if tensor.data_location == _IN_ANOTHER_FILE:
        raise FormatError(f"{place}: lies in another file; export one file that holds its weights")
    if tensor.data_type not in (_FLOAT, _FLOAT16):
        raise FormatError(
            f"{place}: of ONNX's data type {tensor.data_type}; must be {_FLOAT} (float32) or "
            f"{_FLOAT16} (float16)"
        )
    return _values(tensor, place)


def _values(tensor: Any, place: str) -> np.ndarray:
    shape = tuple(tensor.dims[:5])  # hostile files list millions
    half = tensor.data_type == _FLOAT16
    kind = np.dtype("<f2" if half else "<f4")
    listed = tensor.int32_data if half else tensor.float_data  # a float16's bits in an int32
    count = len(tensor.raw_data) / kind.itemsize if tensor.raw_data else len(listed)
    if not 1 <= len(shape) <= 4 or min(shape) < 1 or math.prod(shape) != count:
        raise FormatError(f"{place}: shape {shape} does not fit its {count:g} values")
    if tensor.raw_data:
        values = np.frombuffer(tensor.raw_data, kind)
    elif half:
        values = np.array(listed, np.int32).astype(np.uint16).view(kind)
    else:
        values = np.array(listed, kind)
    if not np.isfinite(values).all():
        raise FormatError(f"{place}: has values that are not finite")
    return values.astype(np.float32).reshape(shape)
