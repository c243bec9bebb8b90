"""The compiled model of weight tensors: which contexts predict each bit of a weight.

One function both encodes and decodes, so the two cannot disagree. A weight v
(int8, its tensor laid out output, height, width, input) is coded as a zero
flag, a sign, and the eight bits of its magnitude from the top, bits that
follow from the values the tensor uses left out. docs/sqz.md, "Weights", is the
specification; the names here are the names there.
"""

import numpy as np

from sqzkit.coding.kernels import predictors as predictor
from sqzkit.coding.kernels import tables
from sqzkit.coding.kernels.binary import (
    DECODING,
    FRESH,
    allocating,
    code_bit,
    compiled,
    mixed_bit,
    update_slot,
)
from sqzkit.coding.kernels.predictors import (
    ABOVE,
    ABOVE2,
    ALL_LEVEL,
    BEFORE,
    BEFORE2,
    CORNER,
    CORNER2,
    LEFT,
    OF_ALL,
    OF_OUTPUT,
    ROW_DENSITY,
    ROW_LEVEL,
    UP,
    approach,
)

LOG0 = tables.logarithm_table(0)
LOG1 = tables.logarithm_table(1)
LOG2 = tables.logarithm_table(2)
LARGEST = 4095  # last entry of those

ZERO_INPUTS, SIGN_INPUTS, MAGNITUDE_INPUTS, LOW_INPUTS = 4, 3, 4, 2
ZERO_CONTEXTS, SIGN_CONTEXTS, MAGNITUDE_CONTEXTS = 1024, 128, 64
ZERO_RATE, SIGN_RATE, MAGNITUDE_RATE = 3, 4, 3
SLOT_LIMIT = 1000
CARRIED_LIMIT = 30
USED_LIMIT = 60
FIRST_LOW_NODE = 16
VALUE = (predictor.VALUE_SPEED, predictor.VALUE_FLOOR)
SCALE = (predictor.SCALE_SPEED, predictor.SCALE_FLOOR)


class Model:
    """All adaptive state; it lives through the tensors of one archive."""

    def __init__(self) -> None:
        self.used = np.full(2 * 8 * 4, FRESH, np.uint32)
        self.zero = np.full(ZERO_INPUTS * ZERO_CONTEXTS, FRESH, np.uint32)
        self.sign = np.full(SIGN_INPUTS * SIGN_CONTEXTS, FRESH, np.uint32)
        self.magnitude = np.full(MAGNITUDE_INPUTS * MAGNITUDE_CONTEXTS * 256, FRESH, np.uint32)
        self.zero_weights = np.full(16 * ZERO_INPUTS, 20000, np.int32)
        self.sign_weights = np.full(SIGN_INPUTS, 16384, np.int32)
        self.magnitude_weights = np.full(8 * MAGNITUDE_INPUTS, 16384, np.int32)

    def arrays(self) -> tuple[np.ndarray, ...]:
        """Return the state as `code_tensor` takes it."""
        return tuple(vars(self).values())


@compiled
def forget(slots, limit):
    """Let every slot adapt again as if it had seen at most `limit` bits."""
    for index in range(slots.size):
        if slots[index] & 1023 > limit:
            slots[index] = (slots[index] & np.uint32(0xFFFFFC00)) | np.uint32(limit)


@compiled
def mark_used(values, used):
    """Set used [2, 512] at [sign, 256 + magnitude] for each value; zero's sign is 0."""
    for value in values:
        used[1 if value < 0 else 0, 256 + abs(np.int64(value))] = 1


@compiled
def code_used(registers, buffer, slots, used):
    """Code which values occur; return whether zero does and fill the trees above the others.

    Afterwards used[sign, n] tells whether any magnitude below node n of the
    sign's tree occurs: the or of 2n and 2n + 1, leaves at 256 + magnitude.
    """
    for sign in range(2):
        history = 3
        for magnitude in range(sign, 128 + sign):
            octave = 7 if magnitude > 63 else LOG0[magnitude]
            context = (sign * 8 + octave) * 4 + history
            probability = min(max(np.int64(slots[context]) >> 16, 32), 65504)
            bit = code_bit(registers, buffer, used[sign, 256 + magnitude], probability)
            update_slot(slots, context, bit, USED_LIMIT)
            used[sign, 256 + magnitude] = bit
            history = (history * 2 + bit) & 3
    zero = used[0, 256]
    used[0, 256] = 0
    for sign in range(2):
        for node in range(255, 0, -1):
            used[sign, node] = used[sign, 2 * node] | used[sign, 2 * node + 1]
    return zero


@compiled
def ternary(value):
    """Return 0 for zero, 1 for a positive, 2 for a negative value."""
    if value == 0:
        return 0
    return 1 if value > 0 else 2


@compiled
def code_zero(coder, bit, model, chosen, marks, densities, place):
    """Code whether a weight is not zero."""
    near, strength, expected, level = marks
    of_input, of_row = densities
    chosen[0] = min(LOG2[near], 31) * 16 + of_input
    chosen[1] = ZERO_CONTEXTS + min(LOG1[strength], 15) * 32 + min(LOG1[level >> 6], 31)
    chosen[2] = 2 * ZERO_CONTEXTS + min(place, 63) * 16 + of_row
    chosen[3] = 3 * ZERO_CONTEXTS + min(LOG2[expected], 63) * 16 + min(LOG0[strength], 15)
    first = of_input * ZERO_INPUTS
    return mixed_bit(
        coder, bit, model[1], chosen, ZERO_INPUTS, model[4], first, ZERO_RATE, SLOT_LIMIT
    )


@compiled
def code_sign(coder, bit, model, chosen, near, quarter, strength):
    """Code whether a weight is negative."""
    chosen[0] = ternary(near[LEFT]) * 27 + ternary(near[UP]) * 9
    chosen[0] += ternary(near[CORNER]) * 3 + ternary(near[CORNER2])
    chosen[1] = SIGN_CONTEXTS + ternary(near[BEFORE]) * 9 + ternary(near[BEFORE2]) * 3
    chosen[1] += ternary(near[ABOVE])
    chosen[2] = 2 * SIGN_CONTEXTS + min(LOG1[strength], 15) * 2 + (1 if quarter > 0 else 0)
    return mixed_bit(coder, bit, model[2], chosen, SIGN_INPUTS, model[5], 0, SIGN_RATE, SLOT_LIMIT)


@compiled
def code_magnitude(coder, magnitude, model, chosen, tree, contexts):
    """Code a magnitude that is not zero, from the top bit, by the tree of those that occur."""
    node = 1
    for depth in range(8):
        bit = (magnitude >> (7 - depth)) & 1
        if tree[2 * node] == 0:
            bit = 1
        elif tree[2 * node + 1] == 0:
            bit = 0
        else:
            inputs = MAGNITUDE_INPUTS if node < FIRST_LOW_NODE else LOW_INPUTS
            for k in range(inputs):
                chosen[k] = (k * MAGNITUDE_CONTEXTS + contexts[k]) * 256 + node
            first = depth * MAGNITUDE_INPUTS
            bit = mixed_bit(
                coder, bit, model[3], chosen, inputs, model[6], first, MAGNITUDE_RATE, SLOT_LIMIT
            )
        node = 2 * node + bit
    return node - 256


@compiled
def magnitude_contexts(contexts, negative, quarter, strength, expected, row_level):
    """Fill `contexts` [MAGNITUDE_INPUTS] with what a magnitude is predicted by."""
    along = -quarter if negative else quarter
    contexts[0] = negative
    contexts[1] = min(LOG2[expected], 63)
    contexts[2] = min(LOG1[strength], 15) + (0 if along >= 0 else 16)
    contexts[3] = min(LOG2[row_level >> 6], 63)


@compiled
def code_weight(coder, value, model, work, used, clues, place):
    """Code one weight, of which `clues` are known; return its magnitude and whether negative."""
    chosen, contexts, near = work
    quarter, expected, level, densities, row_level = clues
    strength = min(abs(quarter), LARGEST)
    size = abs(near[LEFT]) + abs(near[UP]) + abs(near[BEFORE]) + abs(near[BEFORE2])
    size = np.int64(min(size + abs(near[ABOVE]) + abs(near[ABOVE2]), LARGEST))
    if densities[0] >= 0:
        marks = (size, strength, expected, level)
        if not code_zero(coder, int(value != 0), model, chosen, marks, densities, place):
            return np.int64(0), 0
    negative = int(used[1, 1])
    if used[0, 1] and used[1, 1]:
        negative = code_sign(coder, int(value < 0), model, chosen, near, quarter, strength)
    magnitude_contexts(contexts, negative, quarter, strength, expected, row_level)
    magnitude = code_magnitude(coder, abs(value), model, chosen, used[negative], contexts)
    return np.int64(magnitude), negative


@compiled
def remember(magnitude, means, maps, spot, channel, place):
    """Let the running means know a magnitude."""
    of_place, of_input, of_position, density, level = maps
    fixed = magnitude << 8
    nonzero = 65535 if magnitude else 0
    approach(of_place, spot, fixed, 3)
    approach(of_input, channel, fixed, 5)
    approach(of_position, place, fixed, 5)
    approach(means, OF_OUTPUT, fixed, 5)
    approach(means, OF_ALL, fixed, 8)
    approach(density, channel, nonzero, 4)
    approach(means, ROW_DENSITY, nonzero, 5)
    if magnitude:
        approach(level, channel, fixed, 4)
        approach(means, ROW_LEVEL, fixed, 4)
        approach(means, ALL_LEVEL, fixed, 9)


@allocating
def code_weights(coder, values, shape, model, used, zero_used):
    """Encode or decode `values` one by one, given which of them occur."""
    outputs, height, width, inputs = shape
    here = pad = height * width * inputs
    tensor = np.zeros(pad + values.size, np.int16)
    taps, features, scales, value_weights, scale_weights = predictor.new_state()
    of_place = np.full(pad, 8 << 8, np.int64)
    of_input = np.full(inputs, 8 << 8, np.int64)
    of_position = np.full(height * width, 8 << 8, np.int64)
    density = np.full(inputs, 32768, np.int64)
    level = np.full(inputs, 16 << 8, np.int64)
    maps = (of_place, of_input, of_position, density, level)
    means = np.array([8 << 8, 8 << 8, 16 << 8, 16 << 8, 32768])
    near = np.zeros(predictor.NEIGHBOURS, np.int32)
    work = (np.zeros(8, np.int64), np.zeros(MAGNITUDE_INPUTS, np.int64), near)
    for _ in range(outputs):
        predictor.start_output(means)
        for place in range(height * width):
            beside = predictor.find_taps(taps, shape, place, here)
            for channel in range(inputs):
                predictor.gather(features, near, tensor, taps, beside, here, channel)
                spot = place * inputs + channel
                predictor.find_scales(
                    scales, near, means, of_place[spot], of_input[channel], of_position[place]
                )
                predicted = predictor.linear(value_weights, features)
                scale = predictor.linear(scale_weights, scales)
                expected = min(max((scale + 8192) >> 14, 0), LARGEST)
                quarter = (predicted + 8192) >> 14
                dense = density[channel] >> 12 if zero_used else np.int64(-1)
                densities = (dense, means[ROW_DENSITY] >> 12)
                clues = (quarter, expected, level[channel], densities, means[ROW_LEVEL])
                value = np.int64(values[here - pad])
                magnitude, negative = code_weight(coder, value, model, work, used, clues, place)
                value = -magnitude if negative else magnitude
                values[here - pad] = value
                tensor[here] = value
                here += 1
                predictor.learn(value_weights, features, (value << 16) - predicted, VALUE)
                predictor.learn(scale_weights, scales, (magnitude << 18) - scale, SCALE)
                remember(magnitude, means, maps, spot, channel, place)


@allocating
def code_tensor(coder, values, shape, model):
    """Encode `values` (int8, flat), or decode into it.

    Args:
      coder: registers and buffer.
      values: int8, flat.
      shape: outputs, height, width, inputs.
      model: the arrays of `Model`.

    Returns:
      False if the coded tensor uses no value at all, which is damage.
    """
    used = np.zeros((2, 512), np.uint8)
    if not coder[0][DECODING]:
        mark_used(values, used)
    zero_used = code_used(coder[0], coder[1], model[0], used)
    for slots in model[1:4]:
        forget(slots, CARRIED_LIMIT)
    if used[0, 1] or used[1, 1]:
        code_weights(coder, values, shape, model, used, zero_used)
        return True
    values[:] = 0
    return zero_used == 1
