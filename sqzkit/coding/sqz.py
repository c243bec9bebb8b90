"""Pack a `.tflite` (or any file) into a `.sqz`, and get the same bytes back.

archive = pack(model)
assert unpack(archive) == model
"""

import dataclasses
import hashlib
from collections.abc import Sequence

import numpy as np

from sqzkit.base.errors import FormatError
from sqzkit.coding import container, net_archive, planning, streams, symbols, weights
from sqzkit.coding.container import Archive, Piece

DEFAULT_LIMIT = container.DEFAULT_LIMIT


@dataclasses.dataclass(frozen=True)
class StreamInfo:
    """What a stream of an archive holds: its coding, and bytes plain and coded."""

    method: str
    size: int
    coded: int


@dataclasses.dataclass(frozen=True)
class ArchiveInfo:
    """What an archive says of itself.

    Attributes:
      size: bytes of the packed file. archive_size: bytes of the archive.
      sha256: of the packed file.
      streams: its parts. tensors: how many are in the weights stream.
      weights: how many weights these have.
    """

    kind: str
    size: int
    archive_size: int
    sha256: str
    streams: tuple[StreamInfo, ...]
    tensors: int
    weights: int


def pack(content: bytes) -> bytes:
    """Return the archive of `content`; it is never more than 80 bytes larger than deflate's.

    Args:
      content: best a `.tflite`; any other bytes are packed as plain bytes.
    """
    plain = _archive(content, [streams.encode(content)])
    net = net_archive.to_archive(content)
    split = net or _split(content)
    return min((container.write(made) for made in (split, plain) if made), key=len)


def unpack(archive: bytes, limit: int = DEFAULT_LIMIT) -> bytes:
    """Return the bytes that were packed, or raise `FormatError`: never other bytes.

    Args:
      archive: a whole archive.
      limit: largest legal size of the result, in bytes. Memory stays below
        four times the result and 64 MiB.
    """
    parts = container.read(archive, limit)
    plain = decode_streams(parts)
    if parts.kind == container.NET:
        return container.check(net_archive.from_archive(parts, plain), parts)
    return container.check(_assemble(parts, plain), parts)


def info(archive: bytes, limit: int = DEFAULT_LIMIT) -> ArchiveInfo:
    """Return what an archive holds, without unpacking it."""
    parts = container.read(archive, limit)
    listed = tuple(
        StreamInfo(
            streams.NAMES[stream.method] if stream.method < len(streams.NAMES) else "unknown",
            stream.size,
            len(stream.content),
        )
        for stream in parts.streams
    )
    kind = "Caffe .net" if parts.kind == container.NET else "file"
    elements = sum(tensor.size for tensor in parts.tensors)
    digest = parts.digest.hex()
    return ArchiveInfo(kind, parts.size, len(archive), digest, listed, len(parts.tensors), elements)


def decode_streams(parts: Archive) -> list[bytes]:
    """Return what each stream decodes to."""
    plain: list[bytes] = []
    for stream in parts.streams:
        if stream.method == streams.WEIGHTS:
            plain.append(_decode_weights(parts, stream, plain[-1] if plain else b""))
        else:
            plain.append(streams.decode(stream))
    return plain


def _split(content: bytes) -> Archive | None:
    """Return the archive with numbers apart from the graph, None where nothing is gained."""
    parts = planning.plan(content)
    if not parts.pieces:
        return None
    coded = [streams.encode(parts.rest, 4)]
    coded += [streams.encode(group.content, group.stride) for group in parts.groups]
    if parts.tensors:
        books = b"".join(tensor.codebook for tensor in parts.tensors)
        coded.append(streams.encode(books, 4))
        packed = weights.encode(parts.symbols)
        if sum(tensor.size for tensor in parts.tensors) > streams.most_expanded(len(packed)):
            return None
        size = sum(tensor.size * tensor.width for tensor in parts.tensors)
        coded.append(streams.Coded(streams.WEIGHTS, 1, size, packed))
    return _archive(content, coded, parts.tensors, parts.pieces)


def _decode_weights(parts: Archive, stream: streams.Coded, books: bytes) -> bytes:
    size = sum(tensor.size * tensor.width for tensor in parts.tensors)
    if size != stream.size:
        raise FormatError(f"weights stream of {stream.size} bytes for tensors of {size}")
    streams.check_expansion(sum(tensor.size for tensor in parts.tensors), len(stream.content))
    decoded = weights.decode(stream.content, [tensor.shape for tensor in parts.tensors])
    written = []
    for tensor, values in zip(parts.tensors, decoded, strict=True):
        length = len(tensor.codebook)
        if length > len(books):
            raise FormatError("the archive's codebooks end early")
        filled = dataclasses.replace(tensor, codebook=books[:length])
        books = books[length:]
        written.append(symbols.from_symbols(filled, values))
    return b"".join(written)


def _assemble(parts: Archive, plain: Sequence[bytes]) -> bytes:
    """Lay the pieces between what is left of stream 0."""
    if not plain:
        raise FormatError("the archive has no stream")
    total = sum(piece.gap + piece.length for piece in parts.pieces)
    if total > parts.size:
        raise FormatError(f"the archive's pieces end at {total} in a file of {parts.size}")
    result = np.zeros(parts.size, np.uint8)
    taken = [0] * len(plain)
    starts, at = [], 0

    def take(number: int, length: int) -> None:
        nonlocal at
        content = plain[number][taken[number] : taken[number] + length]
        if len(content) != length:
            raise FormatError(f"stream {number} of the archive ends early")
        taken[number] += length
        result[at : at + length] = np.frombuffer(content, np.uint8)
        at += length

    for piece in parts.pieces:
        take(0, piece.gap)
        starts.append(at)
        if piece.stream:
            take(piece.stream, piece.length)
        else:
            at += piece.length
    take(0, parts.size - at)
    _multiply(parts.pieces, starts, result)
    return result.tobytes()


def _multiply(pieces: Sequence[Piece], starts: Sequence[int], result: np.ndarray) -> None:
    """Fill the pieces that are a factor times another piece."""
    for piece, start in zip(pieces, starts, strict=True):
        if piece.stream:
            continue
        if piece.source >= len(pieces) or pieces[piece.source].length != piece.length:
            raise FormatError("a product in the archive names no piece of its length")
        source = starts[piece.source]
        floats = result[source : source + piece.length].tobytes()
        if len(floats) % 4 or not pieces[piece.source].stream:
            raise FormatError("a product in the archive names no piece of floats")
        with np.errstate(all="ignore"):
            product = np.frombuffer(floats, "<f4") * np.float32(piece.factor)
        result[start : start + piece.length] = np.frombuffer(product.tobytes(), np.uint8)


def _archive(
    content: bytes,
    coded: Sequence[streams.Coded],
    tensors: Sequence[symbols.SymbolTensor] = (),
    pieces: Sequence[Piece] = (),
) -> Archive:
    digest = hashlib.sha256(content).digest()
    return Archive(
        container.FILE, len(content), digest, tuple(coded), tuple(tensors), tuple(pieces)
    )
