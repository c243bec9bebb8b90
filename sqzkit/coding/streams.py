"""Ways to code a run of plain bytes; an archive's stream takes the smallest.

stored    the bytes themselves
deflate   RFC 1951, no header
mixed     context mixing with a stride (`kernels.mixed_bytes`); for small streams
planes    all first bytes of the elements, then all second ones ..., deflated
"""

import dataclasses
import zlib
from collections.abc import Iterator

import numpy as np

from sqzkit.base.errors import FormatError

STORED, DEFLATE, MIXED, PLANES, WEIGHTS = range(5)
NAMES = ("stored", "deflate", "mixed bytes", "byte planes, deflate", "weights")

MOST_MIXED = 192 << 10  # bytes: about 1.5 microseconds each, so a third of a second
MOST_EXPANSION = 1024  # times the coded bytes (and 64 more): no bombs
STRIDES = (1, 2, 4, 8)


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
    content: bytes


def encode(content: bytes, stride: int = 1, mixed: bool = True) -> Coded:
    """Return the smallest coding of `content`.

    Args:
      content: any bytes.
      stride: bytes of an element.
      mixed: whether context mixing may be tried.
    """
    return min(_candidates(content, stride, mixed), key=lambda coded: len(coded.content))


def decode(coded: Coded) -> bytes:
    """Return the bytes; `coded.size` of them or a `FormatError`.

    The caller has bounded `coded.size`.
    """
    if coded.method not in (STORED, DEFLATE, MIXED, PLANES):
        raise FormatError(
            f"stream of the unknown method {coded.method}; a newer sqzkit may read it"
        )
    if coded.stride not in STRIDES:
        raise FormatError(f"stream with elements of {coded.stride} bytes, not one of {STRIDES}")
    if coded.method == MIXED:
        return _mixed(coded)
    content = coded.content if coded.method == STORED else inflate(coded.content, coded.size)
    if len(content) != coded.size:
        raise FormatError(f"stream of {len(content)} bytes where {coded.size} were announced")
    return join_planes(content, coded.stride) if coded.method == PLANES else content


def most_expanded(coded: int) -> int:
    """Return the most bytes or weights that `coded` bytes of a mixed coder may stand for."""
    return MOST_EXPANSION * (coded + 64)


def check_expansion(size: int, coded: int) -> None:
    """Raise if `coded` bytes announce more than any encoder of ours would make of them."""
    if size > most_expanded(coded):
        raise FormatError(
            f"{coded} bytes announce {size}: more than {MOST_EXPANSION} times as many"
        )


def deflate(content: bytes) -> bytes:
    """Return `content` as a raw deflate stream."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    return packer.compress(content) + packer.flush()


def inflate(content: bytes, size: int) -> bytes:
    """Return at most `size` bytes of a raw deflate stream that must end there."""
    unpacker = zlib.decompressobj(-15)
    try:
        expanded = unpacker.decompress(content, max(size, 1))
        if len(expanded) <= size and not unpacker.eof:
            expanded += unpacker.decompress(unpacker.unconsumed_tail, 1)
    except zlib.error as error:
        raise FormatError(f"deflated stream is damaged: {error}") from None
    if not unpacker.eof or unpacker.unused_data:
        raise FormatError("deflated stream is damaged: it does not end where it should")
    return expanded


def split_planes(content: bytes, stride: int) -> bytes:
    """Return all first bytes of the elements, all second bytes, ...; what is left over last."""
    whole = len(content) // stride * stride
    planes = np.frombuffer(content[:whole], np.uint8).reshape(-1, stride).T
    return planes.tobytes() + content[whole:]


def join_planes(content: bytes, stride: int) -> bytes:
    """Undo `split_planes`."""
    whole = len(content) // stride * stride
    planes = np.frombuffer(content[:whole], np.uint8).reshape(stride, -1).T
    return planes.tobytes() + content[whole:]


def _candidates(content: bytes, stride: int, mixed: bool) -> Iterator[Coded]:
    yield Coded(STORED, 1, len(content), content)
    yield Coded(DEFLATE, 1, len(content), deflate(content))
    if stride > 1:
        yield Coded(PLANES, stride, len(content), deflate(split_planes(content, stride)))
    if mixed and 0 < len(content) <= MOST_MIXED:
        coded = mix(content, stride)
        if len(content) <= most_expanded(len(coded)):
            yield Coded(MIXED, stride, len(content), coded)


def mix(content: bytes, stride: int) -> bytes:
    """Return `content` coded by context mixing with records of `stride` bytes."""
    from sqzkit.coding.kernels import binary, mixed_bytes  # brings numba

    model = mixed_bytes.Model(len(content))
    buffer = np.zeros(2 * len(content) + 64, np.uint8)
    registers = binary.encoder_state()
    values = np.frombuffer(content, np.uint8).copy()
    state = model.bits, model.slots, model.weights
    mixed_bytes.code_bytes((registers, buffer), values, stride, *state)
    return binary.finish(registers, buffer)


def _mixed(coded: Coded) -> bytes:
    from sqzkit.coding.kernels import binary, mixed_bytes  # brings numba

    check_expansion(coded.size, len(coded.content))
    if coded.size > MOST_MIXED:
        raise FormatError(f"mixed stream of {coded.size} bytes: at most {MOST_MIXED} are legal")
    model = mixed_bytes.Model(coded.size)
    buffer = np.frombuffer(coded.content, np.uint8).copy()
    values = np.zeros(coded.size, np.uint8)
    registers = binary.decoder_state(buffer)
    state = model.bits, model.slots, model.weights
    mixed_bytes.code_bytes((registers, buffer), values, coded.stride, *state)
    return values.tobytes()
