"""Compiled linear predictors of a weight and of its magnitude.

Both learn with each weight, by normalized least mean squares, from what the
decoder already has: neighbours within the kernel, earlier outputs, running
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
MIN_STEP = 8192  # smaller steps would hardly move a weight and are left out
LEFT, UP, CORNER, CORNER2, BEFORE, BEFORE2, ABOVE, ABOVE2 = range(8)
NEIGHBOURS = 10
# The features that a reference takes the place of, in tensors that have one.
REFERENCE, SCALE_REFERENCE = TAPS - 3, TAPS - 1

# Running means. Those of a magnitude are kept 256-fold, densities 65536-fold.
OF_PLACE, OF_INPUT, OF_OUTPUT, OF_POSITION, OF_ALL = range(5)
LEVEL, ROW_LEVEL, ALL_LEVEL, DENSITY, ROW_DENSITY = range(5, 10)
MEANS = 10
FIRST_MEAN, FIRST_LEVEL, FIRST_DENSITY = 8 << 8, 16 << 8, 1 << 15


@allocating
def new_predictors():
    """Return taps, features, scales, and the weights of both predictors."""
    value_weights = np.zeros(TAPS, np.int32)
    scale_weights = np.full(TAPS, FIRST_SCALE_WEIGHT, np.int32)
    features, scales = np.zeros(TAPS, np.int32), np.zeros(TAPS, np.int32)
    return np.zeros(TAPS, np.int64), features, scales, value_weights, scale_weights


@allocating
def new_means(shape):
    """Return the running means of one weight, and those remembered for later outputs.

    The latter are remembered only where they are asked for a third time: the
    first answer is a constant, and the second follows from one weight. Two
    bytes each, they never take more memory than three times the tensor.
    """
    outputs, height, width, inputs = shape
    places = height * width
    later = inputs if outputs * places > 2 else 0
    memory = (
        np.empty(places * inputs if outputs > 2 else 0, np.uint16),
        np.empty(places if outputs > 1 else 0, np.uint16),
        np.empty(later, np.uint16),
        np.empty(later, np.uint16),
        np.empty(later, np.uint16),
    )
    means = np.full(MEANS, FIRST_MEAN, np.int64)
    means[ALL_LEVEL] = FIRST_LEVEL
    return means, memory


@compiled
def find_taps(taps, shape, output, place, here):
    """Fill `taps` with where each neighbour's run of inputs begins, -1 outside the tensor.

    The first BESIDE are, for kernels larger than 1x1, left, up, up-left,
    up-right, two left, two up; the rest are the same place in earlier outputs,
    the latest first. Returns how many are beside: BESIDE or 0.
    """
    _, height, width, inputs = shape
    beside = 0
    if height * width > 1:
        beside = BESIDE
        row, column, line = place // width, place % width, width * inputs
        taps[0] = here - inputs if column >= 1 else -1
        taps[1] = here - line if row >= 1 else -1
        taps[2] = here - line - inputs if row >= 1 and column >= 1 else -1
        taps[3] = here - line + inputs if row >= 1 and column + 1 < width else -1
        taps[4] = here - 2 * inputs if column >= 2 else -1
        taps[5] = here - 2 * line if row >= 2 else -1
    for k in range(beside, TAPS - 2):
        back = k - beside + 1
        taps[k] = here - back * height * width * inputs if back <= output else -1
    return beside


@compiled
def gather(features, near, values, taps, beside, here, channel):
    """Fill `features` [TAPS] with the taps' values and `near` [NEIGHBOURS] with the closest."""
    for k in range(TAPS - 2):
        features[k] = values[taps[k] + channel] if taps[k] >= 0 else 0
    features[TAPS - 2] = values[here - 1] if channel >= 1 else 0
    features[TAPS - 1] = values[here - 2] if channel >= 2 else 0
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
    if abs(error) * (speed // floor) < (MIN_STEP - 1) << 16:
        return  # whatever the energy, the step would be too small
    energy = np.int32(floor)
    for k in range(TAPS):
        energy += features[k] * features[k]
    step = np.int32((error * (speed // np.int64(energy))) >> 16)
    if abs(step) < MIN_STEP:
        return
    for k in range(TAPS):
        moved = weights[k] + ((step * features[k] + 32768) >> 16)
        weights[k] = min(max(moved, -BOUND), BOUND)


@compiled
def find_scales(scales, near, means):
    """Fill `scales` [TAPS] with what tells a magnitude, in quarter steps."""
    for k in range(NEIGHBOURS):
        scales[k] = abs(near[k]) << 2
    for k in range(OF_ALL + 1):
        scales[NEIGHBOURS + k] = means[k] >> 6


@compiled
def start_output(means):
    """Reset what is known of an output to what is known of all."""
    means[OF_OUTPUT] = means[OF_ALL]
    means[ROW_LEVEL] = means[ALL_LEVEL]
    means[ROW_DENSITY] = FIRST_DENSITY


@compiled
def recall_position(means, memory, output, place):
    """Take up the mean of a position in the kernel."""
    means[OF_POSITION] = memory[1][place] if output > 0 else FIRST_MEAN


@compiled
def recall(means, memory, values, turn, here, spot, channel):
    """Bring the means of this weight's place and input up to the weight that was there last.

    Args:
      means: the running means, of which four are written.
      memory: see `new_means`.
      values: all weights so far.
      turn: output, outputs, visit, visits, kernel, inputs: how often this place
        and this input were met and will be met, and how far back they lie.
      here: the weight's place in `values`.
      spot: its place in the kernel.
      channel: its place among the inputs.
    """
    output, outputs, visit, visits, kernel, inputs = turn
    mean = np.int64(FIRST_MEAN)
    if output > 0:
        mean = np.int64(memory[0][spot]) if output > 1 else mean
        mean += ((abs(np.int64(values[here - kernel])) << 8) - mean) >> 3
        if output + 1 < outputs:
            memory[0][spot] = mean
    means[OF_PLACE] = mean
    mean, level, density = np.int64(FIRST_MEAN), np.int64(FIRST_LEVEL), np.int64(FIRST_DENSITY)
    if visit > 0:
        if visit > 1:
            mean, level = np.int64(memory[2][channel]), np.int64(memory[3][channel])
            density = np.int64(memory[4][channel])
        magnitude = abs(np.int64(values[here - inputs])) << 8
        mean += (magnitude - mean) >> 5
        density += ((65535 if magnitude else 0) - density) >> 4
        level += (magnitude - level) >> 4 if magnitude else 0
        if visit + 1 < visits:
            memory[2][channel], memory[3][channel], memory[4][channel] = mean, level, density
    means[OF_INPUT], means[LEVEL], means[DENSITY] = mean, level, density


@compiled
def remember(means, magnitude):
    """Let the means that run from weight to weight know a magnitude."""
    fixed = magnitude << 8
    approach(means, OF_OUTPUT, fixed, 5)
    approach(means, OF_POSITION, fixed, 5)
    approach(means, OF_ALL, fixed, 8)
    approach(means, ROW_DENSITY, 65535 if magnitude else 0, 5)
    if magnitude:
        approach(means, ROW_LEVEL, fixed, 4)
        approach(means, ALL_LEVEL, fixed, 9)


@compiled
def approach(means, which, target, speed):
    """Move a mean by 2^-speed of its distance to `target`."""
    means[which] += (target - means[which]) >> speed
