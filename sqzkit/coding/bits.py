"""Fixed-width fields packed into bytes, lowest bit first, as Han's file does."""

import numpy as np

from sqzkit.base.errors import FormatError


def pack(values: np.ndarray, bits: int) -> bytes:
    """Return `values` (integers below 2^bits, bits in 1..16) packed, padded with zeros."""
    values = np.asarray(values, np.uint32)
    if values.size and int(values.max()) >> bits:
        raise ValueError(f"{int(values.max())} does not fit {bits} bits")
    spread = (values[:, None] >> np.arange(bits, dtype=np.uint32)) & 1
    return np.packbits(spread.astype(np.uint8).reshape(-1), bitorder="little").tobytes()


def packed_size(count: int, bits: int) -> int:
    """Return the bytes that `count` fields take."""
    return -(-count * bits // 8)


def unpack(content: bytes, count: int, bits: int) -> np.ndarray:
    """Return uint16 [count]; raise `FormatError` if `content` is not exactly such fields."""
    if len(content) != packed_size(count, bits):
        raise FormatError(f"{len(content)} bytes do not hold {count} fields of {bits} bits")
    spread = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")
    if spread[count * bits :].any():
        raise FormatError(f"the bits behind the last of {count} fields are not zero")
    fields = spread[: count * bits].reshape(count, bits).astype(np.uint16)
    return (fields << np.arange(bits, dtype=np.uint16)).sum(axis=1, dtype=np.uint16)
