"""The compiled model of plain bytes: a graph, biases, scales, labels.

Orders 0 to 4 and 6, and what stood one and two records before (a record is
`stride` bytes: 4 for floats, int32 and a flatbuffer's words, 1 for text). One
function encodes and decodes. docs/sqz.md, "Mixed bytes", is the specification.
"""

import numpy as np

from sqzkit.coding.binary_coder import FRESH, compiled, mixed_bit

ORDERS = 12  # inputs by context
INPUTS = ORDERS + 1  # and one by the longest match
MATCH_BITS = 16
SHORTEST_MATCH = 5
TABLE_BITS = 16
TABLE = 1 << TABLE_BITS
SETS = 32
RATE, SLOT_LIMIT = 14, 255
MULTIPLIER = 0x9E3779B1


class Model:
    """Adaptive state of one stream."""

    def __init__(self) -> None:
        self.slots = np.full(INPUTS * TABLE, FRESH, np.uint32)
        self.weights = np.full(SETS * INPUTS, 13000, np.int32)


@compiled
def spread(key):  # noqa: ANN001, ANN201
    """Return TABLE_BITS well mixed bits of `key`."""
    key = (key * MULTIPLIER) & 0xFFFFFFFF
    key ^= key >> 15
    key = (key * MULTIPLIER) & 0xFFFFFFFF
    return key >> (32 - TABLE_BITS)


@compiled
def find_contexts(contexts, content, at, stride):  # noqa: ANN001, ANN201
    """Fill `contexts` [INPUTS] with the hashes under which byte `at` is predicted."""
    b = np.zeros(13, np.int64)
    for back in range(1, 13):
        if at >= back:
            b[back] = content[at - back]
    phase = at % stride
    far = np.int64(content[at - stride]) if at >= stride else np.int64(0)
    farther = np.int64(content[at - 2 * stride]) if at >= 2 * stride else np.int64(0)
    farthest = np.int64(content[at - 3 * stride]) if at >= 3 * stride else np.int64(0)
    two = b[1] << 8 | b[2]
    four = two << 16 | b[3] << 8 | b[4]
    contexts[0] = spread(phase)
    contexts[1] = spread(1 << 20 | b[1] << 4 | phase)
    contexts[2] = spread(2 << 20 | two)
    contexts[3] = spread(two << 8 | b[3]) ^ 3
    contexts[4] = spread(four) ^ 4
    contexts[5] = spread(spread(four) << 16 | b[5] << 8 | b[6]) ^ 5
    contexts[6] = spread(6 << 20 | far << 4 | phase)
    contexts[7] = spread(far << 16 | farther << 8 | phase) ^ 7
    contexts[8] = spread(far << 16 | b[1] << 8 | phase) ^ 8
    contexts[9] = spread(far << 24 | farther << 16 | farthest << 8 | b[1]) ^ 9
    contexts[10] = spread(10 << 20 | b[4] << 8 | b[3]) ^ 10
    last, before, so_far = np.int64(0), np.int64(0), np.int64(0)
    if at >= 8 + at % 4:
        word = at - at % 4
        for k in range(4):
            last |= np.int64(content[word - 4 + k]) << (8 * k)
            before |= np.int64(content[word - 8 + k]) << (8 * k)
        for k in range(at % 4):
            so_far |= np.int64(content[word + k]) << (8 * k)
    straight = (2 * last - before) & 0xFFFFFFFF
    ahead = (straight - so_far) >> (8 * (at % 4))
    contexts[11] = spread(11 << 20 | (ahead & 255) << 4 | (at % 4)) ^ 11
    return phase


@compiled
def code_bytes(coder, content, stride, slots, weights):  # noqa: ANN001, ANN201, PLR0913
    """Encode `content` (uint8), or decode into it."""
    contexts = np.zeros(INPUTS, np.int64)
    chosen = np.zeros(INPUTS, np.int64)
    latest = np.zeros(1 << MATCH_BITS, np.int64)
    match, length = np.int64(0), np.int64(0)
    for at in range(content.size):
        phase = find_contexts(contexts, content, at, stride)
        value = np.int64(content[at])
        guess = np.int64(content[match]) + 256 if length > 0 else np.int64(0)
        node = 1
        for depth in range(8):
            for k in range(ORDERS):
                chosen[k] = k * TABLE + ((contexts[k] + node * 0x9E35) & (TABLE - 1))
            chosen[ORDERS] = ORDERS * TABLE
            if guess >> (8 - depth) == node:
                chosen[ORDERS] += 2 * min(length, 31) + ((guess >> (7 - depth)) & 1)
            first = (min(length, 7) * 4 + min(phase, 3)) * INPUTS
            bit = mixed_bit(
                coder,
                (value >> (7 - depth)) & 1,
                slots,
                chosen,
                INPUTS,
                weights,
                first,
                RATE,
                SLOT_LIMIT,
            )
            node = 2 * node + bit
        content[at] = node - 256
        if length > 0 and content[match] == content[at]:
            match += 1
            length += 1
        else:
            length = np.int64(0)
        if at + 1 >= SHORTEST_MATCH:
            key = np.int64(0)
            for back in range(SHORTEST_MATCH):
                key = (key * 0x2F0B4C47 + content[at - back] + 1) & 0xFFFFFFFF
            key = spread(key)
            if length == 0:
                match = latest[key]
                while (
                    length < 32
                    and match - length > 0
                    and content[match - 1 - length] == content[at - length]
                ):
                    length += 1
            latest[key] = at + 1
