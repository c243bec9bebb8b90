"""Compiled linear predictors of a weight and of its magnitude.

Both learn while they go, by normalised least mean squares, from weights that
the decoder already has: neighbours within the kernel, earlier outputs, running
means. 32-bit arithmetic suffices: weights stay within 2 (131072) and features
within 512, so that no sum or step leaves an int32 (docs/sqz.md, "Predictors").

numba's cache on disk follows changes of the module a function is in, not of
those it calls: after changing a kernel module remove `__pycache__`.
"""

import numpy as np

from sqzkit.coding.kernels.binary import allocating, compiled

TAPS = 16
BESIDE = 6
BOUND = np.int32(1 << 17)
VALUE_SPEED, VALUE_FLOOR = 30064771, 2000
SCALE_SPEED, SCALE_FLOOR = 21474836, 1600
FIRST_SCALE_WEIGHT = 4000
LEAST_STEP = 8192  # smaller steps would hardly move a weight and are left out
LEFT, UP, CORNER, CORNER2, BEFORE, BEFORE2, ABOVE, ABOVE2 = range(8)
NEIGHBOURS = 10

# Running means, kept as 256 times the magnitude.
OF_OUTPUT, OF_ALL, ROW_LEVEL, ALL_LEVEL, ROW_DENSITY = range(5)


@allocating
def new_state():
    """Return taps, features, scales, and the weights of both predictors."""
    value_weights = np.zeros(TAPS, np.int32)
    scale_weights = np.full(TAPS, FIRST_SCALE_WEIGHT, np.int32)
    features, scales = np.zeros(TAPS, np.int32), np.zeros(TAPS, np.int32)
    return np.zeros(TAPS, np.int64), features, scales, value_weights, scale_weights


@compiled
def find_taps(taps, shape, place, here):
    """Fill `taps` with where, in the padded tensor, each neighbour's run of inputs begins.

    The first BESIDE are, for kernels larger than 1x1, left, up, up-left,
    up-right, two left, two up (0, a run of zeros, outside the kernel); the rest
    are the same place in earlier outputs, the latest first. Returns how many
    are beside: BESIDE or 0.
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
        taps[k] = max(here - (k - beside + 1) * height * width * inputs, 0)
    return beside


@compiled
def gather(features, near, tensor, taps, beside, here, channel):
    """Fill `features` [TAPS] with the taps' values and `near` [NEIGHBOURS] with the closest."""
    for k in range(TAPS - 2):
        features[k] = tensor[taps[k] + channel]
    features[TAPS - 2] = tensor[here - 1] if channel >= 1 else 0
    features[TAPS - 1] = tensor[here - 2] if channel >= 2 else 0
    for k in range(4):
        near[k] = features[k] if beside else 0
    near[BEFORE] = features[TAPS - 2]
    near[BEFORE2] = features[TAPS - 1]
    for k in range(4):
        near[ABOVE + k] = features[beside + k]


@compiled
def linear(weights, features):
    """Return sum(weights * features), 65536 times the prediction."""
    total = np.int32(0)
    for k in range(TAPS):
        total += weights[k] * features[k]
    return np.int64(total)


@compiled
def learn(weights, features, error, rate):
    """Move `weights` along `features` by the error (65536 = 1) over their energy."""
    speed, floor = rate
    energy = np.int32(floor)
    for k in range(TAPS):
        energy += features[k] * features[k]
    step = np.int32((error * (speed // np.int64(energy))) >> 16)
    if abs(step) < LEAST_STEP:
        return
    for k in range(TAPS):
        moved = weights[k] + ((step * features[k] + 32768) >> 16)
        weights[k] = min(max(moved, -BOUND), BOUND)


@compiled
def find_scales(scales, near, means, of_place, of_input, of_position):
    """Fill `scales` [TAPS] with what tells a magnitude, in quarter steps."""
    for k in range(NEIGHBOURS):
        scales[k] = abs(near[k]) << 2
    scales[NEIGHBOURS] = of_place >> 6
    scales[NEIGHBOURS + 1] = of_input >> 6
    scales[NEIGHBOURS + 2] = means[OF_OUTPUT] >> 6
    scales[NEIGHBOURS + 3] = of_position >> 6
    scales[NEIGHBOURS + 4] = means[OF_ALL] >> 6


@compiled
def start_output(means):
    """Reset what is known of an output to what is known of all."""
    means[OF_OUTPUT] = means[OF_ALL]
    means[ROW_LEVEL] = means[ALL_LEVEL]
    means[ROW_DENSITY] = 32768


@compiled
def approach(values, index, target, speed):
    """Move an entry by 2^-speed of its distance to `target`."""
    values[index] += (target - values[index]) >> speed
