"""Write FlatBuffers tables from plain Python values.

A table is a dictionary from field numbers (as in the schema) to values:

    str                   string
    dict                  table
    list of dict          vector of tables
    list of str           vector of strings
    float32 array         vector of floats
    Scalar                a number in the table itself
"""

import dataclasses
from typing import Any

import flatbuffers
import numpy as np
from flatbuffers import number_types


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
    """Return the file whose root table is `root`; the same values give the same bytes."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(_table(builder, root), file_identifier=identifier)
    return bytes(builder.Output())


def _table(builder: flatbuffers.Builder, fields: dict[int, Any]) -> int:
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


def _child(builder: flatbuffers.Builder, value: Any) -> int:
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
