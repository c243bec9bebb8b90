"""Protocol buffer classes from a short table of the fields that are read.

A reader declares only the fields it needs, by the numbers of the format's public
`.proto`; the library skips all others, and nothing in a file is executed.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from sqzkit.base.errors import FormatError

_Field = descriptor_pb2.FieldDescriptorProto
INT32, INT64, FLOAT = _Field.TYPE_INT32, _Field.TYPE_INT64, _Field.TYPE_FLOAT
# Text is declared as bytes: the same on the wire, and damage is reported by us.
BYTES = _Field.TYPE_BYTES
# By message: (field name, number, type; a message by its name, repeated).
Messages = Mapping[str, tuple[tuple[str, int, int | str, bool], ...]]


def message_classes(package: str, messages: Messages) -> dict[str, Any]:
    """Return the class of each message, by its name."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package}.proto", package=package, syntax="proto2"
    )
    for message_name, fields in messages.items():
        described = file.message_type.add(name=message_name)
        for field_name, number, kind, repeated in fields:
            field = described.field.add(name=field_name, number=number)
            field.label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
            if isinstance(kind, str):
                field.type = _Field.TYPE_MESSAGE
                field.type_name = f".{package}.{kind}"
            else:
                field.type = kind
                field.options.packed = repeated and kind != BYTES
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = {name: pool.FindMessageTypeByName(f"{package}.{name}") for name in messages}
    return {name: message_factory.GetMessageClass(kind) for name, kind in found.items()}


def parse(kind: Any, content: bytes, source: str, what: str, limit: int) -> Any:
    """Return the message in `content`.

    Args:
      kind: class of the message.
      content: the file.
      source: its name, for messages.
      what: what it should be, such as "a Caffe model".
      limit: bytes that the file may have.

    Raises:
      FormatError: the file is larger, or is not such a message.
    """
    if len(content) > limit:
        raise FormatError(f"{source}: {len(content)} bytes, more than {limit}")
    parsed = kind()
    try:
        parsed.ParseFromString(content)
    except (message.DecodeError, RecursionError) as error:
        raise FormatError(f"{source}: not {what} ({error})") from error
    return parsed


def text(name: bytes, source: str) -> str:
    """Return a name as text; raise `FormatError` if it is not UTF-8."""
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError(f"{source}: the name {name!r} is not text") from None
