"""Where each image lies in a TFRecord file: random access without a copy.

TFDS stores ImageNet as 150 GB of TFRecord files, which TensorFlow reads from
front to back only. An epoch here is a seeded permutation, so images must be
found singly: one walk over the headers, which skips the images themselves,
notes where each one lies.

A record is its length (uint64), a checksum of that (4 bytes), the content, and
a checksum of the content (4 bytes). The content is a `tf.train.Example`: a
protocol buffer of (name, value) entries.
"""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

from sqzkit.base.errors import RunError
from sqzkit.data.dataset import Example, FileSlice

_LENGTH = struct.Struct("<Q")
_CHECKSUM = 4
# Tags of the fields walked over: field number * 8 + wire type.
_FIRST, _SECOND, _THIRD = 0x0A, 0x12, 0x1A  # nested messages or bytes
_NUMBER = 0x08
_VARINT_BYTES = 10
_MAX_KEY = 1024  # bytes; longer ones are none of ours


class _DamagedError(ValueError):
    """Not what TensorFlow writes."""


def find_examples(path: Path, image_key: str, label_key: str) -> Iterator[Example]:
    """Yield the labelled images of a file in its order, each as a `FileSlice`.

    Args:
      path: TFRecord file of `tf.train.Example`s.
      image_key: name of the entry with the encoded image.
      label_key: name of the entry with the class index, -1 where it is withheld.

    Raises:
      RunError: the file cannot be read, is damaged, or has no such entries.
    """
    keys = image_key.encode(), label_key.encode()
    try:
        with open(path, "rb") as stream:
            if not path.stat().st_size:
                return
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
                for number, (start, end) in enumerate(_records(content)):
                    found = _entries(content, start, end)
                    try:
                        (first, last), label = (found[key] for key in keys)
                    except KeyError as error:
                        missing = error.args[0].decode()
                        raise _DamagedError(f"record {number} has no {missing!r}") from None
                    image = FileSlice(path, *_single_bytes(content, first, last))
                    yield Example(image, _single_integer(content, *label))
    except OSError as error:
        raise RunError(f"{path}: {error.strerror or error}") from error
    except (_DamagedError, IndexError) as error:
        raise RunError(f"{path}: damaged TFRecord file ({error}); fetch it again") from error


def _records(content: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Yield where the content of each record begins and ends."""
    position, header = 0, _LENGTH.size + _CHECKSUM
    while position < len(content):
        if position + header > len(content):
            raise _DamagedError("it ends inside a record")
        (length,) = _LENGTH.unpack_from(content, position)
        start = position + header
        position = start + length + _CHECKSUM
        if position > len(content):
            raise _DamagedError("it ends inside a record")
        yield start, start + length


def _entries(content: mmap.mmap, start: int, end: int) -> dict[bytes, tuple[int, int]]:
    """Return where the value (a `Feature`) of each entry of an Example lies."""
    found = {}
    for _, first, last in _fields(content, start, end):  # Example.features
        for _, entry, entry_end in _fields(content, first, last):  # Features.feature
            key, value = b"", (entry_end, entry_end)
            for tag, low, high in _fields(content, entry, entry_end):
                if tag == _FIRST:
                    key = content[low : min(high, low + _MAX_KEY)]
                elif tag == _SECOND:
                    value = (low, high)
            found[key] = value
    return found


def _single_bytes(content: mmap.mmap, start: int, end: int) -> tuple[int, int]:
    """Return offset and length of the one string of a `Feature`."""
    values = [
        (low, high - low)
        for tag, first, last in _fields(content, start, end)
        if tag == _FIRST  # Feature.bytes_list
        for _, low, high in _fields(content, first, last)
    ]
    if len(values) != 1:
        raise _DamagedError(f"an image entry with {len(values)} values")
    return values[0]


def _single_integer(content: mmap.mmap, start: int, end: int) -> int:
    """Return the one integer of a `Feature`, whether packed or not."""
    for tag, first, last in _fields(content, start, end):
        if tag == _THIRD and first < last:  # Feature.int64_list
            position = first + 1
            if content[first] == _FIRST:
                _, position = _varint(content, position)
            value, position = _varint(content, position)
            if position == last and content[first] in (_FIRST, _NUMBER):
                return value - (1 << 64) if value >> 63 else value
    raise _DamagedError("a label entry that is not one integer")


def _fields(content: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield (tag, begin, end) of the length-delimited fields of a message."""
    position = start
    while position < end:
        tag = content[position]
        if tag not in (_FIRST, _SECOND, _THIRD):
            raise _DamagedError(f"unknown field {tag:#x}")
        length, low = _varint(content, position + 1)
        position = low + length
        if position > end:
            raise _DamagedError("a field longer than its record")
        yield tag, low, position


def _varint(content: mmap.mmap, position: int) -> tuple[int, int]:
    """Return a protocol buffer's integer and where it ends."""
    value = 0
    for index in range(_VARINT_BYTES):
        byte = content[position + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position + index + 1
    raise _DamagedError("an integer of more than 64 bits")
