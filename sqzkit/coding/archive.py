"""What a `.sqz` archive lists, and the rules that its lists obey (docs/sqz.md, "Limits").

The rules bound the time and the memory of a decoder before it decodes
anything, and let no byte of an archive go unused.
"""

import dataclasses
import hashlib
import math
from collections.abc import Sequence

from sqzkit.base.errors import FormatError
from sqzkit.coding import streams
from sqzkit.coding.streams import MIXED, WEIGHTS, Coded
from sqzkit.coding.symbols import WIDTHS, SymbolTensor

FILE, NET, UPDATE = range(3)  # what an archive holds
COPY = -1  # the stream of a piece whose bytes are all in the base
MAX_STREAMS, MAX_SPANS = 64, 1 << 16
# Each tensor and each piece takes some time of its own, so lists of tiny ones end early.
FREE_SPANS, TENSOR_WEIGHTS, PIECE_BYTES = 4096, 256, 64
MIXED_SHARE = 16
MAX_NET_WEIGHTS = 1 << 22
NET_STREAMS, NET_ENTRIES = 4, 256


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """A run of the file that does not come from stream 0.

    Attributes:
      gap: bytes of stream 0 before it.
      length: in bytes.
      stream: the stream its bytes are the next of; 0 for a product, `COPY` for a copy.
      source, factor: of a product: the piece whose float32s are multiplied,
        and the float32 they are multiplied by.
      base: of an update: where in the base the bytes lie that are copied or added to.
      width: bytes of the integers that are added to the base's; 0: none are.
    """

    gap: int
    length: int
    stream: int
    source: int = 0
    factor: float = 0.0
    base: int = 0
    width: int = 0


@dataclasses.dataclass(frozen=True)
class Base:
    """The file that an update starts from: its SHA-256, and its bytes."""

    digest: bytes
    size: int

    @classmethod
    def of(cls, content: bytes) -> "Base":
        """Return what an update says of `content`."""
        return cls(hashlib.sha256(content).digest(), len(content))


@dataclasses.dataclass(frozen=True)
class Archive:
    """An archive taken apart.

    Attributes:
      kind: FILE, NET or UPDATE.
      size: bytes of the packed file. digest: its SHA-256.
      streams: stream 0 is what is left of the file beside the pieces.
      tensors: those of the weights stream, in order.
      pieces: in the order of the file.
      base: of an update.
    """

    kind: int
    size: int
    digest: bytes
    streams: tuple[Coded, ...]
    tensors: tuple[SymbolTensor, ...] = ()
    pieces: tuple[Piece, ...] = ()
    base: Base | None = None

    @classmethod
    def of(
        cls,
        kind: int,
        content: bytes,
        streams: Sequence[Coded],
        tensors: Sequence[SymbolTensor] = (),
        pieces: Sequence[Piece] = (),
        base: Base | None = None,
    ) -> "Archive":
        """Return the archive of `content`, taken apart into the rest."""
        digest = hashlib.sha256(content).digest()
        lists = tuple(streams), tuple(tensors), tuple(pieces)
        return cls(kind, len(content), digest, *lists, base)


def check(archive: Archive, length: int) -> None:
    """Raise `FormatError` if no archive of `length` bytes may list what `archive` does."""
    declared = sum(stream.size for stream in archive.streams)
    most = streams.max_declared(length) + (archive.base.size if archive.base else 0)
    if max(archive.size, declared) > most:
        raise FormatError(
            f"{length} bytes announce {max(archive.size, declared)}: at most {most} are legal"
        )
    for stream in archive.streams:
        streams.check(stream)
    mixed = sum(stream.size for stream in archive.streams if stream.method == MIXED)
    if mixed > streams.MAX_MIXED + declared // MIXED_SHARE:
        raise FormatError(f"mixed streams of {mixed} bytes, too many among {declared}")
    _check_tensors(archive)
    if archive.kind == NET:
        _check_net(archive)
    else:
        _check_pieces(archive)
    if archive.base:
        _check_references(archive.tensors, archive.base.size)


def _check_tensors(archive: Archive) -> None:
    coded = [number for number, s in enumerate(archive.streams) if s.method == WEIGHTS]
    if len(coded) != min(len(archive.tensors), 1):
        raise FormatError(f"{len(coded)} weights streams for {len(archive.tensors)} tensors")
    for tensor in archive.tensors:
        if not all(tensor.shape) or tensor.width not in WIDTHS:
            raise FormatError(f"a tensor of {tensor.shape} elements of {tensor.width} bytes")
        if (tensor.width == 1) != (tensor.entries == 0):
            raise FormatError(f"{tensor.entries} codebook entries of {tensor.width} bytes")
    weights = sum(tensor.size for tensor in archive.tensors)
    size = sum(tensor.size * tensor.width for tensor in archive.tensors)
    if coded and archive.streams[coded[0]].size != size:
        raise FormatError(
            f"weights stream of {archive.streams[coded[0]].size} bytes for tensors of {size}"
        )
    length = len(archive.streams[coded[0]].content) if coded else 0
    if length > streams.max_coded(weights, len(archive.tensors)):
        raise FormatError(f"weights stream of {length} bytes for {weights} weights")
    if len(archive.tensors) > FREE_SPANS + weights // TENSOR_WEIGHTS:
        raise FormatError(f"{len(archive.tensors)} tensors with only {weights} weights")


def _check_pieces(archive: Archive) -> None:
    """Check that the pieces and what lies between them take each byte of each stream once."""
    pieces, size = archive.pieces, archive.size
    if not archive.streams:
        raise FormatError("the archive has no stream")
    if len(pieces) > FREE_SPANS + size // PIECE_BYTES:
        raise FormatError(f"{len(pieces)} pieces in a file of {size} bytes")
    taken = [0] * len(archive.streams)
    end = 0
    for piece in pieces:
        end += piece.gap + piece.length
        taken[0] += piece.gap
        if not piece.stream:
            _check_product(piece, pieces)
        elif piece.stream != COPY:
            taken[piece.stream] += piece.length
        if archive.base and (piece.width or piece.stream == COPY):
            _check_run(piece, archive.base.size)
    if end > size:
        raise FormatError(f"the archive's pieces end at {end} in a file of {size}")
    taken[0] += size - end
    if archive.tensors:
        taken[_codebooks(archive)] = books = sum(t.entries * t.width for t in archive.tensors)
        if books > size:
            raise FormatError(f"the archive's codebooks ({books} bytes) are larger than its file")
    for number, (stream, used) in enumerate(zip(archive.streams, taken, strict=True)):
        if used != stream.size:
            raise FormatError(f"stream {number} of the archive has {stream.size} bytes, not {used}")


def _codebooks(archive: Archive) -> int:
    """Return the number of the codebooks' stream, which lies before the weights' stream."""
    number = next(n for n, s in enumerate(archive.streams) if s.method == WEIGHTS) - 1
    if number < 1 or any(piece.stream == number for piece in archive.pieces):
        raise FormatError("the archive's codebooks have no stream of their own")
    return number


def _check_product(piece: Piece, pieces: tuple[Piece, ...]) -> None:
    if piece.source >= len(pieces) or piece.length % 4:
        raise FormatError("a product in the archive names no piece of floats")
    source = pieces[piece.source]
    if not source.stream or source.length != piece.length:
        raise FormatError("a product in the archive names no piece of its length")
    if not math.isfinite(piece.factor):
        raise FormatError(f"a product in the archive has the factor {piece.factor}")


def _check_run(piece: Piece, size: int) -> None:
    """Check a piece that is a run of the base, or is added to one."""
    if piece.width not in (0, *WIDTHS) or piece.length % (piece.width or 1):
        raise FormatError(f"{piece.length} bytes in the archive are added to the base's integers")
    if not 0 <= piece.base <= size - piece.length:
        raise FormatError(f"the archive takes bytes up to {piece.base + piece.length} of the base")


def _check_references(tensors: Sequence[SymbolTensor], size: int) -> None:
    """Check that the runs name a value for each weight, within the base where they name one."""
    runs = sum(len(tensor.reference.runs) for tensor in tensors if tensor.reference)
    if runs > FREE_SPANS + sum(tensor.size for tensor in tensors) // TENSOR_WEIGHTS:
        raise FormatError(f"{runs} runs of inputs in the archive are more than its weights allow")
    for tensor in tensors:
        if not tensor.reference:
            continue
        inputs = tensor.shape[3]
        rows = tensor.size // inputs * tensor.reference.inputs * tensor.width
        if not tensor.reference.inputs or tensor.reference.offset + rows > size:
            raise FormatError("a tensor in the archive has its reference outside the base")
        counts = [count for _, count in tensor.reference.runs]
        if sum(counts) != inputs or not all(counts):
            raise FormatError(f"a tensor in the archive has a reference not of {inputs} inputs")


def _check_net(archive: Archive) -> None:
    tensors = archive.tensors
    outputs = sum(tensor.shape[0] for tensor in tensors)
    weights = sum(tensor.size for tensor in tensors)
    sizes = [4 * NET_ENTRIES * len(tensors), NET_ENTRIES * len(tensors), 4 * outputs, weights]
    if archive.pieces or any(tensor.width != 1 for tensor in tensors):
        raise FormatError("a .net archive with pieces or codebooks of its own")
    if not tensors or archive.streams[-1].method != WEIGHTS or weights > MAX_NET_WEIGHTS:
        raise FormatError(f"a .net archive with {weights} weights")
    if [stream.size for stream in archive.streams] != sizes:
        raise FormatError("the archive's streams do not make a .net file")
