"""A pruned layer of floats in as few bytes as its zeros allow, without loss.

Gaps between the weights that are left are Huffman coded, as in Deep
Compression. Of a float32, sign and exponent (nine bits) are Huffman coded,
too: pruned weights lie in a few powers of two. The 23 bits of the mantissa
are noise and stay as they are.
"""

import math

import numpy as np

from sqzkit.base.errors import FormatError
from sqzkit.coding import bits, huffman, relative_index, varint

GAP_BITS = 8
FILLER = 1 << GAP_BITS  # symbol of a gap that ends at no weight
GAPS, EXPONENTS = FILLER + 1, 1 << 9
MOST_WEIGHTS = 1 << 28


def encode_layer(kernel: np.ndarray) -> bytes:
    """Return the layer's bytes.

    Args:
      kernel: float32 of any shape; negative zeros become zero.
    """
    flat = kernel.reshape(-1)
    gaps, entries = relative_index.encode((flat != 0).astype(np.uint8), GAP_BITS)
    symbols = np.where(entries == 0, FILLER, gaps.astype(np.int64))
    words = np.ascontiguousarray(flat[flat != 0], "<f4").view("<u4")
    parts = [
        huffman.encode(symbols, GAPS),
        huffman.encode((words >> 23).astype(np.int64), EXPONENTS),
        bits.pack((words >> 16) & 0x7F, 7),
        (words & 0xFFFF).astype("<u2").tobytes(),
    ]
    head = varint.write(kernel.ndim, *kernel.shape, len(words), *(len(part) for part in parts[:2]))
    return head + b"".join(parts)


def decode_layer(content: bytes, most: int = MOST_WEIGHTS) -> np.ndarray:
    """Return the layer that `encode_layer` took, float32.

    Args:
      content: the bytes of one layer.
      most: the largest legal number of weights.

    Raises:
      FormatError: damaged, cut off, or too large.
    """
    reader = varint.Reader(content, "the layer")
    shape = [reader.number(most) for _ in range(reader.number(8))]
    size = math.prod(shape)
    if size > most:
        raise FormatError(f"a layer of {size} weights: at most {most} are legal")
    count = reader.number(size)
    lengths = [reader.number(len(content)) for _ in range(2)]
    lengths += [bits.packed_size(count, 7), 2 * count]
    parts = [reader.bytes(length) for length in lengths]
    reader.end()
    words = np.frombuffer(parts[3], "<u2").astype(np.uint32)
    words |= bits.unpack(parts[2], count, 7).astype(np.uint32) << 16
    exponents = huffman.decode(parts[1], count)
    if len(exponents) != count:
        raise FormatError(f"{len(exponents)} exponents for {count} weights")
    words |= exponents.astype(np.uint32) << 23
    dense = np.zeros(size, np.float32)
    dense[_places(huffman.decode(parts[0], size), count, size)] = words.view(np.float32)
    return dense.reshape(shape)


def _places(symbols: np.ndarray, count: int, size: int) -> np.ndarray:
    """Return where the `count` weights stand in a layer of `size`."""
    stored = (symbols != FILLER).astype(np.uint8)
    gaps = np.where(stored, symbols, FILLER - 1).astype(np.uint8)
    places = np.flatnonzero(relative_index.decode(gaps, stored, size, GAP_BITS))
    if len(places) != count:
        raise FormatError(f"{len(places)} places for {count} weights")
    return places
