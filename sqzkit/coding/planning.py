"""Which part of a file goes to which coder.

The constant tensors of a TensorFlow Lite file and their scales are taken out of
the graph. Whatever does not fit the file is not a tensor. The archive carries
what is found here, so a decoder needs none of it.
"""

import dataclasses
import itertools
import math
from collections.abc import Container, Iterator, Sequence

import numpy as np

from sqzkit.base.errors import FormatError
from sqzkit.base.flatbuffer_tables import Source, Table
from sqzkit.coding import streams, symbols
from sqzkit.coding.archive import Piece
from sqzkit.coding.weights import four_dimensions

IDENTIFIER = b"TFL3"
MAX_TENSORS = 32_768
MAX_SIDES = 16
MAX_NAME = 256  # bytes of a tensor's name that are compared
MIN_WEIGHTS = 64  # elements; smaller int8 tensors stay among the plain bytes
MIN_CODED = 1024  # elements of wider types worth a codebook

# TensorType of the TFLite schema: name and bytes of an element.
TYPES = {
    0: ("float32", 4),
    1: ("float16", 2),
    2: ("int32", 4),
    3: ("uint8", 1),
    4: ("int64", 8),
    6: ("bool", 1),
    7: ("int16", 2),
    9: ("int8", 1),
    10: ("float64", 8),
}
_WIDTHS = dict(TYPES.values())


@dataclasses.dataclass(frozen=True)
class Span:
    """A run of numbers in a file.

    Attributes:
      offset, length: in bytes.
      dtype: one of `TYPES`' names, little-endian in the file.
      shape: sides of the tensor, outermost first; their product is the number of elements.
      role: "tensor", or "scales" of a tensor.
      name: of the tensor, empty where it cannot be read.
    """

    offset: int
    length: int
    dtype: str
    shape: tuple[int, ...]
    role: str = "tensor"
    name: bytes = dataclasses.field(default=b"", compare=False)


@dataclasses.dataclass
class Group:
    """Plain bytes of one kind of elements, gathered from all over the file."""

    stride: int
    content: bytes = b""


@dataclasses.dataclass
class Plan:
    """A file taken apart.

    Attributes:
      rest: what belongs to no piece. pieces: in the file's order; their
        streams are numbered 1.. by `groups`, then codebooks, then weights.
      tensors: of the weights stream.
    """

    rest: bytes = b""
    groups: list[Group] = dataclasses.field(default_factory=list)
    pieces: list[Piece] = dataclasses.field(default_factory=list)
    tensors: list[symbols.Coded] = dataclasses.field(default_factory=list)


def find_spans(content: bytes) -> list[Span]:
    """Return the constant tensors and scale vectors of a `.tflite`, by offset, none overlapping.

    Never raises: for other content and damaged files it returns what it could
    find, possibly nothing.
    """
    found: list[Span] = []
    try:
        for span in itertools.islice(_spans(content), 2 * MAX_TENSORS):
            found.append(span)
    except FormatError:
        pass
    kept: list[Span] = []
    # Of tensors that share their values the first one counts: what is packed depends on its shape.
    for span in sorted(found, key=lambda span: (span.offset, -span.length)):
        if span.length and (not kept or span.offset >= kept[-1].offset + kept[-1].length):
            kept.append(span)
    return kept


def plan(
    content: bytes, spans: Sequence[Span] | None = None, referenced: Container[int] = ()
) -> Plan:
    """Return how to split `content`, by default at all of its spans.

    Tensors at the offsets `referenced` have a base to be compared with. There are no pieces if
    it is not a `.tflite`.
    """
    spans = find_spans(content) if spans is None else spans
    made = Plan()
    as_weights = {
        index: found
        for index, span in enumerate(spans)
        if (found := _weights(content, span, span.offset in referenced))
    }
    groups = {
        (span.dtype, span.role): Group(_WIDTHS[span.dtype])
        for index, span in enumerate(spans)
        if index not in as_weights
    }
    names, made.groups = list(groups), list(groups.values())
    multiplied = products(content, spans)
    end = 0
    for index, span in enumerate(spans):
        gap = content[end : span.offset]
        made.rest += gap
        end = span.offset + span.length
        if index in as_weights:
            made.tensors.append(as_weights[index])
            made.pieces.append(Piece(len(gap), span.length, len(names) + 2))
        elif index in multiplied:
            made.pieces.append(Piece(len(gap), span.length, 0, *multiplied[index]))
        else:
            name = (span.dtype, span.role)
            groups[name].content += content[span.offset : end]
            made.pieces.append(Piece(len(gap), span.length, names.index(name) + 1))
    made.rest += content[end:]
    return made


def _weights(content: bytes, span: Span, referenced: bool) -> symbols.Coded | None:
    """Return the span as symbols if the weights' coder is the one for it.

    For an int8 tensor that the base has, too, it always is: only this coder uses the old values.
    """
    elements = span.length // _WIDTHS[span.dtype]
    wide = _WIDTHS[span.dtype] > 1
    if span.role != "tensor" or elements < (MIN_CODED if wide else MIN_WEIGHTS):
        return None
    run = content[span.offset : span.offset + span.length]
    found = symbols.to_symbols(run, _WIDTHS[span.dtype], four_dimensions(span.shape))
    if not found or (wide and 4 * len(found.codebook) > span.length):
        return None
    return (
        found
        if (referenced and not wide)
        or symbols.entropy_bytes(found.symbols.view(np.uint8)) < len(streams.deflate(run)) * 1.02
        else None
    )


def products(content: bytes, spans: Sequence[Span]) -> dict[int, tuple[int, float]]:
    """Return which scale vectors are a number times another one: index -> (source, factor).

    A bias's scale is the input's times the kernel's, channel by channel.
    """
    vectors = [
        (index, np.frombuffer(content, "<f4", span.length // 4, span.offset))
        for index, span in enumerate(spans)
        if span.role == "scales"
    ]
    found: dict[int, tuple[int, float]] = {}
    sources: set[int] = set()
    for place, (index, vector) in enumerate(vectors):
        for source, other in vectors[max(place - 3, 0) : place + 4]:
            if source in (index, *found) or index in sources or len(other) != len(vector):
                continue
            factor = _factor(other, vector)
            if factor is not None:
                found[index] = (source, factor)
                sources.add(source)
                break
    return found


def _factor(source: np.ndarray, product: np.ndarray) -> float | None:
    """Return the float32 that times `source` is exactly `product`, if there is one."""
    if not (np.isfinite(source).all() and np.isfinite(product).all() and (source > 0).all()):
        return None
    nearest = np.float32(np.median(product.astype(np.float64) / source))
    for steps in range(-8, 9):
        factor = np.float32(nearest + steps * np.spacing(nearest))
        if np.isfinite(factor) and (source * factor).tobytes() == product.tobytes():  # 0 is not -0
            return float(factor)
    return None


def _spans(content: bytes) -> Iterator[Span]:
    model = Source(content, "TFLite model").root(IDENTIFIER)
    buffers = model.tables(4)
    # Offsets may be shared, so that a small file can list one subgraph a thousand times.
    listed = (subgraph.tables(0) for subgraph in model.tables(2))
    for tensor in itertools.islice(itertools.chain.from_iterable(listed), MAX_TENSORS):
        quantization = tensor.table(4)
        if quantization:
            start, count = quantization.extent(2, 4)
            if count > 1:
                yield Span(start, 4 * count, "float32", (count,), "scales", _name(tensor))
        number = tensor.scalar(2, "I", 0)
        if number < len(buffers):
            yield from _constant(tensor, buffers[number])


def _constant(tensor: Table, buffer: Table) -> Iterator[Span]:
    """Yield the span of a tensor's values, if the file holds them."""
    start, length = buffer.outside(1, 2) or buffer.extent(0, 1)
    name, size = TYPES.get(tensor.scalar(1, "b", 0), ("", 0))
    shape = tensor.vector(0, "int32")
    if not start or not size or len(shape) > MAX_SIDES:
        return
    sides = tuple(int(side) for side in shape)
    if math.prod(max(side, 0) for side in sides) * size == length:
        yield Span(start, length, name, sides, name=_name(tensor))


def _name(tensor: Table) -> bytes:
    try:
        return tensor.vector(3, "uint8")[:MAX_NAME].tobytes()
    except FormatError:
        return b""
