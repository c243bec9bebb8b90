"""Read a `.tflite` file's tensors and operators, and replace weights in place.

A replaced kernel, bias or scale has the size of the old one, so it is written
over it: every other byte of the file stays, alignment included.
"""

import math
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sqzkit.base import files
from sqzkit.base.errors import FormatError, InvariantError
from sqzkit.base.flatbuffer_tables import Source, Table
from sqzkit.tflite import schema
from sqzkit.tflite.schema import Convolution, Operator, Tensor

IDENTIFIER = b"TFL3"
MAX_BYTES = 1 << 29
_MAX_ELEMENTS = 1 << 31
_MAX_RANK = 16

__all__ = ["IDENTIFIER", "MAX_BYTES", "Convolution", "Operator", "TFLiteFile", "Tensor"]


class TFLiteFile:
    """The main subgraph of a whole `.tflite`, checked while it is read.

    Raises:
      FormatError: `content` is not a TFLite model, or is damaged: an offset, tensor number,
        buffer number or buffer size is out of bounds.
    """

    def __init__(self, content: bytes) -> None:
        if len(content) > MAX_BYTES:
            raise FormatError(f"TFLite model of {len(content)} bytes: at most {MAX_BYTES}")
        self.content = bytes(content)
        self._source = Source(self.content, "TFLite model")
        model = self._source.root(IDENTIFIER)
        self._buffers = [_extent(table) for table in model.tables(4)]
        self._entries = {table.text(0): table.scalar(1, "I", 0) for table in model.tables(6)}
        subgraphs = model.tables(2)
        if not subgraphs:
            raise self._source.damaged("it has no subgraph")
        main = subgraphs[0]
        self.tensors = tuple(self._tensor(i, table) for i, table in enumerate(main.tables(0)))
        self.inputs = self._numbers(main.vector(1, "int32"))
        self.outputs = self._numbers(main.vector(2, "int32"))
        self._outputs_position = main.position(2)
        self.operator_versions = [_operator_code(table) for table in model.tables(1)]
        codes = [name for name, _ in self.operator_versions]
        tables = main.tables(3)
        self.operators = tuple(self._operator(table, codes) for table in tables)
        self._options = [table.table(4) for table in tables]
        self._expanded = self._find_expanded()

    def data(self, tensor: Tensor) -> np.ndarray:
        """Return a constant tensor's values, a read-only view in its shape.

        A dtype that NumPy lacks comes as flat uint8. An activation has no
        values: `FormatError`.
        """
        start, size = self._buffers[tensor.buffer]
        if not size:
            raise FormatError(f"tensor {tensor.name!r} holds no values in the file")
        if schema.item_size(tensor.dtype) is None:
            return np.frombuffer(self.content, np.uint8, size, start)
        kind = np.dtype(tensor.dtype).newbyteorder("<")
        values = np.frombuffer(self.content, kind, math.prod(tensor.shape), start)
        return values.reshape(tensor.shape)

    def is_constant(self, tensor: Tensor) -> bool:
        """Return whether the file holds the tensor's values."""
        return self._buffers[tensor.buffer][1] > 0

    def metadata_entry(self, name: str) -> bytes | None:
        """Return the named metadata buffer, or None if there is none."""
        if name not in self._entries:
            return None
        number = self._entries[name]
        if number >= len(self._buffers):
            raise self._source.damaged(f"metadata {name!r} is in buffer {number}, which is missing")
        start, size = self._buffers[number]
        return self.content[start : start + size]

    def operator_counts(self) -> dict[str, int]:
        """Return how many of each operator there are, by name."""
        return dict(sorted(Counter(operator.name for operator in self.operators).items()))

    def dtype_counts(self) -> dict[str, int]:
        """Return how many tensors there are of each dtype."""
        return dict(sorted(Counter(tensor.dtype for tensor in self.tensors).items()))

    def convolutions(self) -> list[Convolution]:
        """Return the CONV_2D operators with constant kernels, in execution order."""
        pairs = zip(self.operators, self._options, strict=True)
        found = [self._convolution(op, options) for op, options in pairs if op.name == "CONV_2D"]
        return [item for item in found if item is not None]

    def kernels(self) -> list[tuple[str, Tensor]]:
        """Return (layer, kernel) of all convolutions and dense layers, in execution order.

        A kernel is [output, height, width, input] or, dense, [output, input];
        those that are no constants are left out. The layer is Keras's name,
        "" if the tensor names do not contain it.
        """
        found = []
        for operator in self.operators:
            if operator.name not in ("CONV_2D", "FULLY_CONNECTED") or len(operator.inputs) < 2:
                continue
            kernel = self.stored(operator.inputs[1])
            if self.is_constant(kernel) and operator.outputs:
                output = self.tensors[operator.outputs[0]]
                found.append((_layer_name(kernel.name) or _layer_name(output.name), kernel))
        return found

    def replace(
        self,
        values: Mapping[int, np.ndarray],
        scales: Mapping[int, np.ndarray] | None = None,
    ) -> bytes:
        """Return the file with some constants changed, all else bit for bit.

        Args:
          values: new values by tensor number, in the old shape and dtype.
          scales: new quantization scales by tensor number, as many as before.

        Raises:
          InvariantError: a shape, dtype or number of scales differs, a scale
            is not positive, or the values serve a second operator or tensor.
        """
        changed = bytearray(self.content)
        for index, array in values.items():
            tensor = self._replaceable(index, array)
            start, size = self._buffers[tensor.buffer]
            changed[start : start + size] = np.ascontiguousarray(array).tobytes()
        for index, array in (scales or {}).items():
            tensor = self.tensors[index]
            new = np.ascontiguousarray(array, np.float32)
            if new.shape != tensor.scales.shape or not (np.isfinite(new) & (new > 0)).all():
                raise InvariantError(
                    tensor.name, f"needs {tensor.scales.size} positive scales, got {new.tolist()}"
                )
            start = tensor.scales_position
            changed[start : start + new.nbytes] = new.tobytes()
        return bytes(changed)

    def with_outputs(self, numbers: Sequence[int]) -> bytes:
        """Return the file with other tensors as its graph's outputs: their numbers come last.

        The old list stays in the file, unused, and every other byte stays where it is. Of what
        lies behind the graph, only a zip of associated files must be written again: see
        `metadata.with_outputs`.
        """
        if self._outputs_position is None:
            raise self._source.damaged("its graph has no outputs")
        changed = bytearray(self.content) + bytes(-len(self.content) % 4)
        struct.pack_into(
            "<I", changed, self._outputs_position, len(changed) - self._outputs_position
        )
        return bytes(changed) + struct.pack(f"<I{len(numbers)}i", len(numbers), *numbers)

    def _replaceable(self, index: int, array: np.ndarray) -> Tensor:
        tensor = self.tensors[index]
        old = self.data(tensor)
        if array.shape != old.shape or array.dtype != old.dtype:
            raise InvariantError(
                tensor.name,
                f"holds {old.dtype} {list(old.shape)}, got {array.dtype} {list(array.shape)}",
            )
        owners = [other.index for other in self.tensors if other.buffer == tensor.buffer]
        uses = sum(operator.inputs.count(owner) for operator in self.operators for owner in owners)
        if uses > 1:
            raise InvariantError(tensor.name, "its values are shared by several operators")
        return tensor

    def _tensor(self, index: int, table: Table) -> Tensor:
        sides = table.vector(0, "int32")
        if sides.size > _MAX_RANK:
            raise self._source.damaged(f"tensor {index} has {sides.size} dimensions")
        shape = tuple(int(side) for side in sides)
        code = table.scalar(1, "b", 0)
        quantization = table.table(4)
        tensor = Tensor(
            index=index,
            name=table.text(3),
            shape=shape,
            dtype=schema.DTYPES.get(code, f"type_{code}"),
            scales=quantization.vector(2, "float32") if quantization else np.empty(0, np.float32),
            zero_points=quantization.vector(3, "int64") if quantization else np.empty(0, np.int64),
            axis=quantization.scalar(6, "i", 0) if quantization else 0,
            buffer=table.scalar(2, "I", 0),
            scales_position=quantization.extent(2, 4)[0] if quantization else 0,
        )
        self._check(tensor)
        return tensor

    def _check(self, tensor: Tensor) -> None:
        where = f"tensor {tensor.index} {tensor.name!r}"
        if any(side < 0 for side in tensor.shape) or math.prod(tensor.shape) > _MAX_ELEMENTS:
            raise self._source.damaged(f"{where} has shape {list(tensor.shape)}")
        if tensor.buffer >= len(self._buffers):
            raise self._source.damaged(f"{where} is in buffer {tensor.buffer}, which is missing")
        size = self._buffers[tensor.buffer][1]
        item = schema.item_size(tensor.dtype)
        if size and item and size != item * math.prod(tensor.shape):
            raise self._source.damaged(f"{where} has {size} bytes for shape {list(tensor.shape)}")
        if tensor.zero_points.size not in (0, tensor.scales.size):
            raise self._source.damaged(f"{where} has more zero points than scales")
        if tensor.scales.size > 1 and not (
            0 <= tensor.axis < len(tensor.shape) and tensor.shape[tensor.axis] == tensor.scales.size
        ):
            raise self._source.damaged(f"{where} has {tensor.scales.size} scales on no dimension")

    def _operator(self, table: Table, codes: list[str]) -> Operator:
        number = table.scalar(0, "I", 0)
        if number >= len(codes):
            raise self._source.damaged(f"operator code {number} is missing")
        inputs = self._numbers(table.vector(1, "int32"), optional=True)
        return Operator(codes[number], inputs, self._numbers(table.vector(2, "int32")))

    def _numbers(self, vector: np.ndarray, optional: bool = False) -> tuple[int, ...]:
        self._source.spend(vector.nbytes)
        lowest = -1 if optional else 0
        if vector.size and not (vector.min() >= lowest and vector.max() < len(self.tensors)):
            raise self._source.damaged(f"a tensor number in {vector.tolist()[:8]} is missing")
        return tuple(vector.tolist())

    def stored(self, index: int) -> Tensor:
        """Return the constant behind a tensor: a float16 weight is expanded by a DEQUANTIZE."""
        index = self._expanded.get(index, index)
        if index < 0:
            raise self._source.damaged("an operator lacks its constant")
        return self.tensors[index]

    def _find_expanded(self) -> dict[int, int]:
        """Return by the output of each DEQUANTIZE its input, -1 where that is left out."""
        expanded: dict[int, int] = {}
        for operator in self.operators:
            if operator.name == "DEQUANTIZE" and operator.outputs:
                source = operator.inputs[0] if operator.inputs else -1
                expanded.setdefault(operator.outputs[0], source)
        return expanded

    def _convolution(self, operator: Operator, options: Table | None) -> Convolution | None:
        if len(operator.inputs) not in (2, 3) or len(operator.outputs) != 1 or options is None:
            raise self._source.damaged("a CONV_2D lacks inputs, outputs or options")
        kernel = self.stored(operator.inputs[1])
        if not self.is_constant(kernel) or len(kernel.shape) != 4:
            return None
        has_bias = len(operator.inputs) == 3 and operator.inputs[2] >= 0
        output = self.tensors[operator.outputs[0]]
        return Convolution(
            layer=_layer_name(kernel.name) or _layer_name(output.name),
            kernel=kernel,
            bias=self.stored(operator.inputs[2]) if has_bias else None,
            input=operator.inputs[0],
            output=operator.outputs[0],
        )


def _extent(buffer: Table) -> tuple[int, int]:
    """Return where a buffer's bytes begin and how many there are."""
    # Behind the flatbuffer, as ai-edge-quantizer and files over 2 GB keep them.
    return buffer.outside(1, 2) or buffer.extent(0, 1)


def _operator_code(table: Table) -> tuple[str, int]:
    """Return an operator's name and version."""
    # Files before schema 3a have the code only in the old 8-bit field.
    code = max(table.scalar(0, "b", 0), table.scalar(3, "i", 0))
    return schema.operator_name(code), table.scalar(2, "i", 1)


def _layer_name(tensor: str) -> str:
    """Return the Keras layer of a tensor named "MODEL/LAYER/Conv2D..." (or MatMul), or "".

    A result has the names of all that was fused into it, separated by semicolons.
    """
    paths = (part.split("/") for part in tensor.split(";"))
    found = ("/".join(path[1:-1]) for path in paths if path[-1].startswith(("Conv2D", "MatMul")))
    return next(found, "")


def load(model: Path | str | bytes) -> bytes:
    """Return the `.tflite` in a file or in bytes; a `.sqz` archive is expanded.

    Raises:
      RunError: the file cannot be read, or is too large.
      FormatError: it is neither, or a damaged archive.
    """
    if isinstance(model, bytes):
        return expand(model)
    try:
        return expand(files.read_bytes(model, MAX_BYTES))
    except FormatError as error:
        raise FormatError(f"{model}: {error}") from error


def expand(content: bytes) -> bytes:
    """Return the `.tflite` in `content`, itself or in a `.sqz`; else raise `FormatError`."""
    if content[4:8] == IDENTIFIER:
        return content
    # Imported only for archives: the decoder's compiler (Numba) takes a while.
    from sqzkit.coding import container, sqz

    if not content.startswith(container.MAGICS):
        raise FormatError("neither a .tflite model nor a .sqz archive")
    return sqz.unpack(content, limit=MAX_BYTES)
