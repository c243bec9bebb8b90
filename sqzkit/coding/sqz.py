"""Pack a `.tflite` (or any file) into a `.sqz`, and get the same bytes back.

archive = pack(model)
assert unpack(archive) == model
"""

import dataclasses
import sys
from collections.abc import Sequence

import numpy as np

from sqzkit.base.errors import FormatError
from sqzkit.coding import container, net_archive, planning, streams, symbols, updating, weights
from sqzkit.coding.archive import COPY, FILE, NET, UPDATE, Archive, Base, Piece

DEFAULT_LIMIT = container.DEFAULT_LIMIT
KINDS = {FILE: "file", NET: "Caffe .net", UPDATE: "update"}
_PLAIN = [streams.NAMES[method] for method in (streams.STORED, streams.DEFLATE, streams.PLANES)]


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
      base_sha256, base_size: of the file that an update starts from; None and 0 if it is none.
      copied: bytes of the file that an update takes from there as they are.
    """

    kind: str
    size: int
    archive_size: int
    sha256: str
    streams: tuple[StreamInfo, ...]
    tensors: int
    weights: int
    base_sha256: str | None = None
    base_size: int = 0
    copied: int = 0

    @property
    def lists(self) -> int:
        """Bytes of the header and of the lists of parts."""
        return self.archive_size - sum(one.coded for one in self.streams)

    @property
    def is_plain(self) -> bool:
        """Whether more than 2 % of the archive is neither weights nor small enough to be mixed.

        Only then may the file be more than 2 % above `xz -9e`, which packs all else less well.
        """
        plain = sum(one.coded for one in self.streams if one.method in _PLAIN)
        return not self.base_sha256 and (not self.tensors or 50 * plain > self.archive_size)


def pack(content: bytes, base: bytes | None = None) -> bytes:
    """Return the archive of `content`; it is never more than 80 bytes larger than deflate's.

    Args:
      content: a `.tflite`. Any other bytes are packed too, as plain bytes.
      base: a file, or an archive of one, to make an update of. Where the base is of no use, it
        is some 40 bytes larger than the archive without one.
    """
    start = None if base is None else base_content(base)
    net = net_archive.to_archive(content) if start is None else None
    packed = [net or _split(content), Archive.of(FILE, content, [streams.encode(content)])]
    if start is not None:
        packed = [made and _updating(made, start) for made in packed]
        packed += updating.archives(content, start)
    legal = [made for made in map(container.write, filter(None, packed)) if _is_legal(made)]
    if not legal:  # tiny pieces by the thousand, or zeros by the million
        loose = Archive.of(FILE, content, [streams.deflate_loosely(content)])
        legal = [container.write(loose if start is None else _updating(loose, start))]
    return min(legal, key=len)


def base_content(given: bytes, limit: int = DEFAULT_LIMIT) -> bytes:
    """Return the file that is given to start from: `given`, or what it holds as an archive."""
    # A signed archive is refused: nobody means the bytes around the archive.
    return unpack(given, limit) if given[:4] in container.MAGICS else given


def _updating(archive: Archive, base: bytes) -> Archive:
    return dataclasses.replace(archive, kind=UPDATE, base=Base.of(base))


def unpack(archive: bytes, limit: int = DEFAULT_LIMIT, base: bytes | None = None) -> bytes:
    """Return the bytes that were packed, or raise `FormatError`: never other bytes.

    Args:
      archive: a whole archive.
      limit: largest legal size of the result, in bytes. Memory stays below
        four times the result (five times for an update, beside the base) and 64 MiB.
      base: of an update, the file that it starts from, or an archive of that file.
    """
    parts = container.read(archive, limit)
    start = _find_base(parts, base, limit)
    plain = _decode_streams(parts, start)
    if parts.kind == NET:
        return container.check(net_archive.from_archive(parts, plain), parts)
    return container.check(_assemble(parts, plain, start), parts)


def _find_base(parts: Archive, given: bytes | None, limit: int) -> bytes:
    """Return the bytes of the base of an update, if `given` is that file or its archive."""
    if parts.base is None:
        return b""
    need = f"the archive is an update of the file of {parts.base.size} bytes with the SHA-256 "
    need += parts.base.digest.hex()
    if given is None:
        raise FormatError(
            f"{need}; unpack it with that file first: sqzkit sqz unpack UPDATE --base=FILE"
        )
    found = Base.of(given)
    if found != parts.base and given[:4] in container.MAGICS:
        packed = container.read(given, limit)
        found = Base(packed.digest, packed.size)
        if found == parts.base:
            return unpack(given, limit)
    if found == parts.base:
        return given
    if found == Base(parts.digest, parts.size):
        raise FormatError(f"{need}; the given base is the file that the update gives")
    told = f"{found.size} bytes and the SHA-256 {found.digest.hex()}"
    raise FormatError(f"{need}; the given base has {told}")


def info(archive: bytes, limit: int = DEFAULT_LIMIT) -> ArchiveInfo:
    """Return what an archive holds, without unpacking it."""
    parts = container.read(archive, limit)
    listed = tuple(
        StreamInfo(streams.NAMES[stream.method], stream.size, len(stream.content))
        for stream in parts.streams
    )
    found = ArchiveInfo(
        KINDS[parts.kind],
        parts.size,
        len(archive),
        parts.digest.hex(),
        listed,
        len(parts.tensors),
        sum(tensor.size for tensor in parts.tensors),
    )
    if not parts.base:
        return found
    copied = sum(piece.length for piece in parts.pieces if piece.stream == COPY)
    base = parts.base.digest.hex(), parts.base.size
    return dataclasses.replace(found, base_sha256=base[0], base_size=base[1], copied=copied)


def _is_legal(archive: bytes) -> bool:
    try:
        container.read(archive, sys.maxsize)
    except FormatError:
        return False
    return True


def _split(content: bytes) -> Archive | None:
    """Return the archive with numbers apart from the graph, None where nothing is gained."""
    parts = planning.plan(content)
    if not parts.pieces:
        return None
    coded = [streams.encode(parts.rest, 4)]
    coded += [streams.encode(group.content, group.stride) for group in parts.groups]
    tensors = [made.tensor for made in parts.tensors]
    if tensors:
        coded.append(streams.encode(b"".join(made.codebook for made in parts.tensors), 4))
        packed = weights.encode([made.symbols for made in parts.tensors])
        if sum(tensor.size for tensor in tensors) > streams.max_declared(len(packed)):
            return None
        size = sum(tensor.size * tensor.width for tensor in tensors)
        coded.append(streams.Coded(streams.WEIGHTS, 1, size, packed))
    return Archive.of(FILE, content, coded, tensors, parts.pieces)


def _decode_streams(parts: Archive, base: bytes) -> list[streams.Buffer]:
    """Return what each stream decodes to."""
    plain: list[streams.Buffer] = []
    for stream in parts.streams:
        if stream.method == streams.WEIGHTS:
            shapes = [tensor.shape for tensor in parts.tensors]
            references = (symbols.reference_symbols(tensor, base) for tensor in parts.tensors)
            values = weights.decode(stream.content, shapes, references)
            plain.append(symbols.from_symbols(parts.tensors, values, plain[-1]))
        else:
            plain.append(streams.decode(stream))
    return plain


def _assemble(parts: Archive, plain: Sequence[streams.Buffer], base: bytes) -> bytearray:
    """Lay the pieces between what is left of stream 0; `archive.check` saw to the lengths."""
    result = bytearray(parts.size)
    target, sources = memoryview(result), [memoryview(content) for content in plain]
    taken, starts, at = [0] * len(plain), [], 0

    def take(number: int, length: int) -> None:
        nonlocal at
        start = taken[number]
        target[at : at + length] = sources[number][start : start + length]
        taken[number] += length
        at += length

    for piece in parts.pieces:
        take(0, piece.gap)
        starts.append(at)
        if piece.stream == COPY:
            target[at : at + piece.length] = memoryview(base)[piece.base :][: piece.length]
            at += piece.length
        elif piece.stream:
            take(piece.stream, piece.length)
            _add(target[at - piece.length : at], piece, base)
        else:
            at += piece.length
    take(0, parts.size - at)
    _multiply(parts.pieces, starts, result)
    return result


def _add(target: memoryview, piece: Piece, base: bytes) -> None:
    """Add the base's integers to those of a piece that has a width."""
    if piece.width:
        kind = f"<u{piece.width}"
        sums = np.frombuffer(target, kind)
        sums += np.frombuffer(base, kind, len(sums), piece.base)


def _multiply(pieces: Sequence[Piece], starts: Sequence[int], result: bytearray) -> None:
    """Fill the pieces that are a factor times another piece."""
    for piece, start in zip(pieces, starts, strict=True):
        if piece.stream:
            continue
        floats = np.frombuffer(result, "<f4", piece.length // 4, starts[piece.source])
        with np.errstate(all="ignore"):
            product = floats * np.float32(piece.factor)
        if not np.isfinite(product).all():
            raise FormatError("a product in the archive is not finite")
        result[start : start + piece.length] = product.astype("<f4", copy=False).tobytes()
