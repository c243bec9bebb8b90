"""Archives as lists that a test can change at will, and write down again, right or wrong."""

import copy
import dataclasses
import hashlib
import struct
import zlib
from unittest import mock

from sqzkit.coding import container, sqz, streams, varint
from sqzkit.coding.archive import COPY, Archive, Base

HEADER = container.HEADER.size
Number = int | bytes  # bytes stand for themselves: numbers written in odd ways, floats


@dataclasses.dataclass
class Draft:
    """An archive before it is written: every field can be set to anything.

    Attributes:
      magic, version, kind, reserved, size, digest: of the header.
      streams: method, stride, size, coded size, content of each.
      tensors: outputs, height, width, inputs, element width, center, entries of each; in an
        update also the reference and what follows it.
      pieces: gap, length, stream, and of products source and factor (4 bytes); in an update
        also the width of a sum, and the step.
      counts: of streams, tensors, pieces where these should not be announced as they are.
      directory: the bytes of the directory where they should be others.
      directory_sizes: plain and coded size of the directory, the same.
      tail: bytes behind the last stream.
      base: of an update, what stands behind the header.
      start: of an update, the file it is sealed with.
    """

    size: int
    streams: list[list]
    tensors: list[list[Number]] = dataclasses.field(default_factory=list)
    pieces: list[list[Number]] = dataclasses.field(default_factory=list)
    magic: bytes = container.MAGIC
    version: int = container.VERSION
    kind: int = 0
    reserved: int = 0
    digest: bytes = bytes(32)
    counts: list[Number | None] = dataclasses.field(default_factory=lambda: [None] * 3)
    directory: bytes | None = None
    directory_sizes: list[int | None] = dataclasses.field(default_factory=lambda: [None] * 2)
    tail: bytes = b""
    base: bytes = b""
    start: bytes | None = None

    @classmethod
    def of(cls, archive: bytes | Archive) -> "Draft":
        """Return the draft that is written as `archive`, but for deflate's choices."""
        parts = container.read(archive) if isinstance(archive, bytes) else archive
        draft = cls(parts.size, [], kind=parts.kind, digest=parts.digest)
        for stream in parts.streams:
            content = bytes(stream.content)
            draft.streams.append([stream.method, stream.stride, stream.size, len(content), content])
        draft.tensors = [[*t.shape, t.width, t.center, t.entries] for t in parts.tensors]
        for piece in parts.pieces:
            product = [] if piece.stream else [piece.source, struct.pack("<f", piece.factor)]
            draft.pieces.append([piece.gap, piece.length, piece.stream, *product])
        if parts.base:
            draft.base = parts.base.digest + varint.write(parts.base.size)
            draft._add_references(parts)
        return draft

    def _add_references(self, parts: Archive) -> None:
        for fields, tensor in zip(self.tensors, parts.tensors, strict=True):
            one = tensor.reference
            runs = [number for run in one.runs for number in run] if one else []
            fields.extend([one.offset + 1, one.inputs, len(one.runs), *runs] if one else [0])
        at = 0
        for fields, piece in zip(self.pieces, parts.pieces, strict=True):
            at += piece.gap
            if piece.stream == COPY:
                fields[2] = len(self.streams)
            elif piece.stream:
                fields.append(piece.width)
            if piece.stream == COPY or piece.width:
                fields.append(step(piece.base - at))
                at = piece.base
            at += piece.length

    def starting(self, base: bytes) -> "Draft":
        """Make this an update of `base`; return it."""
        self.kind, self.start = 2, base
        self.base = Base.of(base).digest + varint.write(len(base))
        return self

    def copy(self) -> "Draft":
        """Return a draft to change on its own."""
        return copy.deepcopy(self)

    def directory_bytes(self) -> bytes:
        """Return the directory, not deflated."""
        if self.directory is not None:
            return self.directory
        written = b""
        lists = ([stream[:4] for stream in self.streams], self.tensors, self.pieces)
        for count, listed in zip(self.counts, lists, strict=True):
            written += number(len(listed) if count is None else count)
            written += b"".join(number(field) for fields in listed for field in fields)
        return written

    def write(self) -> bytes:
        """Return the archive, its CRC-32 right."""
        directory = self.directory_bytes()
        packed = streams.deflate(directory)
        sizes = (len(directory), len(packed))
        plain, coded = (
            size if other is None else other
            for size, other in zip(sizes, self.directory_sizes, strict=True)
        )
        body = self.base + varint.write(plain, coded) + packed
        body += b"".join(stream[4] for stream in self.streams) + self.tail
        fields = (self.magic, self.version, self.kind, self.reserved, self.size, self.digest, 0)
        return checked(container.HEADER.pack(*fields) + body)

    def sealed(self, limit: int = container.DEFAULT_LIMIT) -> bytes:
        """Return the archive with the SHA-256 of what it decodes to, if it decodes."""
        with mock.patch.object(container, "check", lambda content, archive: bytes(content)):
            self.digest = hashlib.sha256(sqz.unpack(self.write(), limit, self.start)).digest()
        return self.write()


def number(field: Number) -> bytes:
    """Return a number as the directory has it; bytes stay what they are."""
    return field if isinstance(field, bytes) else varint.write(field)


def step(distance: int) -> int:
    """Return a step forwards or backwards as an update's directory has it."""
    return 2 * distance if distance >= 0 else -2 * distance - 1


def long_number(value: int, length: int) -> bytes:
    """Return `value` as a varint of `length` bytes, more than it needs."""
    written = varint.write(value)
    filled = [byte | 128 for byte in written] + [128] * (length - len(written))
    return bytes(filled[:-1]) + bytes([filled[-1] & 127])


def checked(archive: bytes) -> bytes:
    """Return `archive` with its CRC-32 made right."""
    crc = zlib.crc32(archive[HEADER:], zlib.crc32(archive[: HEADER - 4]))
    return archive[: HEADER - 4] + struct.pack("<I", crc) + archive[HEADER:]
