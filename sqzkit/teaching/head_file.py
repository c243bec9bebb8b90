"""The `.head` file: docs/teaching.md states the format, with golden vectors beside the tests."""

import hashlib
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np

from sqzkit.base import files
from sqzkit.base.errors import FormatError, UsageError
from sqzkit.teaching.fitting import STRENGTHS, Choice
from sqzkit.teaching.head import MAX_CLASSES, Head, check_name
from sqzkit.teaching.sums import MAX_FEATURE, MAX_PHOTOGRAPHS
from sqzkit.tflite.last_layer import MAX_FEATURES

SUFFIX = ".head"
_NAME = b"SQZHEAD"
# The digit behind the name, of the layout and of the arithmetic that made strength, temperature
# and threshold. A version for each change of the arithmetic, so that none is read as another.
VERSION = b"2"
_FORMER = b"1"  # the same layout, chosen with one ridge for all features
MAGIC = _NAME + VERSION
MAX_BYTES = 1 << 30
_NOT_CHOSEN = 0xFF
# magic, digest, features, classes, photographs, flags, strength, temperature, threshold
_START = struct.Struct("<8s32sHHIBBdd")
_DIGEST_BYTES = 32


def write(path: Path | str, head: Head) -> None:
    """Write a head to a file, atomically."""
    files.write_bytes(path, to_bytes(head))


def read(path: Path | str) -> Head:
    """Return the head in a file.

    Raises:
      RunError: the file cannot be read.
      FormatError: it is not a head, or is damaged.
    """
    try:
        return from_bytes(files.read_bytes(path, MAX_BYTES))
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from None


def to_bytes(head: Head) -> bytes:
    """Return the file of a head; equal heads give equal bytes."""
    rows = list(head.stored())
    choice = head.choice or Choice(_NOT_CHOSEN, 1.0, math.inf)
    parts = [
        _START.pack(
            MAGIC,
            head.digest,
            head.size,
            len(head.labels),
            len(rows),
            head.absent_gram is not None,
            choice.strength,
            choice.temperature,
            choice.threshold,
        )
    ]
    nothing = (0, np.zeros(head.size, np.int64))
    for name in head.labels:
        encoded = name.encode()
        parts.append(struct.pack(f"<B{len(encoded)}s", len(encoded), encoded))
    if head.absent_gram is not None:
        for name in head.labels:
            count, total = head.absent.get(name, nothing)
            parts.append(struct.pack("<I", count) + total.astype("<i8").tobytes())
        lower = head.absent_gram[np.tril_indices(head.size)]
        parts.append(lower.astype("<i8").tobytes())
    parts += [struct.pack("<H", number) + row for number, row in rows]
    content = b"".join(parts)
    return content + hashlib.sha256(content).digest()


def from_bytes(content: bytes) -> Head:
    """Return the head in a file's bytes.

    Raises:
      FormatError: it is not a head, or is damaged: nothing of it is used then.
    """
    version = _version(content)
    body = content[:-_DIGEST_BYTES]
    if len(body) < _START.size or hashlib.sha256(body).digest() != content[-_DIGEST_BYTES:]:
        raise FormatError("damaged .head file: its checksum does not fit")
    reader = _Reader(body)
    _, digest, size, classes, photographs, flags, *choice = reader.take(_START)
    bounds = 0 < size <= MAX_FEATURES and classes <= MAX_CLASSES
    if not bounds or photographs > MAX_PHOTOGRAPHS or flags > 1:
        raise _damaged(
            f"{size} features, {classes} classes, {photographs} photographs, flags {flags}"
        )
    head = Head(digest, size)
    labels = _labels(reader, classes)
    if flags:
        _read_absent(reader, head, labels)
    layout = struct.Struct(f"<H{2 * size}s")
    last = (0, b"")
    for index in range(photographs):
        number, row = reader.take(layout)
        if number >= classes or (index and (number, row) <= last):
            raise _damaged(f"photograph {index} is not in its place")
        last = number, row
        head.photographs.setdefault(labels[number], set()).add(row)
    if reader.left:
        raise _damaged(f"{reader.left} bytes too many")
    if head.labels != labels:
        raise _damaged("a class has no photographs")
    if (head.rows()[0] < -MAX_FEATURE).any():
        raise _damaged(f"a feature is below {-MAX_FEATURE}")
    if sum(head.counts) > MAX_PHOTOGRAPHS:
        raise _damaged(f"{sum(head.counts)} photographs: at most {MAX_PHOTOGRAPHS}")
    head.choice = _choice(*choice)
    if version == _FORMER and head.choice is not None:
        _refuse_sums_alone(head)
        head.choice = None  # of another ridge; the photographs give it anew
    return head


def _version(content: bytes) -> bytes:
    """Return the digit behind the name, one that can be read."""
    name, version = content[: len(_NAME)], content[len(_NAME) : len(MAGIC)]
    if name != _NAME or not version.isdigit():
        raise FormatError("not a .head file")
    if version not in (_FORMER, VERSION):
        raise FormatError(
            f"a .head file of version {version.decode()}: this sqzkit reads versions "
            f"{_FORMER.decode()} and {VERSION.decode()}; use a newer sqzkit"
        )
    return version


def _refuse_sums_alone(head: Head) -> None:
    if not head.photographs:
        raise FormatError(
            "a .head file of version 1 that holds sums alone: its strength and threshold were "
            "chosen by another rule, and sums cannot choose them anew; teach the photographs again"
        )


class _Reader:
    """Takes records from bytes in turn, and never more than there are."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 0

    @property
    def left(self) -> int:
        return len(self._content) - self._position

    def take(self, layout: struct.Struct) -> tuple[Any, ...]:
        return layout.unpack(self.bytes(layout.size))

    def bytes(self, size: int) -> bytes:
        if size > self.left:
            raise _damaged(f"it ends {size - self.left} bytes too early")
        self._position += size
        return self._content[self._position - size : self._position]

    def integers(self, count: int) -> np.ndarray:
        return np.frombuffer(self.bytes(8 * count), "<i8").astype(np.int64)


def _labels(reader: _Reader, classes: int) -> tuple[str, ...]:
    labels = []
    for _ in range(classes):
        (length,) = reader.bytes(1)
        try:
            labels.append(reader.bytes(length).decode())
            check_name(labels[-1])
        except (UnicodeDecodeError, UsageError) as error:
            raise _damaged(str(error)) from None
    if labels != sorted(set(labels), key=str.encode):
        raise _damaged("its class names are not in order")
    return tuple(labels)


def _read_absent(reader: _Reader, head: Head, labels: tuple[str, ...]) -> None:
    for name in labels:
        (count,) = reader.take(struct.Struct("<I"))
        total = reader.integers(head.size)
        # Compared so, because the absolute value of the smallest int64 is negative.
        limit = min(count, MAX_PHOTOGRAPHS) * MAX_FEATURE
        if count > MAX_PHOTOGRAPHS or not ((-limit <= total) & (total <= limit)).all():
            raise _damaged(f"the sums of class {name!r} cannot be those of {count} photographs")
        if count:
            head.absent[name] = (count, total)
    limit = min(sum(count for count, _ in head.absent.values()), MAX_PHOTOGRAPHS) * MAX_FEATURE**2
    # Read before room is made for it: a short file may state many features.
    lower = reader.integers(head.size * (head.size + 1) // 2)
    gram = np.zeros((head.size, head.size), np.int64)
    below = np.tril_indices(head.size)
    gram[below] = lower
    gram.T[below] = gram[below]
    fits = bool(((-limit <= gram) & (gram <= limit)).all()) and bool((np.diag(gram) >= 0).all())
    if not head.absent or not fits:
        raise _damaged("its sums cannot be those of its photographs")
    head.absent_gram = gram


def _choice(strength: int, temperature: float, threshold: float) -> Choice | None:
    if (strength, temperature, threshold) == (_NOT_CHOSEN, 1.0, math.inf):
        return None
    if strength >= len(STRENGTHS) or not 0 < temperature < math.inf or math.isnan(threshold):
        raise _damaged(f"strength {strength}, temperature {temperature}, threshold {threshold}")
    return Choice(strength, temperature, threshold)


def _damaged(reason: str) -> FormatError:
    return FormatError(f"damaged .head file: {reason}")
