"""A `.tflite` of a few hundred bytes with all that the readers look at; no converter needed."""

import json

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from sqzkit import preprocessing
from sqzkit.base import flatbuffer_tables
from sqzkit.base.flatbuffer_tables import Scalar
from sqzkit.tflite import metadata


def build(channels: int) -> bytes:
    """Return an image classifier of one convolution: float16 kernel, metadata, labels."""
    shapes = {
        "image": (1, 32, 32, 3), "net/conv1/Conv2D_half": (channels, 3, 3, 3),
        "net/conv1/Conv2D": (channels, 3, 3, 3), "net/conv1/bias": (channels,),
        "net/conv1/Relu": (1, 30, 30, channels), "answer": (1, channels),
    }  # fmt: skip
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.buffers, model.subgraphs = 3, [schema.BufferT()], [graph]
    graph.tensors, graph.inputs, graph.outputs = [], [0], [5]
    for name, shape in shapes.items():
        graph.tensors.append(_tensor(model, name, shape))
    codes = (schema.BuiltinOperator.DEQUANTIZE, schema.BuiltinOperator.CONV_2D, 40)
    model.operatorCodes = [_code(code) for code in codes]
    options = schema.Conv2DOptionsT()
    options.padding, options.strideW, options.strideH = 1, 1, 1
    graph.operators = [_operator(0, [1], [2]), _operator(1, [0, 2, 3], [4]), _operator(2, [4], [5])]
    graph.operators[1].builtinOptions = options
    graph.operators[1].builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    entry = flatbuffer_tables.write(_metadata(), b"M001")
    described = metadata.add_entry(bytes(builder.Output()), "TFLITE_METADATA", entry)
    record = json.dumps(preprocessing.default(32).to_json()).encode()
    labels = "".join(f"class {number}\n" for number in range(channels)).encode()
    return metadata.append_files(described, {"labels.txt": labels, "preprocessing.json": record})


def _tensor(model: schema.ModelT, name: str, shape: tuple[int, ...]) -> schema.TensorT:
    tensor = schema.TensorT()
    tensor.name, tensor.shape = name.encode(), list(shape)
    if name.startswith("net/conv1/") and name.endswith(("half", "bias")):
        values = np.ones(shape, np.float16 if name.endswith("half") else np.float32)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        model.buffers.append(buffer)
        tensor.buffer, tensor.type = len(model.buffers) - 1, int(name.endswith("half"))
    elif name.endswith("Relu"):
        tensor.type, tensor.quantization = 9, schema.QuantizationParametersT()
        tensor.quantization.scale = np.full(shape[-1], 0.1, np.float32)
        tensor.quantization.zeroPoint = np.zeros(shape[-1], np.int64)
        tensor.quantization.quantizedDimension = 3
    return tensor


def _code(number: int) -> schema.OperatorCodeT:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = number
    return code


def _operator(code: int, inputs: list[int], outputs: list[int]) -> schema.OperatorT:
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = code, inputs, outputs
    return operator


def _metadata() -> dict:
    normal = {0: np.zeros(1, np.float32), 1: np.ones(1, np.float32)}
    image = {0: "image", 4: [{0: Scalar("uint8", 1), 1: normal}]}
    labels = {0: "labels.txt", 2: Scalar("int8", 2)}
    return {0: "small", 1: "A model to be damaged.", 3: [{2: [image], 3: [{6: [labels]}]}]}
