"""Integer tables that every decoder of `.sqz` computes in the same way.

The coder estimates probabilities in the logistic domain: `stretch(p)` is
256 * ln(p / (1 - p)) and `squash` its inverse. Both are built by integer
arithmetic alone, so that Python, Java and any other language agree on every
entry (docs/sqz.md, "Tables").
"""

import functools

import numpy as np

STRETCH_LIMIT = 2047
_DECAY = 4278222805  # 2^32 * exp(-1 / 256), rounded
_ONE = 1 << 30


@functools.cache
def squash_table() -> np.ndarray:
    """Return int32 [4095]: entry d + 2047 is 65536 / (1 + exp(-d / 256)), d in -2047..2047."""
    table = np.zeros(2 * STRETCH_LIMIT + 1, np.int32)
    power = _ONE
    for distance in range(STRETCH_LIMIT + 1):
        high = (1 << 46) // (_ONE + power)
        table[STRETCH_LIMIT + distance] = high
        table[STRETCH_LIMIT - distance] = 65536 - high
        power = (power * _DECAY) >> 32
    return _frozen(table)


@functools.cache
def stretch_table() -> np.ndarray:
    """Return int32 [4096]: the smallest d whose squash reaches the middle of bucket q."""
    middles = np.arange(4096) * 16 + 8
    found = np.searchsorted(squash_table(), middles, side="left") - STRETCH_LIMIT
    return _frozen(np.minimum(found, STRETCH_LIMIT).astype(np.int32))


@functools.cache
def rate_table() -> np.ndarray:
    """Return int32 [1024]: 65536 times the step of a probability that has seen n bits."""
    return _frozen((655360 // (10 * np.arange(1024) + 16)).astype(np.int32))


@functools.cache
def logarithm_table(steps: int) -> np.ndarray:
    """Return int32 [4096]: a logarithmic scale with 2^steps marks in each octave, 0 for 0.

    Entry x > 0 with b = floor(log2(x)) is 1 + b * 2^steps + the `steps` bits
    that follow x's leading one.
    """
    table = np.zeros(4096, np.int32)
    for value in range(1, 4096):
        octave = value.bit_length() - 1
        table[value] = 1 + (octave << steps) + (((value << steps) >> octave) & ((1 << steps) - 1))
    return _frozen(table)


def _frozen(table: np.ndarray) -> np.ndarray:
    table.flags.writeable = False
    return table
