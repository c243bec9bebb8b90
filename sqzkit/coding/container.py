"""The `.sqz` container: header, directory, streams. docs/sqz.md is the specification.

This module takes archives apart and puts them together. `sqzkit.coding.sqz`
codes and decodes the streams; `sqzkit.coding.archive` has the rules.
"""

import dataclasses
import hashlib
import struct
import zlib

import numpy as np

from sqzkit.base.errors import FormatError
from sqzkit.coding import archive as rules
from sqzkit.coding import streams, varint
from sqzkit.coding.archive import FILE, MAX_SPANS, MAX_STREAMS, NET, Archive, Piece
from sqzkit.coding.symbols import SymbolTensor

MAGIC = b"\x89SQZ"
VERSION = 1
HEADER = struct.Struct("<4sBBHQ32sI")
CHECKED = HEADER.size - 4  # the CRC-32 covers all but itself
DEFAULT_LIMIT = 256 << 20
MAX_DIRECTORY = 1 << 20


def write(archive: Archive) -> bytes:
    """Return the bytes of `archive`."""
    directory = _write_directory(archive)
    packed = streams.deflate(directory)
    body = varint.write(len(directory), len(packed)) + packed
    body += b"".join(stream.content for stream in archive.streams)
    fields = (MAGIC, VERSION, archive.kind, 0, archive.size, archive.digest)
    checksum = zlib.crc32(body, zlib.crc32(HEADER.pack(*fields, 0)[:CHECKED]))
    return HEADER.pack(*fields, checksum) + body


def read(content: bytes, limit: int = DEFAULT_LIMIT) -> Archive:
    """Take an archive apart, unpacking nothing but its directory; `content` is not copied.

    Args:
      content: a whole archive.
      limit: largest legal size of the packed file, in bytes.

    Raises:
      FormatError: not an archive, a newer one, damaged, or larger than `limit`.
    """
    kind, size, digest = _read_header(content, limit)
    reader = varint.Reader(memoryview(content), "the archive", HEADER.size)
    plain = reader.number(MAX_DIRECTORY)
    packed = reader.bytes(reader.number(plain + streams.MAX_GROWTH))
    directory = varint.Reader(streams.inflate(packed, plain), "the archive's directory")
    listed = [_read_stream(directory, len(content)) for _ in range(directory.number(MAX_STREAMS))]
    tensors = tuple(_read_tensor(directory) for _ in range(directory.number(MAX_SPANS)))
    pieces = [_read_piece(directory, len(listed)) for _ in range(directory.number(MAX_SPANS))]
    directory.end()
    coded = [dataclasses.replace(stream, content=reader.bytes(length)) for stream, length in listed]
    reader.end()
    archive = Archive(kind, size, digest, tuple(coded), tensors, tuple(pieces))
    rules.check(archive, len(content))
    return archive


def check(content: bytes | bytearray, archive: Archive) -> bytes:
    """Return `content` if it is what was packed, else raise `FormatError`."""
    if len(content) != archive.size or hashlib.sha256(content).digest() != archive.digest:
        raise FormatError("the archive is damaged: what comes out is not what was packed (SHA-256)")
    return bytes(content)


def _read_header(content: bytes, limit: int) -> tuple[int, int, bytes]:
    if content[:4] != MAGIC:
        raise FormatError("not a .sqz archive: it does not begin with 89 53 51 5A")
    if len(content) < HEADER.size:
        raise FormatError(f"archive of {len(content)} bytes: cut off within its header")
    _, version, kind, reserved, size, digest, checksum = HEADER.unpack_from(content)
    if version > VERSION:
        raise FormatError(
            f"archive of version {version}, newer than version {VERSION} read here: update sqzkit"
        )
    if version < 1 or reserved or kind not in (FILE, NET):
        raise FormatError("the archive's header is damaged")
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
    written.append(varint.write(len(archive.pieces)))
    for piece in archive.pieces:
        written.append(varint.write(piece.gap, piece.length, piece.stream))
        if not piece.stream:
            written.append(varint.write(piece.source) + np.float32(piece.factor).tobytes())
    return b"".join(written)


def _read_stream(reader: varint.Reader[bytes], most: int) -> tuple[streams.Coded, int]:
    method, stride, size = reader.number(255), reader.number(255), reader.number()
    return streams.Coded(method, stride, size, b""), reader.number(most)


def _read_tensor(reader: varint.Reader[bytes]) -> SymbolTensor:
    shape = (reader.number(), reader.number(), reader.number(), reader.number())
    return SymbolTensor(shape, reader.number(8), reader.number(255), reader.number(256))


def _read_piece(reader: varint.Reader[bytes], count: int) -> Piece:
    gap, length, stream = reader.number(), reader.number(), reader.number(max(count - 1, 0))
    if stream:
        return Piece(gap, length, stream)
    source = reader.number(MAX_SPANS)
    return Piece(gap, length, 0, source, struct.unpack("<f", reader.bytes(4))[0])
