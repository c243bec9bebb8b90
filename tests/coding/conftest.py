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
    tensors: list[np.ndarray],
    scales: list[list[float] | None] | None = None,
    tail: bytes = b"",
    outside: int | None = None,
) -> bytes:
    """Return a `.tflite` with constant `tensors`, their per-channel `scales`, and `tail` behind.

    With `outside` the values come behind the flatbuffer, which is padded to that many bytes.
    """
    buffers, listed, end = [schema.BufferT()], [], outside
    for index, values in enumerate(tensors):
        buffer = schema.BufferT()
        if end is None:
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        else:
            buffer.offset, buffer.size = end, values.nbytes
            end += values.nbytes
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
    content = bytes(builder.Output())
    if outside is not None:
        assert len(content) <= outside
        content = b"".join((content.ljust(outside, b"\0"), *(v.tobytes() for v in tensors)))
    return content + tail


@pytest.fixture
def kernel() -> Callable[..., np.ndarray]:
    return sparse_kernel


@pytest.fixture
def tflite() -> Callable[..., bytes]:
    return build_tflite
