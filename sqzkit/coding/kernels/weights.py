"""The compiled model of weight tensors: which contexts predict each bit of a weight.

One function both encodes and decodes, so the two cannot disagree. A weight v
(int8, its tensor laid out output, height, width, input) is coded as a zero
flag, a sign, and the eight bits of its magnitude from the top, bits that
follow from the values the tensor uses left out. docs/sqz.md, "Weights", is the
specification; the names here are the names there, but for the coefficients of mixers
and predictors, which are weights here.

A tensor of an update may have a reference, the weights at the same places of the
base. Then what is coded are the differences, and each mixer has one more input,
which knows the reference.
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
    BEFORE,
    BEFORE2,
    CORNER,
    CORNER2,
    DENSITY,
    LEFT,
    LEVEL,
    ROW_DENSITY,
    ROW_LEVEL,
    UP,
)

LOG0 = tables.logarithm_table(0)
LOG1 = tables.logarithm_table(1)
LOG2 = tables.logarithm_table(2)
MAX_LOGGED = 4095  # last entry of those

ZERO_INPUTS, SIGN_INPUTS, MAGNITUDE_INPUTS, LOW_INPUTS = 4, 3, 4, 2
ZERO_CONTEXTS, SIGN_CONTEXTS = 1024, 128
# Where the slots of each magnitude context begin. The last two know only the top nodes.
NODES, TOP_NODES = 256, 16
BY_SIGN, BY_EXPECTED = 0, 2 * NODES
BY_STRENGTH = BY_EXPECTED + 64 * NODES
BY_ROW = BY_STRENGTH + 32 * TOP_NODES
BY_REFERENCE = BY_ROW + 64 * TOP_NODES
MAGNITUDE_SLOTS = BY_REFERENCE + 16 * NODES
ZERO_RATE, SIGN_RATE, MAGNITUDE_RATE = 3, 4, 3
SLOT_LIMIT = 1000
CARRIED_LIMIT = 30
USED_LIMIT = 60
VALUE = (predictor.VALUE_SPEED, predictor.VALUE_FLOOR)
SCALE = (predictor.SCALE_SPEED, predictor.SCALE_FLOOR)


def new_model(referenced: int) -> tuple[np.ndarray, ...]:
    """Return all adaptive state of tensors without a reference (0), or with one (1).

    It lives through the tensors of one archive.
    """
    return (
        np.full(2 * 8 * 4, FRESH, np.uint32),  # slots: which values occur
        np.full((ZERO_INPUTS + referenced) * ZERO_CONTEXTS, FRESH, np.uint32),  # not zero
        np.full((SIGN_INPUTS + referenced) * SIGN_CONTEXTS, FRESH, np.uint32),
        np.full(MAGNITUDE_SLOTS if referenced else BY_REFERENCE, FRESH, np.uint32),
        # mixing weights of the last three
        np.full(16 * (ZERO_INPUTS + referenced), 16384 if referenced else 20000, np.int32),
        np.full(SIGN_INPUTS + referenced, 16384, np.int32),
        np.full(8 * (MAGNITUDE_INPUTS + referenced), 16384, np.int32),
    )


@compiled
def forget(slots, limit):
    """Let every slot adapt again as if it had seen at most `limit` bits."""
    for index in range(slots.size):
        slots[index] -= max(slots[index] & 1023, limit) - limit


@compiled
def mark_used(values, start, end, used):
    """Set used [2, 512] at [sign, 256 + magnitude] for each value; zero's sign is 0."""
    for at in range(start, end):
        used[1 if values[at] < 0 else 0, 256 + abs(np.int64(values[at]))] = 1


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
def code_zero(coder, bit, model, work, strength, expected, means, place, base):
    """Code whether a weight is not zero."""
    referenced, reference = base
    chosen, _, near = work
    size = abs(near[LEFT]) + abs(near[UP]) + abs(near[BEFORE]) + abs(near[BEFORE2])
    size = min(size + abs(near[ABOVE]) + abs(near[ABOVE2]), MAX_LOGGED)
    dense = means[DENSITY] >> 12
    chosen[0] = min(LOG2[size], 31) * 16 + dense
    chosen[1] = ZERO_CONTEXTS + min(LOG1[strength], 15) * 32 + min(LOG1[means[LEVEL] >> 6], 31)
    chosen[2] = 2 * ZERO_CONTEXTS + min(place, 63) * 16 + (means[ROW_DENSITY] >> 12)
    chosen[3] = 3 * ZERO_CONTEXTS + min(LOG2[expected], 63) * 16 + min(LOG0[strength], 15)
    chosen[4] = 4 * ZERO_CONTEXTS + min(abs(reference), 63) * 16 + (means[ROW_DENSITY] >> 12)
    inputs = ZERO_INPUTS + referenced
    return mixed_bit(
        coder, bit, model[1], chosen, inputs, model[4], dense * inputs, ZERO_RATE, SLOT_LIMIT
    )


@compiled
def code_sign(coder, bit, model, work, quarter, strength, base):
    """Code whether a weight is negative."""
    referenced, reference = base
    chosen, _, near = work
    chosen[0] = ternary(near[LEFT]) * 27 + ternary(near[UP]) * 9
    chosen[0] += ternary(near[CORNER]) * 3 + ternary(near[CORNER2])
    chosen[1] = SIGN_CONTEXTS + ternary(near[BEFORE]) * 9 + ternary(near[BEFORE2]) * 3
    chosen[1] += ternary(near[ABOVE])
    chosen[2] = 2 * SIGN_CONTEXTS + min(LOG1[strength], 15) * 2 + (1 if quarter > 0 else 0)
    chosen[3] = 3 * SIGN_CONTEXTS + LOG1[abs(reference)] * 2 + (1 if reference > 0 else 0)
    inputs = SIGN_INPUTS + referenced
    return mixed_bit(coder, bit, model[2], chosen, inputs, model[5], 0, SIGN_RATE, SLOT_LIMIT)


@compiled
def find_bases(bases, negative, quarter, strength, expected, row_level, base):
    """Fill `bases` with where the slots begin that predict a magnitude."""
    referenced, reference = base
    against = 16 if (quarter < 0 and not negative) or (quarter > 0 and negative) else 0
    bases[0] = BY_SIGN + negative * NODES
    bases[1] = BY_EXPECTED + min(LOG2[expected], 63) * NODES
    bases[2] = BY_REFERENCE + LOG1[abs(reference)] * NODES
    bases[2 + referenced] = BY_STRENGTH + (min(LOG1[strength], 15) + against) * TOP_NODES
    bases[3 + referenced] = BY_ROW + min(LOG2[row_level >> 6], 63) * TOP_NODES


@compiled
def code_magnitude(coder, magnitude, model, chosen, tree, bases, referenced):
    """Code a magnitude that is not zero, from the top bit, by the tree of those that occur."""
    node = 1
    for depth in range(8):
        bit = (magnitude >> (7 - depth)) & 1
        if tree[2 * node] == 0:
            bit = 1
        elif tree[2 * node + 1] == 0:
            bit = 0
        else:
            inputs = (MAGNITUDE_INPUTS if node < TOP_NODES else LOW_INPUTS) + referenced
            for k in range(inputs):
                chosen[k] = bases[k] + node
            first = depth * (MAGNITUDE_INPUTS + referenced)
            bit = mixed_bit(
                coder, bit, model[3], chosen, inputs, model[6], first, MAGNITUDE_RATE, SLOT_LIMIT
            )
        node = 2 * node + bit
    return node - 256


@compiled
def code_weight(coder, value, model, work, used, clues, means, place, base):
    """Code one weight, of which `clues` and `means` are known; return it."""
    chosen, bases, _ = work
    quarter, expected, zero_used = clues
    strength = min(abs(quarter), MAX_LOGGED)
    if zero_used:
        bit = int(value != 0)
        if not code_zero(coder, bit, model, work, strength, expected, means, place, base):
            return np.int64(0)
    negative = int(used[1, 1])
    if used[0, 1] and used[1, 1]:
        negative = code_sign(coder, int(value < 0), model, work, quarter, strength, base)
    find_bases(bases, negative, quarter, strength, expected, means[ROW_LEVEL], base)
    tree = used[negative]
    magnitude = code_magnitude(coder, abs(value), model, chosen, tree, bases, base[0])
    magnitude = np.int64(magnitude)
    return -magnitude if negative else magnitude


@allocating
def code_weights(coder, values, start, shape, model, used, zero_used, reference, referenced):
    """Encode or decode a tensor's weights one by one, given which of them occur."""
    outputs, height, width, inputs = shape
    places = height * width
    taps, features, scales, value_weights, scale_weights = predictor.new_predictors()
    means, memory = predictor.new_means(shape)
    near = np.zeros(predictor.NEIGHBOURS, np.int32)
    work = (np.zeros(8, np.int64), np.zeros(MAGNITUDE_INPUTS + 1, np.int64), near)
    here = start
    for output in range(outputs):
        predictor.start_output(means)
        for place in range(places):
            beside = predictor.find_taps(taps, shape, output, place, here)
            predictor.recall_position(means, memory, output, place)
            visit, visits = output * places + place, outputs * places
            turn = (output, outputs, visit, visits, places * inputs, inputs)
            for channel in range(inputs):
                predictor.gather(features, near, values, taps, beside, here, channel)
                spot = place * inputs + channel
                predictor.recall(means, memory, values, turn, here, spot, channel)
                predictor.find_scales(scales, near, means)
                base = (referenced, np.int64(reference[here]) if referenced else np.int64(0))
                if referenced:
                    features[predictor.REFERENCE] = base[1]
                    scales[predictor.SCALE_REFERENCE] = abs(base[1]) << 2
                predicted = predictor.linear(value_weights, features)
                scale = predictor.linear(scale_weights, scales)
                clues = (
                    (predicted + 8192) >> 14,
                    min(max((scale + 8192) >> 14, 0), MAX_LOGGED),
                    zero_used,
                )
                value = np.int64(values[here])
                value = code_weight(coder, value, model, work, used, clues, means, place, base)
                values[here] = value
                here += 1
                magnitude = abs(value)
                predictor.learn(value_weights, features, (value << 16) - predicted, VALUE)
                predictor.learn(scale_weights, scales, (magnitude << 18) - scale, SCALE)
                predictor.remember(means, magnitude)
            if output + 1 < outputs:
                memory[1][place] = means[predictor.OF_POSITION]


@allocating
def code_tensors(coder, values, shapes, reference, referenced, models):
    """Encode `values` (int8, flat), or decode into it.

    Args:
      coder: registers and buffer.
      values: the tensors one behind the other.
      shapes: int64 [tensors, 4]: outputs, height, width, inputs.
      reference: int8, like `values`; empty if no tensor has one.
      referenced: int64 [tensors]: 1 for each that has one.
      models: of tensors without a reference, and with one; see `new_model`.

    Returns:
      The number of the first tensor that uses no value at all, which is
      damage; without one, the number of tensors.
    """
    start = 0
    for number in range(len(shapes)):
        shape = (shapes[number, 0], shapes[number, 1], shapes[number, 2], shapes[number, 3])
        own = referenced[number]
        model = models[own]
        end = start + shape[0] * shape[1] * shape[2] * shape[3]
        used = np.zeros((2, 512), np.uint8)
        if not coder[0][DECODING]:
            mark_used(values, start, end, used)
        zero_used = code_used(coder[0], coder[1], model[0], used)
        for slots in model[1:4]:
            forget(slots, CARRIED_LIMIT)
        if used[0, 1] or used[1, 1]:
            code_weights(coder, values, start, shape, model, used, zero_used, reference, own)
        elif not zero_used:
            return number
        start = end
    return len(shapes)
