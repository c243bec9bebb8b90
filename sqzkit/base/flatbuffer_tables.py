"""FlatBuffers tables: a bounded reader, and a writer from plain Python values.

Every offset is checked before it is followed.

The generated FlatBuffers classes trust the file. This one reads files that
anybody may have made: whatever the bytes are, the answer is the field's value
or a `FormatError`, in time and memory linear in the file's size.
"""

import dataclasses
import struct
from typing import Any

import flatbuffers
import numpy as np
from flatbuffers import number_types

from sqzkit.base.errors import FormatError

_ROOT = struct.Struct("<I4s")


class Source:
    """The bytes of one FlatBuffers file, and how much of them may still be visited.

    Offsets may be shared, so a small file can describe a huge tree; no
    honest file visits more tables, or reads more text, than it has bytes.
    """

    def __init__(self, content: bytes, kind: str) -> None:
        self.content = content
        self.kind = kind
        self._budget = len(content)

    def root(self, identifier: bytes) -> "Table":
        """Return the root table; raise `FormatError` unless the file has `identifier`."""
        if len(self.content) < _ROOT.size:
            raise FormatError(f"not a {self.kind}: only {len(self.content)} bytes")
        position, found = _ROOT.unpack_from(self.content)
        if found != identifier:
            raise FormatError(
                f"not a {self.kind}: its identifier is {found!r} instead of {identifier!r}"
            )
        return Table(self, position)

    def spend(self, amount: int) -> None:
        """Count `amount` units of work; raise `FormatError` when the file asks for too much."""
        self._budget -= amount
        if self._budget < 0:
            raise self.damaged("it refers to itself more often than its size allows")

    def unpack(self, layout: str, position: int) -> int:
        """Return the little-endian integer at `position`."""
        if not 0 <= position <= len(self.content) - struct.calcsize(layout):
            raise self.damaged(f"offset {position} is outside its {len(self.content)} bytes")
        return int(struct.unpack_from("<" + layout, self.content, position)[0])

    def damaged(self, reason: str) -> FormatError:
        """Return the error for a file whose structure is broken."""
        return FormatError(f"damaged {self.kind}: {reason}")


class Table:
    """One FlatBuffers table. Fields are addressed by their number in the schema."""

    def __init__(self, source: Source, position: int) -> None:
        source.spend(4)
        self._source = source
        self._position = position
        self._vtable = position - source.unpack("i", position)
        self._vtable_size = source.unpack("H", self._vtable)

    def scalar(self, field: int, layout: str, default: int) -> int:
        """Return an integer field; `layout` is its `struct` letter."""
        position = self._field(field)
        return default if position is None else self._source.unpack(layout, position)

    def table(self, field: int) -> "Table | None":
        """Return a table field, or None where it is absent."""
        position = self._target(field)
        return None if position is None else Table(self._source, position)

    def tables(self, field: int) -> "list[Table]":
        """Return a vector of tables; absent is empty."""
        start, count = self.extent(field, 4)
        return [Table(self._source, self._follow(start + 4 * i)) for i in range(count)]

    def text(self, field: int) -> str:
        """Return a string field; absent is empty."""
        start, count = self.extent(field, 1)
        self._source.spend(count)
        try:
            return self._source.content[start : start + count].decode("utf-8")
        except UnicodeDecodeError:
            raise self._source.damaged(f"the text at {start} is not UTF-8") from None

    def vector(self, field: int, dtype: str) -> np.ndarray:
        """Return a vector of numbers as a read-only view of the file; absent is empty."""
        kind = np.dtype(dtype).newbyteorder("<")
        start, count = self.extent(field, kind.itemsize)
        return np.frombuffer(self._source.content, kind, count, start)

    def extent(self, field: int, item_size: int) -> tuple[int, int]:
        """Return where a vector's elements lie in the file, and their number; absent is (0, 0)."""
        position = self._target(field)
        if position is None:
            return 0, 0
        start, count = position + 4, self._source.unpack("I", position)
        if start + count * item_size > len(self._source.content):
            raise self._source.damaged(f"a list of {count} items at {position} does not fit")
        return start, count

    def position(self, field: int) -> int | None:
        """Return where a field's value (of a vector or table: its offset) lies in the file."""
        return self._field(field)

    def outside(self, offset: int, size: int) -> tuple[int, int] | None:
        """Return (position, number) of the bytes behind the tables that two fields tell.

        None if there are none: TFLite gives the positions 0 and 1 no meaning.
        """
        start, count = self.scalar(offset, "Q", 0), self.scalar(size, "Q", 0)
        if start <= 1:
            return None
        if start + count > len(self._source.content):
            raise self._source.damaged(f"{count} bytes at {start} do not fit")
        return start, count

    def _field(self, field: int) -> int | None:
        entry = 4 + 2 * field
        if entry + 2 > self._vtable_size:
            return None
        offset = self._source.unpack("H", self._vtable + entry)
        return self._position + offset if offset else None

    def _follow(self, position: int) -> int:
        return position + self._source.unpack("I", position)

    def _target(self, field: int) -> int | None:
        position = self._field(field)
        return None if position is None else self._follow(position)


@dataclasses.dataclass(frozen=True)
class Scalar:
    """A number stored in the table itself; `kind` is "int8", "uint8" or "uint32"."""

    kind: str
    value: int


_FLAGS = {
    "int8": number_types.Int8Flags,
    "uint8": number_types.Uint8Flags,
    "uint32": number_types.Uint32Flags,
}


def write(root: dict[int, Any], identifier: bytes) -> bytes:
    """Return the file whose root table is `root`; the same values give the same bytes.

    A table is a dictionary from field numbers (as in the schema) to values: a str; a
    dict (a table); a list of dict or str (a vector of them); a float32 array (a vector
    of floats); or a `Scalar`, a number in the table itself.
    """
    builder = flatbuffers.Builder(1024)
    builder.Finish(_table(builder, root), file_identifier=identifier)
    return bytes(builder.Output())


def _table(builder: flatbuffers.Builder, fields: dict[int, Any]) -> Any:
    offsets = {
        slot: _child(builder, value)
        for slot, value in fields.items()
        if not isinstance(value, Scalar)
    }
    builder.StartObject(max(fields, default=-1) + 1)
    for slot, value in fields.items():
        if isinstance(value, Scalar):
            builder.PrependSlot(_FLAGS[value.kind], slot, value.value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(slot, offsets[slot], 0)
    return builder.EndObject()


def _child(builder: flatbuffers.Builder, value: Any) -> Any:
    if isinstance(value, str):
        return builder.CreateString(value)
    if isinstance(value, dict):
        return _table(builder, value)
    if isinstance(value, np.ndarray):
        return builder.CreateNumpyVector(value)
    items = [_child(builder, item) for item in value]
    builder.StartVector(4, len(items), 4)
    for item in reversed(items):
        builder.PrependUOffsetTRelative(item)
    return builder.EndVector()
