"""Canonical Huffman codes: the last stage of Deep Compression (section 4).

Only the lengths of the codes are stored; codes of one length are numbered in
the order of the symbols. Lengths stay within 16 bits, so that a decoder is one
look-up per symbol.
"""

import heapq
import itertools

import numpy as np

from sqzkit.base.errors import FormatError
from sqzkit.coding import bits, varint

LONGEST = 16
_LENGTH_BITS = 5


def code_lengths(counts: np.ndarray) -> np.ndarray:
    """Return uint8, the bits of each symbol's code (0: it does not occur) for the `counts`."""
    counts = np.asarray(counts, np.int64)
    while True:
        lengths = _huffman(counts)
        if lengths.max(initial=0) <= LONGEST:
            return lengths
        counts = np.where(counts > 0, counts // 2 + 1, 0)


def encode(symbols: np.ndarray, alphabet: int) -> bytes:
    """Return `symbols` (integers [n] below `alphabet`, at most 65536) with their code lengths."""
    lengths = code_lengths(np.bincount(symbols, minlength=alphabet))
    codes = _canonical(lengths)
    head = varint.write(len(symbols), alphabet) + bits.pack(lengths, _LENGTH_BITS)
    widths = lengths[symbols].astype(np.int64)
    places = np.cumsum(widths) - widths
    stream = np.zeros(int(widths.sum()), np.uint8)
    for bit in range(LONGEST):
        those = widths > bit
        shift = widths[those] - 1 - bit
        stream[places[those] + bit] = (codes[symbols[those]] >> shift) & 1
    return head + np.packbits(stream).tobytes()


def decode(content: bytes, most: int) -> np.ndarray:
    """Return the symbols, int64 [n].

    Args:
      content: codes with their lengths.
      most: the largest legal number of symbols.

    Raises:
      FormatError: damaged, longer or shorter than its symbols.
    """
    from sqzkit.coding.kernels import huffman as kernel  # brings numba

    reader = varint.Reader(content, "the Huffman code")
    count, alphabet = reader.number(most), reader.number(1 << 16)
    head = len(varint.write(count, alphabet))
    size = bits.packed_size(alphabet, _LENGTH_BITS)
    lengths = bits.unpack(reader.bytes(size), alphabet, _LENGTH_BITS).astype(np.uint8)
    table, widths = _look_up(lengths)
    body = content[head + size :]
    if count > 8 * len(body):
        raise FormatError(f"{len(body)} bytes are too few for {count} Huffman codes")
    found = np.empty(count, np.int64)
    padded = np.frombuffer(body + bytes(4), np.uint8)
    state, used = kernel.decode(padded, table, widths, found)
    if state == kernel.UNKNOWN_CODE:
        raise FormatError("a code that the Huffman table does not have")
    if -(-used // 8) != len(body) or (used % 8 and body[-1] & ((1 << (-used % 8)) - 1)):
        raise FormatError("the Huffman codes do not end where the bytes do")
    return found


def _huffman(counts: np.ndarray) -> np.ndarray:
    lengths = np.zeros(len(counts), np.uint8)
    order = itertools.count()
    heap = [(int(counts[s]), next(order), [s]) for s in np.flatnonzero(counts)]
    if len(heap) == 1:
        lengths[heap[0][2]] = 1
    heapq.heapify(heap)
    while len(heap) > 1:
        low, high = heapq.heappop(heap), heapq.heappop(heap)
        members = low[2] + high[2]
        lengths[members] += 1
        heapq.heappush(heap, (low[0] + high[0], next(order), members))
    return lengths


def _canonical(lengths: np.ndarray) -> np.ndarray:
    codes = np.zeros(len(lengths), np.int64)
    code = 0
    for length in range(1, LONGEST + 1):
        for symbol in np.flatnonzero(lengths == length):
            codes[symbol] = code
            code += 1
        code <<= 1
    return codes


def _look_up(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each 16-bit window the symbol it begins with and that code's bits."""
    if lengths.max(initial=0) > LONGEST:
        raise FormatError(f"a Huffman code of {int(lengths.max())} bits: at most {LONGEST}")
    space = sum(1 << (LONGEST - int(length)) for length in lengths if length)
    if space > 1 << LONGEST:
        raise FormatError("more Huffman codes than their lengths leave room for")
    table = np.zeros(1 << LONGEST, np.int64)
    widths = np.zeros(1 << LONGEST, np.int64)
    codes = _canonical(lengths)
    for symbol in np.flatnonzero(lengths):
        shift = LONGEST - int(lengths[symbol])
        start = int(codes[symbol]) << shift
        table[start : start + (1 << shift)] = symbol
        widths[start : start + (1 << shift)] = lengths[symbol]
    return table, widths
