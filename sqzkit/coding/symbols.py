"""Tensors as the int8 symbols that the weights' coder takes.

A tensor of one-byte elements becomes its values minus the most frequent one; a
tensor of wider elements with at most 256 distinct ones (a codebook left by
clustering) becomes the rank of each in the sorted codebook, counted from zero's
modulo 256.
"""

import dataclasses

import numpy as np

from sqzkit.base.errors import FormatError
from sqzkit.coding.weights import Shape

MOST_DISTINCT = 256
WIDTHS = (1, 2, 4, 8)


@dataclasses.dataclass(frozen=True, slots=True)
class SymbolTensor:
    """One tensor in a weights stream, without its symbols.

    Attributes:
      shape: outputs, height, width, inputs.
      width: bytes of an element in the file: 1, 2, 4 or 8.
      center: what symbol 0 stands for: the byte itself (width 1) or the index
        in the codebook.
      codebook: the elements of the codebook, ascending, `width` bytes each;
        empty for width 1.
    """

    shape: Shape
    width: int
    center: int
    codebook: bytes = b""

    @property
    def size(self) -> int:
        """Elements of the tensor."""
        outputs, height, breadth, inputs = self.shape
        return outputs * height * breadth * inputs


def to_symbols(content: bytes, width: int, shape: Shape) -> tuple[SymbolTensor, np.ndarray] | None:
    """Return the tensor and its int8 symbols, or None if it has too many distinct elements."""
    if width == 1:
        values = np.frombuffer(content, np.uint8)
        center = int(np.bincount(values, minlength=256).argmax())
        symbols = (values - np.uint8(center)).view(np.int8)
        return SymbolTensor(shape, 1, center), symbols.reshape(shape)
    codebook, ranks = np.unique(_order(content, width), return_inverse=True)
    if len(codebook) > MOST_DISTINCT:
        return None
    center = min(int(np.searchsorted(codebook, 0)), len(codebook) - 1)
    symbols = (ranks.astype(np.uint8) - np.uint8(center)).view(np.int8)
    return SymbolTensor(shape, width, center, _unorder(codebook, width)), symbols.reshape(shape)


def from_symbols(tensor: SymbolTensor, symbols: np.ndarray) -> bytes:
    """Undo `to_symbols`; raise `FormatError` for a symbol outside the codebook."""
    if tensor.width == 1:
        return (symbols.view(np.uint8) + np.uint8(tensor.center)).tobytes()
    codebook = np.frombuffer(tensor.codebook, np.uint8).reshape(-1, tensor.width)
    ranks = symbols.reshape(-1).view(np.uint8) + np.uint8(tensor.center)
    if ranks.size and int(ranks.max()) >= len(codebook):
        raise FormatError(f"a weight names an entry outside its codebook of {len(codebook)}")
    return codebook[ranks].tobytes()


def _order(content: bytes, width: int) -> np.ndarray:
    """Return integers that sort as the floats of these bits do (negative ones reversed)."""
    bits = np.frombuffer(content, f"<i{width}")
    return np.asarray(np.where(bits < 0, bits ^ _largest(bits), bits))


def _unorder(ordered: np.ndarray, width: int) -> bytes:
    bits = np.where(ordered < 0, ordered ^ _largest(ordered), ordered)
    return bits.astype(f"<i{width}").tobytes()


def _largest(integers: np.ndarray) -> np.ndarray:
    return np.asarray(np.iinfo(integers.dtype).max, integers.dtype)
