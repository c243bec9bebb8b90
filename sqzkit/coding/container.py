"""The `.sqz` container: header, directory, streams. docs/sqz.md is the specification.

This module takes archives apart and puts them together. `sqzkit.coding.sqz`
codes and decodes the streams; `sqzkit.coding.archive` has the rules.
"""

import dataclasses
import hashlib
import struct
import zlib
from collections.abc import Iterator

import numpy as np

from sqzkit.base.errors import FormatError
from sqzkit.coding import archive as rules
from sqzkit.coding import streams, varint
from sqzkit.coding.archive import COPY, MAX_SPANS, MAX_STREAMS, UPDATE, Archive, Base, Piece
from sqzkit.coding.signing import MAGIC as SIGNED_MAGIC
from sqzkit.coding.symbols import Reference, SymbolTensor

MAGIC = b"\x89SQZ"
MAGICS = (MAGIC, SIGNED_MAGIC)  # of what is meant as an archive, not as a file of its own
VERSION = 1
HEADER = struct.Struct("<4sBBHQ32sI")
CHECKED = HEADER.size - 4  # the CRC-32 covers all but itself
DIGEST = 32
DEFAULT_LIMIT = 256 << 20
MAX_DIRECTORY = 1 << 20
MAX_RUNS = 1 << 16  # of all tensors


def write(archive: Archive) -> bytes:
    """Return the bytes of `archive`."""
    directory = _write_directory(archive)
    packed = streams.deflate(directory)
    body = archive.base.digest + varint.write(archive.base.size) if archive.base else b""
    body += varint.write(len(directory), len(packed)) + packed
    body += b"".join(stream.content for stream in archive.streams)
    fields = (MAGIC, VERSION, archive.kind, 0, archive.size, archive.digest)
    checksum = zlib.crc32(body, zlib.crc32(HEADER.pack(*fields, 0)[:CHECKED]))
    return HEADER.pack(*fields, checksum) + body


def read(content: bytes, limit: int = DEFAULT_LIMIT) -> Archive:
    """Take an archive apart, unpacking nothing but its directory; `content` is not copied.

    Args:
      content: a whole archive.
      limit: largest legal size of the packed file and of its base, in bytes.

    Raises:
      FormatError: not an archive, a newer one, damaged, or larger than `limit`.
    """
    kind, size, digest = _read_header(content, limit)
    reader = varint.Reader(memoryview(content), "the archive", HEADER.size)
    base = Base(bytes(reader.bytes(DIGEST)), reader.number(limit)) if kind == UPDATE else None
    plain = reader.number(MAX_DIRECTORY)
    packed = reader.bytes(reader.number(plain + streams.MAX_GROWTH))
    directory = varint.Reader(streams.inflate(packed, plain), "the archive's directory")
    listed = [_read_stream(directory, len(content)) for _ in range(directory.number(MAX_STREAMS))]
    is_update = base is not None
    tensors = tuple(_read_tensors(directory, is_update))
    pieces = tuple(_read_pieces(directory, len(listed), is_update))
    directory.end()
    coded = [dataclasses.replace(stream, content=reader.bytes(length)) for stream, length in listed]
    reader.end()
    archive = Archive(kind, size, digest, tuple(coded), tensors, pieces, base)
    rules.check(archive, len(content))
    return archive


def check(content: bytes | bytearray, archive: Archive) -> bytes:
    """Return `content` if it is what was packed, else raise `FormatError`."""
    if len(content) != archive.size or hashlib.sha256(content).digest() != archive.digest:
        raise FormatError("the archive is damaged: what comes out is not what was packed (SHA-256)")
    return bytes(content)


def _read_header(content: bytes, limit: int) -> tuple[int, int, bytes]:
    if content[:4] == SIGNED_MAGIC:
        raise FormatError("a signed archive: check it first (sqzkit sqz verify --key --output)")
    if content[:4] != MAGIC:
        raise FormatError("not a .sqz archive: it does not begin with 89 53 51 5A")
    if len(content) < HEADER.size:
        raise FormatError(f"archive of {len(content)} bytes: cut off within its header")
    _, version, kind, reserved, size, digest, checksum = HEADER.unpack_from(content)
    if version > VERSION:
        raise FormatError(
            f"archive of version {version}, newer than version {VERSION} read here: update sqzkit"
        )
    if version < 1 or reserved or kind > UPDATE:
        raise FormatError(
            f"the archive's header is damaged, or newer: its kind is {kind}, legal are 0..{UPDATE}"
        )
    if size > limit:
        raise FormatError(
            f"archive of a file of {size} bytes, more than the limit of {limit}: raise --limit "
            "if you trust where it came from"
        )
    if zlib.crc32(content[HEADER.size :], zlib.crc32(content[:CHECKED])) != checksum:
        raise FormatError("the archive is damaged or cut off (CRC-32)")
    return kind, size, digest


def _write_directory(archive: Archive) -> bytes:
    written = [varint.write(len(archive.streams))]
    for stream in archive.streams:
        written.append(varint.write(stream.method, stream.stride, stream.size, len(stream.content)))
    written.append(varint.write(len(archive.tensors)))
    for tensor in archive.tensors:
        written.append(varint.write(*tensor.shape, tensor.width, tensor.center, tensor.entries))
        if archive.base:
            written.append(_write_reference(tensor.reference))
    written.append(varint.write(len(archive.pieces)))
    at = 0
    for piece in archive.pieces:
        number = len(archive.streams) if piece.stream == COPY else piece.stream
        written.append(varint.write(piece.gap, piece.length, number))
        if not piece.stream:
            written.append(varint.write(piece.source) + np.float32(piece.factor).tobytes())
        elif archive.base and piece.stream != COPY:
            written.append(varint.write(piece.width))
        at += piece.gap
        if piece.width or piece.stream == COPY:
            step, at = piece.base - at, piece.base
            written.append(varint.write(2 * step if step >= 0 else -2 * step - 1))
        at += piece.length
    return b"".join(written)


def _write_reference(reference: Reference | None) -> bytes:
    if reference is None:
        return varint.write(0)
    numbers = [number for run in reference.runs for number in run]
    return varint.write(reference.offset + 1, reference.inputs, len(reference.runs), *numbers)


def _read_stream(reader: varint.Reader[bytes], most: int) -> tuple[streams.Coded, int]:
    method, stride, size = reader.number(255), reader.number(255), reader.number()
    return streams.Coded(method, stride, size, b""), reader.number(most)


def _read_tensors(reader: varint.Reader[bytes], is_update: bool) -> Iterator[SymbolTensor]:
    left = MAX_RUNS
    for _ in range(reader.number(MAX_SPANS)):
        shape = (reader.number(), reader.number(), reader.number(), reader.number())
        fields = shape, reader.number(8), reader.number(255), reader.number(256)
        reference, offset = None, reader.number() if is_update else 0
        if offset:
            inputs, count = reader.number(), reader.number(left)
            runs = tuple((reader.number(), reader.number()) for _ in range(count))
            reference = Reference(offset - 1, inputs, runs)
            left -= count
        yield SymbolTensor(*fields, reference)


def _read_pieces(reader: varint.Reader[bytes], streams: int, is_update: bool) -> Iterator[Piece]:
    at = 0  # where the base's bytes lie if it is like the file from here on
    last = streams if is_update else max(streams - 1, 0)
    for _ in range(reader.number(MAX_SPANS)):
        gap, length, stream = reader.number(), reader.number(), reader.number(last)
        at += gap
        if stream == streams and is_update:
            at += _read_step(reader)
            yield Piece(gap, length, COPY, base=at)
        elif stream:
            width = reader.number(8) if is_update else 0
            at += _read_step(reader) if width else 0
            yield Piece(gap, length, stream, base=at if width else 0, width=width)
        else:
            source = reader.number(MAX_SPANS)
            yield Piece(gap, length, 0, source, struct.unpack("<f", reader.bytes(4))[0])
        at += length


def _read_step(reader: varint.Reader[bytes]) -> int:
    """Return a number that may be negative: its sign is its lowest bit."""
    number = reader.number()
    return -(number + 1 >> 1) if number & 1 else number >> 1
