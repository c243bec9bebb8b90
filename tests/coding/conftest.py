"""Small models and archives for the coders' tests."""

from collections.abc import Callable

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

TYPES = {"float32": 0, "float16": 1, "int32": 2, "uint8": 3, "int64": 4, "int8": 9}


def sparse_kernel(shape: tuple[int, ...], seed: int = 0, density: float = 0.4) -> np.ndarray:
    """Return int8 values as pruned and quantized kernels have them."""
    random = np.random.default_rng(seed)
    values = np.clip(np.round(random.laplace(0, 12, shape)), -127, 127)
    return (values * (random.random(shape) < density)).astype(np.int8)


def build_tflite(
    tensors: list[np.ndarray], scales: list[list[float] | None] | None = None, tail: bytes = b""
) -> bytes:
    """Return a `.tflite` with constant `tensors`, their per-channel `scales`, and `tail` behind."""
    buffers, listed = [schema.BufferT()], []
    for index, values in enumerate(tensors):
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        buffers.append(buffer)
        tensor = schema.TensorT()
        tensor.shape, tensor.type = list(values.shape), TYPES[values.dtype.name]
        tensor.buffer, tensor.name = index + 1, f"tensor_{index}".encode()
        if scales and scales[index]:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.array(scales[index], np.float32)
        listed.append(tensor)
    graph, model = schema.SubGraphT(), schema.ModelT()
    graph.tensors, graph.inputs, graph.outputs, graph.operators = listed, [], [], []
    model.version, model.buffers, model.subgraphs = 3, buffers, [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output()) + tail


@pytest.fixture
def kernel() -> Callable[..., np.ndarray]:
    return sparse_kernel


@pytest.fixture
def tflite() -> Callable[..., bytes]:
    return build_tflite
