"""Where a TensorFlow Lite file keeps its numbers.

A reader of just enough of the flatbuffer to find constant tensors and their
scales. It never trusts an offset: whatever does not fit the file is no tensor.
The archive carries what is found here, so a decoder needs none of it.
"""

import dataclasses
import itertools
import struct
from collections.abc import Iterator

IDENTIFIER = b"TFL3"
MOST_TENSORS = 32_768
MOST_SIDES = 16

# TensorType of the TFLite schema: name and bytes of an element.
TYPES = {
    0: ("float32", 4),
    1: ("float16", 2),
    2: ("int32", 4),
    3: ("uint8", 1),
    4: ("int64", 8),
    6: ("bool", 1),
    7: ("int16", 2),
    9: ("int8", 1),
    10: ("float64", 8),
}


@dataclasses.dataclass(frozen=True)
class Span:
    """A run of numbers in a file.

    Attributes:
      offset, length: in bytes.
      dtype: one of `TYPES`' names, little-endian in the file.
      shape: sides of the tensor, outermost first; their product is the number of elements.
      role: "tensor", or "scales" of a tensor.
    """

    offset: int
    length: int
    dtype: str
    shape: tuple[int, ...]
    role: str = "tensor"


class _OutsideError(Exception):
    """An offset or a length points out of the file."""


def find_spans(content: bytes) -> list[Span]:
    """Return the constant tensors and scale vectors of a `.tflite`, by offset, none overlapping.

    Any other content, and a damaged file, gives what could be found, at worst
    nothing: this never raises.
    """
    if content[4:8] != IDENTIFIER:
        return []
    found: list[Span] = []
    try:
        for span in itertools.islice(_spans(content), 2 * MOST_TENSORS):
            found.append(span)
    except _OutsideError:
        pass
    kept: list[Span] = []
    for span in sorted(set(found), key=lambda span: (span.offset, -span.length)):
        if span.length and (not kept or span.offset >= kept[-1].offset + kept[-1].length):
            kept.append(span)
    return kept


def _spans(content: bytes) -> Iterator[Span]:
    model = _Table.root(content)
    buffers = model.tables(4)
    # Offsets may be shared, so that a small file can list one subgraph a thousand times.
    subgraphs = itertools.islice(model.tables(2), MOST_TENSORS)
    listed = (subgraph.tables(0) for subgraph in subgraphs)
    for tensor in itertools.islice(itertools.chain.from_iterable(listed), MOST_TENSORS):
        quantization = tensor.table(4)
        if quantization:
            scales = quantization.vector(2, 4)
            if scales and scales[1] > 1:
                yield Span(scales[0], 4 * scales[1], "float32", (scales[1],), "scales")
        number = tensor.scalar(2, "<I")
        if number < len(buffers):
            yield from _constant(tensor, buffers[number])


def _constant(tensor: "_Table", buffer: "_Table") -> Iterator[Span]:
    """Yield the span of a tensor's values, if the file holds them."""
    data = buffer.outside(1, 2) or buffer.vector(0, 1)
    name, size = TYPES.get(tensor.scalar(1, "<b"), ("", 0))
    if not data or not size:
        return
    place = tensor.vector(0, 4) or (0, 0)
    if place[1] > MOST_SIDES:
        return
    shape = struct.unpack_from(f"<{place[1]}i", tensor.content, place[0])
    elements = 1
    for side in shape:
        elements *= max(side, 0)
    if elements * size == data[1]:
        yield Span(data[0], data[1], name, tuple(shape))


@dataclasses.dataclass(frozen=True)
class _Table:
    """A flatbuffer table: `at` is its position in `content`."""

    content: bytes
    at: int

    @classmethod
    def root(cls, content: bytes) -> "_Table":
        return cls(content, _read(content, 0, "<I"))

    def field(self, number: int) -> int:
        """Return the position of the field, 0 where it is absent."""
        virtual = self.at - _read(self.content, self.at, "<i")
        if 4 + 2 * number >= _read(self.content, virtual, "<H"):
            return 0
        offset = _read(self.content, virtual + 4 + 2 * number, "<H")
        return self.at + offset if offset else 0

    def scalar(self, number: int, layout: str) -> int:
        position = self.field(number)
        return _read(self.content, position, layout) if position else 0

    def table(self, number: int) -> "_Table | None":
        position = self.field(number)
        if not position:
            return None
        return _Table(self.content, position + _read(self.content, position, "<I"))

    def vector(self, number: int, size: int) -> tuple[int, int] | None:
        """Return where the vector's elements of `size` bytes begin and how many there are."""
        position = self.field(number)
        if not position:
            return None
        start = position + _read(self.content, position, "<I")
        count = _read(self.content, start, "<I")
        if start + 4 + count * size > len(self.content):
            raise _OutsideError
        return start + 4, count

    def outside(self, offset: int, size: int) -> tuple[int, int] | None:
        """Return where bytes behind the flatbuffer begin and how many there are.

        Two fields say so (0 and 1 mean nothing), as ai-edge-quantizer writes them.
        """
        start, count = self.scalar(offset, "<Q"), self.scalar(size, "<Q")
        if start <= 1:
            return None
        if start + count > len(self.content):
            raise _OutsideError
        return start, count

    def tables(self, number: int) -> "_Tables":
        return _Tables(self.content, *(self.vector(number, 4) or (0, 0)))


@dataclasses.dataclass(frozen=True)
class _Tables:
    """A vector of tables, read one by one."""

    content: bytes
    start: int
    count: int

    def __iter__(self) -> Iterator[_Table]:
        return (self[index] for index in range(self.count))

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> _Table:
        if not 0 <= index < self.count:
            raise IndexError(index)
        position = self.start + 4 * index
        return _Table(self.content, position + _read(self.content, position, "<I"))


def _read(content: bytes, position: int, layout: str) -> int:
    if not 0 <= position <= len(content) - struct.calcsize(layout):
        raise _OutsideError
    return struct.unpack_from(layout, content, position)[0]
