"""Adaptive binary coding, compiled: range coder, probability slots, logistic mixing.

Everything is integer arithmetic on at most 63 bits, so that a decoder in any
language gives the same bits (docs/sqz.md, "Binary coder"). Import this module
only where work starts: it brings numba.

A *slot* is one adaptive probability: 22 bits of P(bit = 1) and, in the low 10
bits, how many bits it has seen; its step is about 1 / (n + 1.6), so it is an
average first and forgets later. A *mixer* adds the stretched probabilities of
some slots with learnt weights (Mahoney, "Adaptive weighing of context models
for lossless data compression", 2005).
"""

import numpy as np

from sqzkit.base import jit
from sqzkit.base.errors import FormatError
from sqzkit.coding.kernels import tables

SQUASH = tables.squash_table()
STRETCH = tables.stretch_table()
RATE = tables.rate_table()

FRESH = np.uint32(1 << 31)
INITIAL_RANGE = 0xFFFFFFFF
LOW, RANGE, CODE, POSITION, DECODING = range(5)
LIMIT = tables.STRETCH_LIMIT
WEIGHT_LIMIT = 1 << 20


def compiled(function):
    """Compile a function that allocates no arrays.

    Without numba's reference counts (`_nrt`) each bit takes a third of the
    time; the option is private, so do without it where it is gone.
    """
    try:
        return jit.compiled(nogil=True, _nrt=False)(function)
    except (KeyError, TypeError):
        return allocating(function)


def allocating(function):
    """Compile a function that may allocate arrays."""
    return jit.compiled(nogil=True)(function)


def encoder_state() -> np.ndarray:
    """Return the coder's registers for encoding: int64 [5]."""
    return np.array([0, INITIAL_RANGE, 0, 0, 0], np.int64)


def decoder(coded: bytes | memoryview) -> tuple[np.ndarray, np.ndarray]:
    """Return registers and buffer for decoding, the first four bytes of `coded` read.

    Raises:
      FormatError: these are FF FF FF FF: no code is that large.
    """
    first = int.from_bytes(bytes(coded[:4]).ljust(4, b"\0"), "big")
    if first == INITIAL_RANGE:
        raise FormatError("a coded stream begins with FF FF FF FF, which stands for no value")
    registers = np.array([0, INITIAL_RANGE, first, 4, 1], np.int64)
    return registers, np.frombuffer(coded, np.uint8).copy()


def check_end(coder: tuple[np.ndarray, np.ndarray]) -> None:
    """Raise `FormatError` if bytes are left that the decoder never came to."""
    registers, buffer = coder
    if registers[POSITION] < buffer.size:
        left = buffer.size - int(registers[POSITION])
        raise FormatError(f"a coded stream has {left} bytes more than it needs")


def finish(registers: np.ndarray, buffer: np.ndarray) -> bytes:
    """End an encoding with as few bytes as decide it; a decoder reads zeros behind them."""
    low, high = int(registers[LOW]), int(registers[LOW] + registers[RANGE] - 1)
    for kept in range(5):
        unit = 1 << (32 - 8 * kept)
        value = -(-low // unit) * unit
        if value <= high:
            break
    position = int(registers[POSITION])
    coded = int.from_bytes(buffer[:position].tobytes(), "big")
    coded = (coded << 32) + value
    return coded.to_bytes(position + 4, "big")[: position + kept]


@compiled
def code_bit(registers, buffer, bit, probability):
    """Encode `bit`, or decode and return one, with P(1) = probability / 65536."""
    width = registers[RANGE]
    bound = (width * probability) >> 16
    if registers[DECODING]:
        code = registers[CODE] - bound
        one = code >> 63  # all ones if the bit is 1: a branch would be mispredicted half the time
        code += bound & one
        width = bound + ((width - 2 * bound) & ~one)
        bit = -one
        while width < 1 << 24:
            position = registers[POSITION]
            following = np.int64(buffer[position]) if position < buffer.size else np.int64(0)
            code = (code << 8) | following
            registers[POSITION] = position + 1
            width <<= 8
        registers[CODE] = code
    else:
        if bit:
            width = bound
        else:
            registers[LOW] += bound
            width -= bound
            if registers[LOW] >= 1 << 32:
                registers[LOW] -= 1 << 32
                back = registers[POSITION] - 1
                while buffer[back] == 255:
                    buffer[back] = 0
                    back -= 1
                buffer[back] += 1
        while width < 1 << 24:
            buffer[registers[POSITION]] = registers[LOW] >> 24
            registers[POSITION] += 1
            registers[LOW] = (registers[LOW] << 8) & 0xFFFFFFFF
            width <<= 8
    registers[RANGE] = width
    return bit


@compiled
def update_slot(slots, index, bit, limit):
    """Move the slot towards `bit` by a step that shrinks until `limit` bits were seen."""
    slot = np.int64(slots[index])
    seen = slot & 1023
    probability = slot >> 10
    target = -np.int64(bit) & 4194303
    probability += ((target - probability) * RATE[seen]) >> 16
    slots[index] = (probability << 10) | (seen + (1 if seen < limit else 0))


@compiled
def mixed_bit(coder, bit, slots, chosen, count, weights, first, rate, limit):
    """Code one bit by mixing slots, and let them learn it.

    Args:
      coder: the registers and the buffer.
      bit: what to encode; anything when decoding.
      slots: uint32 [...], all slots.
      chosen: int64 [...], the first `count` name the slots to mix.
      count: how many.
      weights: int32 [...], mixing weights, 65536 = 1.
      first: where this mixer's begin.
      rate: learning rate of the weights.
      limit: see `update_slot`.
    """
    total = np.int64(0)
    for k in range(count):
        total += np.int64(STRETCH[slots[chosen[k]] >> 20]) * weights[first + k]
    total >>= 16
    total = min(max(total, -LIMIT), LIMIT)
    probability = np.int64(SQUASH[total + LIMIT])
    bit = code_bit(coder[0], coder[1], bit, probability)
    error = ((np.int64(bit) << 16) - probability) * rate
    for k in range(count):
        stretched = np.int64(STRETCH[slots[chosen[k]] >> 20])
        moved = np.int64(weights[first + k]) + ((stretched * error + (1 << 17)) >> 18)
        weights[first + k] = min(max(moved, -WEIGHT_LIMIT), WEIGHT_LIMIT)
        update_slot(slots, chosen[k], bit, limit)
    return bit
