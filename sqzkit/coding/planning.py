"""Which part of a file goes to which coder."""

import dataclasses

import numpy as np

from sqzkit.coding import streams, symbols
from sqzkit.coding.archive import Piece
from sqzkit.coding.spans import TYPES, Span, find_spans
from sqzkit.coding.weights import four_dimensions

LEAST_WEIGHTS = 64  # elements; smaller int8 tensors stay among the plain bytes
LEAST_CODED = 1024  # elements of wider types worth a codebook
WIDTHS = dict(TYPES.values())


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


def plan(content: bytes) -> Plan:
    """Return how to split `content`; without pieces if it is no `.tflite`."""
    spans = find_spans(content)
    made = Plan()
    as_weights = {
        index: found for index, span in enumerate(spans) if (found := _weights(content, span))
    }
    names = list(
        dict.fromkeys(
            span.dtype + span.role for index, span in enumerate(spans) if index not in as_weights
        )
    )
    made.groups = [
        Group(next(WIDTHS[s.dtype] for s in spans if s.dtype + s.role == name)) for name in names
    ]
    products = _products(content, spans)
    end = 0
    for index, span in enumerate(spans):
        gap = content[end : span.offset]
        made.rest += gap
        end = span.offset + span.length
        if index in as_weights:
            made.tensors.append(as_weights[index])
            made.pieces.append(Piece(len(gap), span.length, len(names) + 2))
        elif index in products:
            made.pieces.append(Piece(len(gap), span.length, 0, *products[index]))
        else:
            number = names.index(span.dtype + span.role)
            made.groups[number].content += content[span.offset : end]
            made.pieces.append(Piece(len(gap), span.length, number + 1))
    made.rest += content[end:]
    return made


def _weights(content: bytes, span: Span) -> symbols.Coded | None:
    """Return the span as symbols if the weights' coder is the one for it."""
    elements = span.length // WIDTHS[span.dtype]
    wide = WIDTHS[span.dtype] > 1
    if span.role != "tensor" or elements < (LEAST_CODED if wide else LEAST_WEIGHTS):
        return None
    run = content[span.offset : span.offset + span.length]
    found = symbols.to_symbols(run, WIDTHS[span.dtype], four_dimensions(span.shape))
    if not found or (wide and 4 * len(found.codebook) > span.length):
        return None
    return found if _entropy_bytes(found.symbols) < len(streams.deflate(run)) * 1.02 else None


def _entropy_bytes(values: np.ndarray) -> float:
    """Return the order-0 entropy of int8 `values`, in bytes."""
    counts = np.bincount(values.reshape(-1).view(np.uint8))
    counts = counts[counts > 0]
    return float(-(counts * np.log2(counts / values.size)).sum() / 8)


def _products(content: bytes, spans: list[Span]) -> dict[int, tuple[int, float]]:
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
        if np.isfinite(factor) and np.array_equal(source * factor, product):
            return float(factor)
    return None
