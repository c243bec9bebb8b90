"""Tensors as the int8 symbols that the weights' coder takes.

A tensor of one-byte elements becomes its values minus the most frequent one; a
tensor of wider elements with at most 256 distinct ones (a codebook left by
clustering) becomes the rank of each in the sorted codebook, counted from zero's
modulo 256.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from sqzkit.base.errors import FormatError
from sqzkit.coding.weights import Shape

MAX_DISTINCT = 256
WIDTHS = (1, 2, 4, 8)
_BLOCK = 1 << 16


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    """Where the base of an update has a tensor's values.

    Attributes:
      offset: of the first output that the tensor is like, in bytes.
      inputs: how many the base's tensor has.
      runs: (start, count) of the base's inputs that stand for the tensor's, in
        order; where the base has no such input, its symbol is 0.
    """

    offset: int
    inputs: int
    runs: tuple[tuple[int, int], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class SymbolTensor:
    """One tensor in a weights stream, without its symbols.

    Attributes:
      shape: outputs, height, width, inputs.
      width: bytes of an element in the file: 1, 2, 4 or 8.
      center: what symbol 0 stands for: the byte itself (width 1) or the index
        in the codebook.
      entries: elements of the codebook, 0 for width 1.
      reference: of an update's tensor, if its values are near the base's.
    """

    shape: Shape
    width: int
    center: int
    entries: int = 0
    reference: Reference | None = None

    @property
    def size(self) -> int:
        """Elements of the tensor."""
        outputs, height, breadth, inputs = self.shape
        return outputs * height * breadth * inputs


@dataclasses.dataclass(frozen=True)
class Coded:
    """A tensor's `symbols` (int8, of its shape), and its codebook's bytes, ascending."""

    tensor: SymbolTensor
    symbols: np.ndarray
    codebook: bytes = b""


def to_symbols(content: bytes, width: int, shape: Shape) -> Coded | None:
    """Return a tensor as symbols, or None if it has too many distinct elements."""
    if width == 1:
        values = np.frombuffer(content, np.uint8)
        center = int(np.bincount(values, minlength=256).argmax())
        symbols = (values - np.uint8(center)).view(np.int8)
        return Coded(SymbolTensor(shape, 1, center), symbols.reshape(shape))
    elements = _flipped(np.frombuffer(content, f"<i{width}"))
    codebook, ranks = np.unique(elements, return_inverse=True)
    if len(codebook) > MAX_DISTINCT:
        return None
    center = min(int(np.searchsorted(codebook, 0)), len(codebook) - 1)
    symbols = (ranks.astype(np.uint8) - np.uint8(center)).view(np.int8)
    tensor = SymbolTensor(shape, width, center, len(codebook))
    return Coded(tensor, symbols.reshape(shape), _flipped(codebook).astype(f"<i{width}").tobytes())


def from_symbols(
    tensors: Sequence[SymbolTensor], symbols: np.ndarray, codebooks: bytes | memoryview
) -> memoryview:
    """Return the elements of all `tensors`.

    Args:
      tensors: what `to_symbols` said of each.
      symbols: int8, flat, one tensor's behind the other's; may be overwritten.
      codebooks: one behind the other.

    Raises:
      FormatError: a symbol lies outside its codebook.
    """
    ranks = symbols.view(np.uint8)
    size = sum(tensor.size * tensor.width for tensor in tensors)
    elements = ranks if size == ranks.size else np.empty(size, np.uint8)
    at = start = book = 0
    for tensor in tensors:
        width, end = tensor.width, at + tensor.size * tensor.width
        own = ranks[start : start + tensor.size]
        if width == 1:
            np.add(own, np.uint8(tensor.center), out=elements[at:end])
        else:
            entries = np.frombuffer(codebooks, f"<u{width}", tensor.entries, book)
            _look_up(own, tensor.center, entries, elements[at:end].view(f"<u{width}"))
        at, start, book = end, start + tensor.size, book + tensor.entries * width
    return elements.data


def reference_symbols(tensor: SymbolTensor, base: bytes) -> np.ndarray:
    """Return the symbols that a tensor is compared with: int8, flat; empty without a reference.

    Raises:
      FormatError: the base has more distinct elements there than a codebook may have.
    """
    reference = tensor.reference
    if reference is None:
        return np.zeros(0, np.int8)
    rows, inputs = tensor.size // tensor.shape[3], reference.inputs
    elements = np.frombuffer(base, f"<i{tensor.width}", rows * inputs, reference.offset)
    elements = elements.reshape(rows, inputs)
    shared = _shared_columns(reference)
    book = np.zeros(0, elements.dtype) if tensor.width == 1 else _distinct(elements, shared)
    zero = min(int(np.searchsorted(book, 0)), len(book) - 1)
    found = np.zeros((rows, tensor.shape[3]), np.int8)
    for at, start, end in shared:
        for first in range(0, rows, _rows_at_once(end - start)):
            last = first + _rows_at_once(end - start)
            own = elements[first:last, start:end]
            if tensor.width == 1:
                ranks = own.view(np.uint8) - np.uint8(tensor.center)
            else:
                ranks = np.searchsorted(book, _flipped(own)).astype(np.uint8) - np.uint8(zero)
            found[first:last, at : at + end - start] = ranks.view(np.int8)
    return found.reshape(-1)


def _shared_columns(reference: Reference) -> list[tuple[int, int, int]]:
    """Return of each run where it lies in the tensor, and its start and end in the base."""
    found, at = [], 0
    for start, count in reference.runs:
        if start < reference.inputs:
            found.append((at, start, min(start + count, reference.inputs)))
        at += count
    return found


def _distinct(elements: np.ndarray, shared: list[tuple[int, int, int]]) -> np.ndarray:
    book = np.zeros(0, elements.dtype)
    for _, start, end in shared:
        step = _rows_at_once(end - start)
        for first in range(0, len(elements), step):
            book = np.union1d(book, _flipped(elements[first : first + step, start:end]))
            if len(book) > MAX_DISTINCT:
                raise FormatError(f"more than {MAX_DISTINCT} values in the base of a codebook")
    return book


def _rows_at_once(columns: int) -> int:
    return max(_BLOCK // columns, 1)


def entropy_bytes(values: np.ndarray) -> float:
    """Return the order-0 entropy of unsigned integers, in bytes."""
    counts = np.bincount(values.reshape(-1).astype(np.int64))
    counts = counts[counts > 0]
    return float(-(counts * np.log2(counts / max(values.size, 1))).sum() / 8)


def _look_up(ranks: np.ndarray, center: int, entries: np.ndarray, elements: np.ndarray) -> None:
    # Block by block, because numpy turns indices into integers of eight bytes.
    for start in range(0, ranks.size, _BLOCK):
        chosen = ranks[start : start + _BLOCK] + np.uint8(center)
        if int(chosen.max()) >= len(entries):
            raise FormatError(f"a weight names an entry outside its codebook of {len(entries)}")
        elements[start : start + _BLOCK] = entries[chosen]


def _flipped(bits: np.ndarray) -> np.ndarray:
    """Return integers that sort as the floats of these bits do, and the bits of such integers."""
    return np.where(bits < 0, bits ^ np.iinfo(bits.dtype).max, bits)
