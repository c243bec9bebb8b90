"""Deep Compression's own storage of a layer, in real bytes, and its account.

A layer is its codebook, and for each entry a code and a relative index; codes
and indices either in fields of fixed width or Huffman coded (Han et al., "Deep
Compression", 2016, figures 2 and 3, tables 2 to 5). The account sets beside it
what the entropy coder of `.sqz` takes and the order-0 entropy.
"""

import dataclasses
import math

import numpy as np

from sqzkit.base.errors import FormatError
from sqzkit.coding import bits, codebook, huffman, relative_index, symbols, varint, weights

INDEX_BITS = 4
_HUFFMAN = 1  # how codes and indices are stored
DTYPES = (np.dtype("<f4"), np.dtype("i1"), np.dtype("<f2"))
MAX_WEIGHTS = 1 << 28


@dataclasses.dataclass(frozen=True)
class LayerAccount:
    """What a layer takes at each stage of Deep Compression.

    Attributes:
      name: of the layer. weights: how many. nonzero: how many are not zero.
      density: nonzero / weights. distinct: values that are not zero.
      code_bits, index_bits: width of the fields. entries: with the fillers.
      code_bytes, index_bytes, codebook_bytes: in fields of fixed width.
      huffman_code_bytes, huffman_index_bytes: with the tables of lengths.
      coder_bytes: by `.sqz`'s coder, the layer alone, without codebook.
      entropy_bytes: order-0 entropy of codes and indices of the entries.
    """

    name: str
    weights: int
    nonzero: int
    density: float
    distinct: int
    code_bits: int
    index_bits: int
    entries: int
    code_bytes: int
    index_bytes: int
    codebook_bytes: int
    huffman_code_bytes: int
    huffman_index_bytes: int
    coder_bytes: int
    entropy_bytes: float

    @property
    def huffman_bytes(self) -> int:
        """Bytes with Huffman coding."""
        return self.huffman_code_bytes + self.huffman_index_bytes + self.codebook_bytes


def account(name: str, kernel: np.ndarray, index_bits: int = INDEX_BITS) -> LayerAccount:
    """Encode a layer in every way and count the bytes.

    Args:
      name: of the layer.
      kernel: float32, float16 or int8, at most 255 distinct values that are
        not zero. With four dimensions it should lie outputs first (OHWI), for
        the sake of `coder_bytes`.
      index_bits: 4 or 8.

    Raises:
      UsageError: too many distinct values.
    """
    codes, book = codebook.encode(kernel, name)
    gaps, entries = relative_index.encode(codes.reshape(-1), index_bits)
    code_bits = max((len(book) - 1).bit_length(), 1)
    nonzero = int((codes != 0).sum())
    return LayerAccount(
        name=name,
        weights=kernel.size,
        nonzero=nonzero,
        density=nonzero / max(kernel.size, 1),
        distinct=len(book) - 1,
        code_bits=code_bits,
        index_bits=index_bits,
        entries=len(entries),
        code_bytes=len(bits.pack(entries, code_bits)),
        index_bytes=len(bits.pack(gaps, index_bits)),
        codebook_bytes=book.nbytes,
        huffman_code_bytes=len(huffman.encode(entries, len(book))),
        huffman_index_bytes=len(huffman.encode(gaps, 1 << index_bits)),
        coder_bytes=_coder_bytes(kernel),
        entropy_bytes=symbols.entropy_bytes(entries) + symbols.entropy_bytes(gaps),
    )


def encode_layer(kernel: np.ndarray, index_bits: int = INDEX_BITS) -> bytes:
    """Return the layer as Deep Compression stores it, Huffman coded.

    Args:
      kernel: float32, float16 or int8 of any shape; negative zeros become zero.
      index_bits: 1..8 bits of a relative index.
    """
    codes, book = codebook.encode(kernel)
    gaps, entries = relative_index.encode(codes.reshape(-1), index_bits)
    parts = [huffman.encode(entries, len(book)), huffman.encode(gaps, 1 << index_bits)]
    dtype = DTYPES.index(kernel.dtype)
    head = varint.write(dtype, index_bits, _HUFFMAN, kernel.ndim, *kernel.shape)
    head += varint.write(len(book), len(entries), len(parts[0]), len(parts[1]))
    return head + book.tobytes() + b"".join(parts)


def decode_layer(content: bytes, most: int = MAX_WEIGHTS) -> np.ndarray:
    """Return the layer that `encode_layer` took.

    Args:
      content: the bytes of one layer.
      most: the largest legal number of weights.

    Raises:
      FormatError: damaged, cut off, or too large.
    """
    reader = varint.Reader(content, "the layer")
    dtype = DTYPES[reader.number(len(DTYPES) - 1)]
    index_bits, stored_as = reader.number(8), reader.number(_HUFFMAN)
    shape = [reader.number(most) for _ in range(reader.number(8))]
    size = math.prod(shape)
    if size > most or not index_bits or stored_as != _HUFFMAN:
        raise FormatError(f"a layer of {size} weights: at most {most} are legal")
    entries, count = reader.number(codebook.MAX_ENTRIES), reader.number(size)
    lengths = reader.number(len(content)), reader.number(len(content))
    book = np.frombuffer(reader.bytes(entries * dtype.itemsize), dtype)
    parts = [reader.bytes(length) for length in lengths]
    reader.end()
    values, gaps = (huffman.decode(part, count) for part in parts)
    dense = relative_index.decode(gaps, values, size, index_bits)
    return codebook.decode(dense, book).reshape(shape)


def _coder_bytes(kernel: np.ndarray) -> int:
    little = kernel.astype(DTYPES[DTYPES.index(kernel.dtype)])
    shape = weights.four_dimensions(kernel.shape)
    found = symbols.to_symbols(little.tobytes(), kernel.dtype.itemsize, shape)
    if not found:  # 255 values and both zeros
        found = symbols.to_symbols((little + 0).tobytes(), kernel.dtype.itemsize, shape)
    assert found is not None
    return len(weights.encode([found.symbols]))
