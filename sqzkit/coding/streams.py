"""Ways to code a run of plain bytes; an archive's stream takes the smallest.

stored    the bytes themselves
deflate   RFC 1951, no header
mixed     context mixing with a stride (`kernels.mixed_bytes`); for small streams
planes    all first bytes of the elements, then all second ones ..., deflated
weights   int8 tensors (`sqzkit.coding.weights`); coded elsewhere
"""

import dataclasses
import zlib
from collections.abc import Iterator

import numpy as np

from sqzkit.base.errors import FormatError

STORED, DEFLATE, MIXED, PLANES, WEIGHTS = range(5)
NAMES = ("stored", "deflate", "mixed bytes", "byte planes, deflate", "weights")
STRIDES = ((1,), (1,), (1, 2, 4, 8), (2, 4, 8), (1,))  # legal ones, by method

MAX_MIXED = 192 << 10  # bytes, which take about a microsecond each
MAX_EXPANSION, SPARE = 1024, 64
MAX_GROWTH = 64  # bytes by which a deflated stream may exceed what it holds
FLUSH_BYTES = 64 << 10

Buffer = bytes | memoryview


@dataclasses.dataclass(frozen=True)
class Coded:
    """A coded stream.

    Attributes:
      method: one of the numbers above.
      stride: bytes of an element (mixed and planes; 1 elsewhere).
      size: bytes it decodes to.
      content: the coded bytes.
    """

    method: int
    stride: int
    size: int
    content: Buffer


def encode(content: bytes, stride: int = 1) -> Coded:
    """Return the smallest coding of `content`.

    Args:
      content: any bytes.
      stride: bytes of an element.
    """
    return min(_candidates(content, stride), key=lambda coded: len(coded.content))


def check(coded: Coded) -> None:
    """Raise `FormatError` if no stream has such a method, stride or sizes. Reads no content."""
    if coded.method >= len(STRIDES):
        raise FormatError(
            f"stream of the unknown method {coded.method}; a newer sqzkit may read it"
        )
    if coded.stride not in STRIDES[coded.method]:
        raise FormatError(
            f"stream ({NAMES[coded.method]}) with elements of {coded.stride} bytes: "
            f"legal are {STRIDES[coded.method]}"
        )
    length = len(coded.content)
    if coded.method == STORED and length != coded.size:
        raise FormatError(f"stored stream of {length} bytes where {coded.size} were announced")
    if coded.method == MIXED and length > max_coded(coded.size):
        raise FormatError(f"mixed stream of {length} bytes where {coded.size} were announced")
    if coded.method == MIXED and coded.size > MAX_MIXED:
        raise FormatError(f"mixed stream of {coded.size} bytes: at most {MAX_MIXED} are legal")
    if coded.method in (DEFLATE, PLANES) and length > coded.size + MAX_GROWTH:
        raise FormatError(f"deflated stream of {length} bytes where {coded.size} were announced")


def decode(coded: Coded) -> Buffer:
    """Return the bytes, `coded.size` of them, of any stream but weights.

    Memory takes at most twice the size beside the coded bytes.

    Raises:
      FormatError: `check` refuses the stream, or its content is damaged.
    """
    check(coded)
    if coded.method == MIXED:
        return _unmix(coded)
    if coded.method == STORED:
        return coded.content
    content = inflate(coded.content, coded.size)
    return join_planes(content, coded.stride) if coded.method == PLANES else content


def max_declared(length: int) -> int:
    """Return the most bytes that an archive of `length` bytes may stand for: no bombs."""
    return MAX_EXPANSION * (length + SPARE)


def max_coded(size: int, tensors: int = 0) -> int:
    """Return the most bytes that the binary coder may take for bytes, or weights of tensors."""
    return 2 * size + 400 * tensors + 64


def deflate(content: bytes) -> bytes:
    """Return `content` as a raw deflate stream."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    return packer.compress(content) + packer.flush()


def deflate_loosely(content: bytes) -> Coded:
    """Return `content` deflated to at least a thousandth: no archive may expand much further."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    parts = []
    for start in range(0, len(content), FLUSH_BYTES):
        parts.append(packer.compress(content[start : start + FLUSH_BYTES]))
        parts.append(packer.flush(zlib.Z_SYNC_FLUSH))
    return Coded(DEFLATE, 1, len(content), b"".join(parts) + packer.flush())


def inflate(content: Buffer, size: int) -> bytes:
    """Return the `size` bytes of a raw deflate stream that must end there."""
    unpacker = zlib.decompressobj(-15)
    try:
        expanded = unpacker.decompress(content, size + 1)
    except zlib.error as error:
        raise FormatError(f"deflated stream is damaged: {error}") from None
    if not unpacker.eof or unpacker.unused_data or len(expanded) != size:
        raise FormatError("deflated stream is damaged: it does not end where announced")
    return expanded


def split_planes(content: bytes, stride: int) -> bytes:
    """Return all first bytes of the elements, all second bytes, ...; what is left over last."""
    whole = len(content) // stride * stride
    planes = np.frombuffer(content, np.uint8, whole).reshape(-1, stride).T
    return planes.tobytes() + content[whole:]


def join_planes(content: bytes, stride: int) -> memoryview:
    """Undo `split_planes`."""
    rows = len(content) // stride
    planes = np.frombuffer(content, np.uint8)
    joined = planes.copy()
    joined[: rows * stride].reshape(rows, stride)[:] = (
        planes[: rows * stride].reshape(stride, rows).T
    )
    return joined.data


def _candidates(content: bytes, stride: int) -> Iterator[Coded]:
    yield Coded(STORED, 1, len(content), content)
    yield Coded(DEFLATE, 1, len(content), deflate(content))
    if stride > 1:
        yield Coded(PLANES, stride, len(content), deflate(split_planes(content, stride)))
    if 0 < len(content) <= MAX_MIXED:
        coded = mix(content, stride)
        if len(content) <= max_declared(len(coded)):
            yield Coded(MIXED, stride, len(content), coded)


def mix(content: bytes, stride: int) -> bytes:
    """Return `content` coded by context mixing with records of `stride` bytes."""
    from sqzkit.coding.kernels import binary, mixed_bytes  # brings numba

    registers, buffer = binary.encoder_state(), np.zeros(max_coded(len(content)), np.uint8)
    values = np.frombuffer(content, np.uint8).copy()
    mixed_bytes.code_bytes((registers, buffer), values, stride, *mixed_bytes.state(len(values)))
    return binary.finish(registers, buffer)


def _unmix(coded: Coded) -> memoryview:
    from sqzkit.coding.kernels import binary, mixed_bytes  # brings numba

    coder, values = binary.decoder(coded.content), np.zeros(coded.size, np.uint8)
    mixed_bytes.code_bytes(coder, values, coded.stride, *mixed_bytes.state(coded.size))
    binary.check_end(coder)
    return values.data
