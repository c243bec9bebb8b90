"""The compiled model of plain bytes: a graph, biases, scales, labels.

Orders 0 to 3 and 6, and what stood one and two records before (a record is
`stride` bytes: 4 for floats, int32 and a flatbuffer's words, 1 for text). One
function encodes and decodes. docs/sqz.md, "Mixed bytes", is the specification.
"""

import numpy as np

from sqzkit.coding.kernels.binary import FRESH, allocating, compiled, mixed_bit

ORDERS = 9  # inputs by context
INPUTS = ORDERS + 1  # and one by the longest match
SHORTEST_MATCH, LONGEST_LOOK = 5, 32
MIN_BITS, MAX_BITS = 10, 16
SETS = 32
RATE, SLOT_LIMIT = 14, 255
MULTIPLIER = 0x9E3779B1


def state(size: int) -> tuple[int, np.ndarray, np.ndarray]:
    """Return the adaptive state of a stream of `size` bytes, as `code_bytes` takes it."""
    bits = min(max(size.bit_length() + 3, MIN_BITS), MAX_BITS)
    return bits, np.full(INPUTS << bits, FRESH, np.uint32), np.full(SETS * INPUTS, 17000, np.int32)


@compiled
def spread(key):
    """Return 16 well mixed bits of `key`."""
    key = (key * MULTIPLIER) & 0xFFFFFFFF
    key ^= key >> 15
    key = (key * MULTIPLIER) & 0xFFFFFFFF
    return key >> 16


@compiled
def past(content, at, back):
    """Return the byte `back` before `at`, 0 before the beginning."""
    return np.int64(content[at - back]) if at >= back else np.int64(0)


@compiled
def word_at(content, start, end):
    """Return the little-endian number in bytes start..end - 1."""
    word = np.int64(0)
    for k in range(end - start):
        word |= np.int64(content[start + k]) << (8 * k)
    return word


@compiled
def straight_on(content, at):
    """Return byte `at` if 32-bit words went on in equal steps (offsets in a flatbuffer do)."""
    phase = at % 4
    start = at - phase
    word = np.int64(0)
    if start >= 8:
        word = 2 * word_at(content, start - 4, start) - word_at(content, start - 8, start - 4)
        word = (word & 0xFFFFFFFF) - word_at(content, start, at)
    return (word >> (8 * phase)) & 255


@compiled
def find_contexts(contexts, content, at, stride):
    """Fill `contexts` [INPUTS] with the hashes under which byte `at` is predicted."""
    phase = at % stride
    one, two, three = past(content, at, 1), past(content, at, 2), past(content, at, 3)
    far = past(content, at, stride)
    farther = past(content, at, 2 * stride)
    pair = one << 8 | two
    four = pair << 16 | three << 8 | past(content, at, 4)
    six = spread(four) << 16 | past(content, at, 5) << 8 | past(content, at, 6)
    contexts[0] = spread(phase)
    contexts[1] = spread(1 << 20 | one << 4 | phase)
    contexts[2] = spread(2 << 20 | pair)
    contexts[3] = spread(pair << 8 | three) ^ 3
    contexts[4] = spread(six) ^ 4
    contexts[5] = spread(5 << 20 | far << 4 | phase)
    contexts[6] = spread(far << 16 | farther << 8 | phase) ^ 6
    contexts[7] = spread(far << 16 | one << 8 | phase) ^ 7
    contexts[8] = spread(8 << 20 | straight_on(content, at) << 4 | (at % 4)) ^ 8
    return phase


@compiled
def go_on(content, at, latest, match, length):
    """Return the position behind the longest earlier match of the bytes up to `at`, and its length.

    `latest` [a power of two] remembers behind which byte each hash was last seen.
    """
    if length > 0 and content[match] == content[at]:
        match += 1
        length += 1
    else:
        length = np.int64(0)
    if at + 1 >= SHORTEST_MATCH:
        key = np.int64(0)
        for back in range(SHORTEST_MATCH):
            key = (key * 0x2F0B4C47 + content[at - back] + 1) & 0xFFFFFFFF
        key = spread(key) & (latest.size - 1)
        if length == 0:
            match = latest[key]
            while length < LONGEST_LOOK and match > length:
                if content[match - 1 - length] != content[at - length]:
                    break
                length += 1
        latest[key] = at + 1
    return match, length


@allocating
def code_bytes(coder, content, stride, bits, slots, weights):
    """Encode `content` (uint8), or decode into it."""
    contexts = np.zeros(INPUTS, np.int64)
    chosen = np.zeros(INPUTS, np.int64)
    latest = np.zeros(1 << bits, np.int64)
    mask = (1 << bits) - 1
    match, length = np.int64(0), np.int64(0)
    for at in range(content.size):
        phase = find_contexts(contexts, content, at, stride)
        value = np.int64(content[at])
        guess = np.int64(content[match]) + 256 if length > 0 else np.int64(0)
        first = (min(length, 7) * 4 + min(phase, 3)) * INPUTS
        node = 1
        for depth in range(8):
            for k in range(ORDERS):
                chosen[k] = (k << bits) + ((contexts[k] + node * 0x9E35) & mask)
            chosen[ORDERS] = ORDERS << bits
            if guess >> (8 - depth) == node:
                chosen[ORDERS] += 2 * min(length, 31) + ((guess >> (7 - depth)) & 1)
            bit = (value >> (7 - depth)) & 1
            bit = mixed_bit(coder, bit, slots, chosen, INPUTS, weights, first, RATE, SLOT_LIMIT)
            node = 2 * node + bit
        content[at] = node - 256
        match, length = go_on(content, at, latest, match, length)
