"""The `.sqz` container: header, directory, streams. docs/sqz.md is the specification.

This module only takes archives apart and puts them together; what is in the
streams is the business of `sqzkit.coding.sqz`.
"""

import dataclasses
import hashlib
import struct
import zlib

import numpy as np

from sqzkit.base.errors import FormatError
from sqzkit.coding import streams, varint
from sqzkit.coding.symbols import WIDTHS, SymbolTensor

MAGIC = b"\x89SQZ"
VERSION = 1
FILE, NET = 0, 1  # what an archive holds
HEADER = struct.Struct("<4sBBHQ32sI")
CHECKED = HEADER.size - 4  # the CRC-32 covers all but itself
DEFAULT_LIMIT = 256 << 20
# What the streams may hold together, times the packed file: a FILE's bytes and
# its codebooks; of a NET, whose pruned weights take no byte, a rank per weight.
MOST_TIMES = {FILE: 2, NET: 16}
MOST_STREAMS, MOST_SPANS = 64, 1 << 16
MOST_DIRECTORY = 32 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """A run of the file that does not come from stream 0.

    Attributes:
      gap: bytes of stream 0 before it.
      length: in bytes.
      stream: the stream its bytes are the next of; 0 for a product.
      source, factor: of a product: the piece whose float32s are multiplied,
        and the float32 they are multiplied by.
    """

    gap: int
    length: int
    stream: int
    source: int = 0
    factor: float = 0.0


@dataclasses.dataclass(frozen=True)
class Archive:
    """An archive taken apart.

    Attributes:
      kind: FILE or NET.
      size: bytes of the packed file. digest: its SHA-256.
      streams: stream 0 is what is left of the file beside the pieces.
      tensors: those of the weights stream, in order.
      pieces: in the order of the file.
    """

    kind: int
    size: int
    digest: bytes
    streams: tuple[streams.Coded, ...]
    tensors: tuple[SymbolTensor, ...] = ()
    pieces: tuple[Piece, ...] = ()


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
    """Take an archive apart, unpacking nothing but its directory.

    Args:
      content: a whole archive.
      limit: largest legal size of the packed file, in bytes.

    Raises:
      FormatError: it is no archive, a newer one, damaged, or larger than `limit`.
    """
    kind, size, digest = _read_header(content, limit)
    reader = varint.Reader(content[HEADER.size :], "the archive")
    plain = reader.number(MOST_DIRECTORY)
    packed = reader.bytes(reader.number(len(content)))
    directory = varint.Reader(streams.inflate(packed, plain), "the archive's directory")
    coded, tensors, pieces = _read_directory(directory, size * MOST_TIMES[kind])
    filled = []
    for stream, length in coded:
        filled.append(dataclasses.replace(stream, content=reader.bytes(length)))
    reader.end()
    return Archive(kind, size, digest, tuple(filled), tensors, pieces)


def check(content: bytes, archive: Archive) -> bytes:
    """Return `content` if it is what was packed, else raise `FormatError`."""
    if len(content) != archive.size or hashlib.sha256(content).digest() != archive.digest:
        raise FormatError("the archive is damaged: what comes out is not what was packed (SHA-256)")
    return content


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
        entries = len(tensor.codebook) // tensor.width
        written.append(varint.write(*tensor.shape, tensor.width, tensor.center, entries))
    written.append(varint.write(len(archive.pieces)))
    for piece in archive.pieces:
        written.append(varint.write(piece.gap, piece.length, piece.stream))
        if not piece.stream:
            written.append(varint.write(piece.source) + np.float32(piece.factor).tobytes())
    return b"".join(written)


def _read_directory(
    reader: varint.Reader, most: int
) -> tuple[list[tuple[streams.Coded, int]], tuple[SymbolTensor, ...], tuple[Piece, ...]]:
    coded, total = [], 0
    for _ in range(reader.number(MOST_STREAMS)):
        method, stride = reader.number(255), reader.number(255)
        size, length = reader.number(most), reader.number()
        coded.append((streams.Coded(method, stride, size, b""), length))
        total += size
    tensors, elements, books = [], 0, 0
    _check_announced(total, most)
    for _ in range(reader.number(MOST_SPANS)):
        tensors.append(_read_tensor(reader, most))
        elements += tensors[-1].size
        books += len(tensors[-1].codebook)
        _check_announced(max(elements, books), most)
    pieces = [_read_piece(reader, most, len(coded)) for _ in range(reader.number(MOST_SPANS))]
    reader.end()
    return coded, tuple(tensors), tuple(pieces)


def _check_announced(total: int, most: int) -> None:
    if total > most:
        raise FormatError(f"the archive announces {total} bytes: {most} are possible")


def _read_tensor(reader: varint.Reader, size: int) -> SymbolTensor:
    sides = tuple(reader.number(size) for _ in range(4))
    width, center, entries = reader.number(8), reader.number(255), reader.number(256)
    if width not in WIDTHS:
        raise FormatError(f"the archive's directory: elements of {width} bytes")
    if not all(sides) or (width == 1) != (entries == 0):
        raise FormatError("the archive's directory: a tensor without elements or codebook")
    tensor = SymbolTensor(
        (sides[0], sides[1], sides[2], sides[3]), width, center, bytes(entries * width)
    )
    if tensor.size * width > size:
        raise FormatError(f"the archive's directory: a tensor of {tensor.size} in a file of {size}")
    return tensor


def _read_piece(reader: varint.Reader, size: int, count: int) -> Piece:
    gap, length, stream = reader.number(size), reader.number(size), reader.number(count - 1)
    if stream:
        return Piece(gap, length, stream)
    source = reader.number(MOST_SPANS)
    return Piece(gap, length, 0, source, float(np.frombuffer(reader.bytes(4), "<f4")[0]))
