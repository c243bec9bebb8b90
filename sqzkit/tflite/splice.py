"""Vectors of a `.tflite` with other numbers of items, while every other byte stays.

What lies behind a longer or shorter vector moves by a multiple of 16 bytes, so that all
alignments stay, and the offsets that cross it are written again. docs/teaching.md states the rule.
"""

import bisect
import dataclasses
import struct
from collections.abc import Mapping
from typing import Any

from sqzkit.base.errors import FormatError
from sqzkit.base.flatbuffer_tables import Source

_ALIGNMENT = 16
# The fields of the schema's tables that are offsets: to a vector of numbers or a text (None), to
# a table (a dictionary), or to a vector of tables (a list).
_TENSOR = {0: None, 3: None, 4: {0: None, 1: None, 2: None, 3: None}, 7: None}
_OPERATOR: dict[int, Any] = {1: None, 2: None, 4: {}, 5: None, 7: None, 8: None}
_SUBGRAPH = {0: [_TENSOR], 1: None, 2: None, 3: [_OPERATOR], 4: None}
_NAMES = [{0: None}]
_SIGNATURE = {0: _NAMES, 1: _NAMES, 2: None}
_MODEL: dict[int, Any] = {
    1: [{1: None}], 2: [_SUBGRAPH], 3: None, 4: [{0: None}], 5: None, 6: [{0: None}],
    7: [_SIGNATURE],
}  # fmt: skip
_FILE = {0: None, 1: None, 3: None, 4: None}
_CONTENT: dict[int, Any] = {1: {1: {}}}  # of an image: its size
_DESCRIBED: dict[int, Any] = {
    0: None, 1: None, 3: _CONTENT, 4: [{1: {0: None, 1: None}}], 5: {0: None, 1: None}, 6: [_FILE],
}  # fmt: skip
_DESCRIPTIONS: dict[int, Any] = {0: None, 1: None, 2: [_DESCRIBED], 3: [_DESCRIBED]}
# The same of TFLite metadata.
METADATA: dict[int, Any] = {
    0: None, 1: None, 2: None, 3: [_DESCRIPTIONS], 4: None, 5: None, 6: [_FILE], 7: None,
}  # fmt: skip
# Fields whose offsets are not followed here; no classifier that the converter writes has them.
_UNKNOWN: dict[int, tuple[int, ...]] = {
    id(_TENSOR): (6, 9),
    id(_TENSOR[4]): (5,),
    id(_OPERATOR): (11, 12),
    id(_MODEL[4][0]): (1, 2),
    id(_CONTENT): (2,),
    id(_DESCRIBED): (2,),
    id(_DESCRIPTIONS): (4, 5, 6, 7, 8, 9),
}
_WITH_SHAPE = (17, 30)  # ReshapeOptions, SqueezeOptions: a vector is their first field


@dataclasses.dataclass(frozen=True)
class Vector:
    """New items of a vector: where its number of items is stored, bytes of an item, the items."""

    position: int
    item: int
    content: bytes


def splice(content: bytes, vectors: list[Vector], root: Mapping[int, Any] | None = None) -> bytes:
    """Return a model with new items in some vectors.

    Args:
      content: a `.tflite` without files behind it.
      vectors: what to replace, each once.
      root: `METADATA` if the content is a buffer of TFLite metadata instead.

    Raises:
      FormatError: the file has parts whose place is not known here.
    """
    source = Source(content, "TFLite model")
    offsets, tables = _references(source, _MODEL if root is None else root)
    pieces, ends, moves, at, moved = [], [], [], 0, 0
    for vector in sorted(vectors, key=lambda vector: vector.position):
        start = vector.position + 4
        end = start + vector.item * source.unpack("I", vector.position)
        padding = -(len(vector.content) - (end - start)) % _ALIGNMENT
        count = struct.pack("<I", len(vector.content) // vector.item)
        pieces += [content[at : vector.position], count, vector.content, bytes(padding)]
        moved += len(vector.content) + padding - (end - start)
        at = end
        ends.append(end)
        moves.append(moved)
    changed = bytearray(b"".join([*pieces, content[at:]]))

    def new(position: int) -> int:
        before = bisect.bisect_right(ends, position)
        return position + (moves[before - 1] if before else 0)

    for position, target in offsets.items():
        struct.pack_into("<I", changed, new(position), new(target) - new(position))
    for position, target in tables.items():
        struct.pack_into("<i", changed, new(position), new(position) - new(target))
    return bytes(changed)


def _references(source: Source, root: Mapping[int, Any]) -> tuple[dict[int, int], dict[int, int]]:
    """Return the target of each offset by its position, and of each table its vtable."""
    offsets: dict[int, int] = {}
    tables: dict[int, int] = {}

    def follow(position: int) -> int:
        offsets[position] = position + source.unpack("I", position)
        return offsets[position]

    def visit(table: int, fields: Mapping[int, Any]) -> None:
        vtable = table - source.unpack("i", table)
        source.spend(1)
        tables[table] = vtable
        size = source.unpack("H", vtable)

        def field(number: int) -> int:
            inside = 6 + 2 * number <= size
            return source.unpack("H", vtable + 4 + 2 * number) if inside else 0

        if any(field(number) for number in _UNKNOWN.get(id(fields), ())):
            raise FormatError("cannot be changed: it has parts of which sqzkit does not know")
        for number, kind in fields.items():
            if not field(number):
                continue
            target = follow(table + field(number))
            if fields is _OPERATOR and number == 4:
                options = source.unpack("B", table + field(3)) if field(3) else 0
                visit(target, {0: None} if options in _WITH_SHAPE else {})
            elif isinstance(kind, dict):
                visit(target, kind)
            elif isinstance(kind, list):
                for index in range(source.unpack("I", target)):
                    visit(follow(target + 4 + 4 * index), kind[0])

    visit(follow(0), root)
    return offsets, tables
