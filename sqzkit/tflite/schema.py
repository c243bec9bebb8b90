"""Names of the parts of a `.tflite`, and records of what is read from one."""

import dataclasses
import functools

import numpy as np

DTYPES = {
    0: "float32",
    1: "float16",
    2: "int32",
    3: "uint8",
    4: "int64",
    5: "string",
    6: "bool",
    7: "int16",
    9: "int8",
    10: "float64",
    12: "uint64",
    15: "uint32",
    16: "uint16",
    17: "int4",
    18: "bfloat16",
}


@dataclasses.dataclass(frozen=True)
class Tensor:
    """One tensor of the main subgraph.

    Attributes:
      index: its number, as the interpreter's.
      name: as the converter wrote it.
      shape: as stored; the batch is 1.
      dtype: NumPy's name, or "string", "int4", "bfloat16", "type_N".
      scales: float32 [] (not quantized), [1] (per tensor) or [channels].
      zero_points: int64, as long as `scales`.
      axis: the channels' dimension where there are several scales.
      buffer: the number of its buffer.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: np.ndarray
    zero_points: np.ndarray
    axis: int
    buffer: int
    scales_position: int


@dataclasses.dataclass(frozen=True)
class Operator:
    """One operator: its name in the TFLite schema, and its tensors' numbers (-1: left out)."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Convolution:
    """A CONV_2D with constant kernel [output, height, width, input] and bias [output].

    Attributes:
      layer: the Keras layer's name, "" if the tensor names do not contain it.
      input, output: numbers of the activations.
    """

    layer: str
    kernel: Tensor
    bias: Tensor | None
    input: int
    output: int


def item_size(dtype: str) -> int | None:
    """Return a value's bytes, or None where NumPy lacks the dtype."""
    try:
        return np.dtype(dtype).itemsize or None
    except TypeError:
        return None


def operator_name(code: int) -> str:
    """Return the schema's name of an operator's number."""
    return _operator_names().get(code, f"OPERATOR_{code}")


@functools.cache
def _operator_names() -> dict[int, str]:
    # Imported here because it takes most of a second.
    from ai_edge_litert import schema_py_generated

    fields = vars(schema_py_generated.BuiltinOperator).items()
    return {code: name for name, code in fields if isinstance(code, int)}
