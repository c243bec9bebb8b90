"""The loop of the Huffman decoder, compiled: a network has millions of codes."""

import numpy as np

from sqzkit.coding.kernels.binary import compiled

DONE, UNKNOWN_CODE = 0, 1


@compiled
def decode(body, table, widths, found):
    """Fill `found` with the symbols that `body` codes.

    Args:
      body: uint8, with four bytes of zeros behind the codes.
      table: int64 [65536], by the next 16 bits the symbol they begin with.
      widths: int64 [65536], the bits of its code; 0 where there is none.
      found: int64 [count], written.

    Returns:
      (`DONE` or `UNKNOWN_CODE`, bits used).
    """
    window = np.int64(0)
    available = position = used = 0
    last = len(body) - 1
    for i in range(len(found)):
        while available < 16:
            window = ((window << 8) | np.int64(body[min(position, last)])) & 0xFFFFFFFF
            position += 1
            available += 8
        peek = (window >> (available - 16)) & 0xFFFF
        width = widths[peek]
        if width == 0:
            return UNKNOWN_CODE, used
        available -= width
        used += width
        found[i] = table[peek]
    return DONE, used
