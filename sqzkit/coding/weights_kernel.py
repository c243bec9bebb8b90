"""The compiled model of weight tensors: which contexts predict each bit of a weight.

One function both encodes and decodes, so the two cannot disagree. A weight v
(int8, its tensor laid out output, height, width, input) is coded as a zero
flag, a sign, and the eight bits of its magnitude from the top, bits that
follow from the values the tensor uses left out. docs/sqz.md, "Weights", is the
specification; the names here are the names there.
"""

import numpy as np

from sqzkit.coding import tables
from sqzkit.coding.binary_coder import FRESH, code_bit, compiled, mixed_bit, update_slot

LOG0 = tables.logarithm_table(0)
LOG1 = tables.logarithm_table(1)
LOG2 = tables.logarithm_table(2)

TAPS = 16
BESIDE = 6
ZERO_INPUTS, SIGN_INPUTS, MAGNITUDE_INPUTS = 5, 3, 5
ZERO_CONTEXTS = 1024
SIGN_CONTEXTS = 128
MAGNITUDE_CONTEXTS = 64
ZERO_RATE, SIGN_RATE, MAGNITUDE_RATE = 3, 4, 3
SLOT_LIMIT = 1000
CARRIED_LIMIT = 30
WEIGHT_BOUND = np.int32(1 << 17)


class Model:
    """All adaptive state; it lives through the tensors of one archive."""

    def __init__(self) -> None:
        self.used = np.full(2 * 8 * 4, FRESH, np.uint32)
        self.zero = np.full(ZERO_INPUTS * ZERO_CONTEXTS, FRESH, np.uint32)
        self.sign = np.full(SIGN_INPUTS * SIGN_CONTEXTS, FRESH, np.uint32)
        self.magnitude = np.full(MAGNITUDE_INPUTS * MAGNITUDE_CONTEXTS * 256, FRESH, np.uint32)
        self.zero_weights = np.full(16 * ZERO_INPUTS, 20000, np.int32)
        self.sign_weights = np.full(16 * SIGN_INPUTS, 16384, np.int32)
        self.magnitude_weights = np.full(8 * MAGNITUDE_INPUTS, 16384, np.int32)


@compiled
def forget(slots, limit):  # noqa: ANN001, ANN201
    """Let every slot adapt again as if it had seen at most `limit` bits."""
    for index in range(slots.size):
        if slots[index] & 1023 > limit:
            slots[index] = (slots[index] & np.uint32(0xFFFFFC00)) | np.uint32(limit)


@compiled
def code_used(registers, buffer, values, slots, used):  # noqa: ANN001, ANN201
    """Code which values occur; fill used [2, 512], the tree of magnitudes by sign.

    Element [sign, 256 + m] is 1 if the magnitude m occurs with that sign (0 is
    under sign 0), and element n the or of 2n and 2n + 1.
    """
    decoding = registers[4]
    if not decoding:
        for value in values:
            sign = 1 if value < 0 else 0
            used[sign, 256 + abs(np.int64(value))] = 1
    for sign in range(2):
        history = 3
        for magnitude in range(sign, 128 + sign):
            octave = 7 if magnitude > 63 else LOG0[magnitude]
            context = (sign * 8 + octave) * 4 + history
            probability = max(np.int64(slots[context]) >> 16, 32)
            bit = code_bit(registers, buffer, used[sign, 256 + magnitude], min(probability, 65504))
            update_slot(slots, context, bit, 60)
            used[sign, 256 + magnitude] = bit
            history = (history * 2 + bit) & 3
    zero = used[0, 256]
    used[0, 256] = 0
    for sign in range(2):
        for node in range(255, 0, -1):
            used[sign, node] = used[sign, 2 * node] | used[sign, 2 * node + 1]
    return zero


@compiled
def ternary(value):  # noqa: ANN001, ANN201
    """0 for zero, 1 for a positive, 2 for a negative value."""
    if value == 0:
        return 0
    return 1 if value > 0 else 2


@compiled
def find_taps(taps, shape, place, kernel, here):  # noqa: ANN001, ANN201
    """Fill `taps` with where, in the padded tensor, each neighbour's run of inputs begins.

    The first BESIDE are, for kernels larger than 1x1, left, up, up-left,
    up-right, two left, two up (0, a run of zeros, outside the kernel); the rest
    are the same place in earlier outputs, the latest first.
    """
    _, height, width, inputs = shape
    beside = 0
    if height * width > 1:
        beside = BESIDE
        row, column, line = place // width, place % width, width * inputs
        taps[0] = here - inputs if column >= 1 else 0
        taps[1] = here - line if row >= 1 else 0
        taps[2] = here - line - inputs if row >= 1 and column >= 1 else 0
        taps[3] = here - line + inputs if row >= 1 and column + 1 < width else 0
        taps[4] = here - 2 * inputs if column >= 2 else 0
        taps[5] = here - 2 * line if row >= 2 else 0
    for k in range(beside, TAPS - 2):
        taps[k] = max(here - (k - beside + 1) * kernel, 0)
    return beside


@compiled
def linear(weights, features):  # noqa: ANN001, ANN201
    """Return sum(weights * features), 65536 times the prediction, in 32 bits."""
    total = np.int32(0)
    for k in range(TAPS):
        total += weights[k] * features[k]
    return np.int64(total)


@compiled
def learn(weights, features, error, speed, floor):  # noqa: ANN001, ANN201
    """Normalised least mean squares: move `weights` along `features` by the scaled error."""
    energy = np.int32(0)
    for k in range(TAPS):
        energy += features[k] * features[k]
    step = np.int32((error * (speed // (np.int64(energy) + floor))) >> 16)
    for k in range(TAPS):
        moved = weights[k] + ((step * features[k] + 32768) >> 16)
        weights[k] = min(max(moved, -WEIGHT_BOUND), WEIGHT_BOUND)


@compiled
def code_tensor(registers, buffer, values, shape, model):  # noqa: ANN001, ANN201
    """Encode `values` (int8, flat), or decode into it.

    Args:
      shape: outputs, height, width, inputs. model: the arrays of `Model`.
    """
    used_slots, zero_slots, sign_slots, magnitude_slots, zero_w, sign_w, magnitude_w = model
    outputs, height, width, inputs = shape
    decoding = registers[4]
    kernel = height * width * inputs
    used = np.zeros((2, 512), np.uint8)
    zero_used = code_used(registers, buffer, values, used_slots, used)
    forget(zero_slots, CARRIED_LIMIT)
    forget(sign_slots, CARRIED_LIMIT)
    forget(magnitude_slots, CARRIED_LIMIT)
    pad = kernel
    tensor = np.zeros(pad + values.size, np.int16)
    taps = np.zeros(TAPS, np.int64)
    features = np.zeros(TAPS, np.int32)
    value_w = np.zeros(TAPS, np.int32)
    scale_features = np.zeros(TAPS, np.int32)
    scale_w = np.full(TAPS, 4000, np.int32)
    of_place = np.full(kernel, 8 << 8, np.int64)
    of_input = np.full(inputs, 8 << 8, np.int64)
    of_position = np.full(height * width, 8 << 8, np.int64)
    density = np.full(inputs, 32768, np.int64)
    level = np.full(inputs, 16 << 8, np.int64)
    row_level = np.int64(16 << 8)
    all_level = np.int64(16 << 8)
    of_output = np.int64(8 << 8)
    of_all = np.int64(8 << 8)
    zero_in = np.zeros(ZERO_INPUTS, np.int64)
    sign_in = np.zeros(SIGN_INPUTS, np.int64)
    mag_base = np.zeros(MAGNITUDE_INPUTS, np.int64)
    mag_in = np.zeros(MAGNITUDE_INPUTS, np.int64)
    here = pad
    for output in range(outputs):
        of_output = of_all
        row_level = all_level
        row_density = np.int64(32768)
        for place in range(height * width):
            beside = find_taps(taps, shape, place, kernel, here)
            for channel in range(inputs):
                for k in range(TAPS - 2):
                    features[k] = tensor[taps[k] + channel]
                before = np.int32(tensor[here - 1]) if channel >= 1 else np.int32(0)
                before2 = np.int32(tensor[here - 2]) if channel >= 2 else np.int32(0)
                features[TAPS - 2] = before
                features[TAPS - 1] = before2
                predicted = linear(value_w, features)
                left = np.int32(0)
                up = np.int32(0)
                corner = np.int32(0)
                corner2 = np.int32(0)
                if beside:
                    left = features[0]
                    up = features[1]
                    corner = features[2]
                    corner2 = features[3]
                above = features[beside]
                above2 = features[beside + 1]
                spot = place * inputs + channel
                scale_features[0] = abs(left) << 2
                scale_features[1] = abs(up) << 2
                scale_features[2] = abs(corner) << 2
                scale_features[3] = abs(corner2) << 2
                scale_features[4] = abs(before) << 2
                scale_features[5] = abs(before2) << 2
                scale_features[6] = abs(above) << 2
                scale_features[7] = abs(above2) << 2
                scale_features[8] = abs(features[beside + 2]) << 2
                scale_features[9] = abs(features[beside + 3]) << 2
                scale_features[10] = of_place[spot] >> 6
                scale_features[11] = of_input[channel] >> 6
                scale_features[12] = of_output >> 6
                scale_features[13] = of_position[place] >> 6
                scale_features[14] = of_all >> 6
                scale = linear(scale_w, scale_features)
                expected = min(max((scale + 8192) >> 14, 0), 4095)
                quarter = (predicted + 8192) >> 14
                strength = min(abs(quarter), 4095)
                side = 1 if quarter > 0 else 0
                near = abs(left) + abs(up) + abs(before) + abs(before2) + abs(above) + abs(above2)
                strength1 = min(LOG1[strength], 15)
                value = np.int64(values[here - pad])
                nonzero = 1
                if zero_used:
                    if used[0, 1] | used[1, 1]:
                        pattern = (
                            (before != 0)
                            | (before2 != 0) << 1
                            | (left != 0) << 2
                            | (up != 0) << 3
                            | (above != 0) << 4
                            | (above2 != 0) << 5
                            | (corner != 0) << 6
                            | (corner2 != 0) << 7
                        )
                        zero_in[0] = pattern
                        zero_in[1] = (
                            ZERO_CONTEXTS
                            + min(LOG2[min(near, 4095)], 31) * 16
                            + (density[channel] >> 12)
                        )
                        zero_in[2] = (
                            2 * ZERO_CONTEXTS + strength1 * 32 + min(LOG1[level[channel] >> 6], 31)
                        )
                        zero_in[3] = 3 * ZERO_CONTEXTS + min(place, 63) * 16 + (row_density >> 12)
                        zero_in[4] = (
                            4 * ZERO_CONTEXTS
                            + min(LOG2[expected], 63) * 16
                            + min(LOG0[strength], 15)
                        )
                        nonzero = mixed_bit(
                            registers,
                            buffer,
                            1 if value != 0 else 0,
                            zero_slots,
                            zero_in,
                            zero_w,
                            (density[channel] >> 12) * ZERO_INPUTS,
                            ZERO_RATE,
                            SLOT_LIMIT,
                        )
                    else:
                        nonzero = 0
                magnitude = np.int64(0)
                if nonzero:
                    negative = 0
                    if used[0, 1] and used[1, 1]:
                        sign_in[0] = (
                            ternary(left) * 27
                            + ternary(up) * 9
                            + ternary(corner) * 3
                            + ternary(corner2)
                        )
                        sign_in[1] = (
                            SIGN_CONTEXTS
                            + ternary(before) * 9
                            + ternary(before2) * 3
                            + ternary(above)
                        )
                        sign_in[2] = 2 * SIGN_CONTEXTS + strength1 * 2 + side
                        negative = mixed_bit(
                            registers,
                            buffer,
                            1 if value < 0 else 0,
                            sign_slots,
                            sign_in,
                            sign_w,
                            0,
                            SIGN_RATE,
                            SLOT_LIMIT,
                        )
                    elif used[1, 1]:
                        negative = 1
                    along = -quarter if negative else quarter
                    if along >= 0:
                        toward = min(LOG1[min(along, 4095)], 15)
                    else:
                        toward = 16 + min(LOG1[min(-along, 4095)], 15)
                    row_mark = min(max(LOG2[min(row_level >> 6, 4095)] - 0, 0), 63)
                    mag_base[0] = negative
                    mag_base[1] = min(LOG2[expected], 63)
                    mag_base[2] = toward
                    mag_base[3] = row_mark
                    mag_base[4] = min(LOG2[min(near, 4095)], 31) * 2 + negative
                    for k in range(MAGNITUDE_INPUTS):
                        mag_base[k] = (k * MAGNITUDE_CONTEXTS + mag_base[k]) * 256
                    target = abs(value)
                    node = 1
                    for depth in range(8):
                        bit = (target >> (7 - depth)) & 1
                        if used[negative, 2 * node] == 0:
                            bit = np.int64(1)
                        elif used[negative, 2 * node + 1] == 0:
                            bit = np.int64(0)
                        else:
                            for k in range(MAGNITUDE_INPUTS):
                                mag_in[k] = mag_base[k] + node
                            bit = np.int64(
                                mixed_bit(
                                    registers,
                                    buffer,
                                    bit,
                                    magnitude_slots,
                                    mag_in,
                                    magnitude_w,
                                    depth * MAGNITUDE_INPUTS,
                                    MAGNITUDE_RATE,
                                    SLOT_LIMIT,
                                )
                            )
                        node = 2 * node + bit
                    magnitude = np.int64(node - 256)
                    value = -magnitude if negative else magnitude
                else:
                    value = np.int64(0)
                if decoding:
                    values[here - pad] = value
                tensor[here] = value
                # what the next weights are told
                learn(value_w, features, (value << 16) - predicted, 30064771, 2000)
                learn(scale_w, scale_features, (magnitude << 18) - scale, 21474836, 1600)
                fixed = magnitude << 8
                of_place[spot] += (fixed - of_place[spot]) >> 3
                of_input[channel] += (fixed - of_input[channel]) >> 5
                of_output += (fixed - of_output) >> 5
                of_position[place] += (fixed - of_position[place]) >> 5
                of_all += (fixed - of_all) >> 8
                seen = np.int64(65535) if nonzero else np.int64(0)
                density[channel] += (seen - density[channel]) >> 4
                row_density += (seen - row_density) >> 5
                if nonzero:
                    level[channel] += (fixed - level[channel]) >> 4
                    row_level += (fixed - row_level) >> 4
                    all_level += (fixed - all_level) >> 9
                here += 1
