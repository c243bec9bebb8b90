"""Round a network layer by layer, each on what the rounded layers before it give."""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from sqzkit.ptq import rounding, simulation
from sqzkit.ptq.calibration import Calibration
from sqzkit.ptq.graph import Array, Graph, Operation, Weights
from sqzkit.ptq.simulation import Range

POSITIONS = 300  # of each photograph that a layer's moments are taken from
_CONSTANT = 1e-3  # variance over squared mean, below which an input is nearly constant
_DAMPING = 0.01  # of the mean input variance, for directions the photographs lack
_MIN_SENSITIVITY = 0.05  # of the layer's mean
_BIAS_BITS = 14  # that a bias takes in an update if it changes
_PASSES = 2  # the first gives the second its prices
_BATCH = 10
_LARGEST = 60_000  # int8 steps that float16 holds
_MIN_STEP = 1e-6  # of an empty kernel: XNNPACK refuses ratios of scales below 2**-32


@dataclasses.dataclass(frozen=True)
class Rounded:
    """One layer in int8.

    Attributes:
      kernel: int8 HWIO.
      step: the kernel's scale, positive; or one for each output, [O].
      bias: float32 [O], corrected for the mean error of the kernel.
    """

    kernel: Array
    step: float | Array
    bias: Array

    @property
    def values(self) -> Array:
        """The kernel in real units, float32 HWIO."""
        return (self.kernel * np.asarray(self.step, np.float64)).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Older:
    """What a file that is updated has of a layer.

    Attributes:
      codes: int8 HWIO.
      step: its scale, positive.
      bias: float [O].
      known: which outputs it has, bool [O].
    """

    codes: Array
    step: float
    bias: Array
    known: Array


def round_network(
    graph: Graph,
    weights: Weights,
    measured: Calibration,
    price: float,
    seed: int,
    older: Mapping[str, Older] | None = None,
) -> dict[str, Rounded]:
    """Return every convolution in int8, at one price for a bit in all layers.

    The price is in units of squared logit error per bit: equal slopes in all
    layers are the best allocation of bits between them. With price p, a step
    of sqrt(12 p / (ln 2 s)) is where a finer one costs as much as it gains, s
    being what a squared weight error does to the logits.

    Args:
      graph: the network.
      weights: as from `read_model`, perhaps equalized.
      measured: of the same weights.
      price: positive; larger gives fewer bytes.
      seed: of the sampled positions.
      older: what a file has that is updated: bits are then those of differences from it.
    """
    generator = np.random.default_rng(seed)
    exact = {"": _Map(measured.images, 1.0)}
    disturbed = dict(exact)
    readers = Counter(name for item in graph.operations for name in item.inputs)
    rounded: dict[str, Rounded] = {}
    for item in graph.operations:
        inputs = [exact[name] for name in item.inputs]
        disturbed_inputs = [disturbed[name] for name in item.inputs]
        own = weights.get(item.name)
        if own is not None:
            places = _places(item, own[0].shape[0], inputs[0].values.shape, generator)
            sample = _Sample(_patches(inputs[0], places), _patches(disturbed_inputs[0], places))
            gains = measured.sensitivities[item.name]
            before = older[item.name] if older else None
            rounded[item.name] = _round_layer(*own, sample, gains, price, before)
        site = measured.ranges[item.site]
        exact[item.name] = _apply(graph, item, inputs, own, site, rounds=False)
        disturbed[item.name] = _apply(
            graph,
            item,
            disturbed_inputs,
            own and (rounded[item.name].values, rounded[item.name].bias),
            site,
            rounds=item.kind not in ("max", "concat"),
        )
        for name in item.inputs:
            readers[name] -= 1
            if not readers[name]:
                del exact[name], disturbed[name]
    return rounded


class _Sample:
    """Moments of a convolution's inputs, exact (x) and disturbed (y), about their means."""

    def __init__(self, x: Array, y: Array) -> None:
        self.exact_mean = x.mean(axis=0, dtype=np.float64)
        self.mean = y.mean(axis=0, dtype=np.float64)
        moments = (y.T @ y / len(y)).astype(np.float64) - np.outer(self.mean, self.mean)
        crossed = (y.T @ x / len(y)).astype(np.float64) - np.outer(self.mean, self.exact_mean)
        if np.trace(moments) < _CONSTANT * np.square(self.mean).sum():
            # Behind a layer that lost nearly all weights, the difference would be rounding alone.
            centred = y - self.mean
            moments = centred.T @ centred / len(y)
            crossed = centred.T @ (x - self.exact_mean) / len(y)
        damping = _DAMPING * max(np.trace(moments) / len(moments), 1e-12) * np.eye(len(moments))
        self.moments, self.crossed = moments + damping, crossed + damping


def _round_layer(
    kernel: Array,
    bias: Array,
    sample: _Sample,
    sensitivity: Array,
    price: float,
    older: Older | None,
) -> Rounded:
    rows = kernel.reshape(-1, kernel.shape[3]).T.astype(np.float64)
    targets = rounding.retarget(rows, sample.moments, sample.crossed)
    gains = np.maximum(sensitivity, max(_MIN_SENSITIVITY * sensitivity.mean(), 1e-30))
    step = older.step if older else best_step(targets, sample.moments, gains, price)
    levels = np.clip(np.rint(targets / step), -rounding.MAX_LEVEL, rounding.MAX_LEVEL)
    before = older.codes.reshape(rows.T.shape).T.astype(np.int64) if older else None
    known = older.known if older else np.zeros(len(rows), bool)
    for _ in range(_PASSES):
        new = targets[~known], step, sample.moments, gains[~known], price
        bits = rounding.bits_by_level(levels[~known])
        rounded = np.zeros(levels.shape, np.int8)
        rounded[~known] = rounding.round_filters(*new, bits)
        if before is not None and known.any():
            old = targets[known], step, sample.moments, gains[known], price
            moves = rounding.bits_by_level(levels[known] - before[known], rounding.MAX_MOVE)
            rounded[known] = rounding.settle_filters(*old, moves, before[known])
        levels = rounded
    if not levels.any() and older is None:
        # Where nothing reads a layer, `best_step` takes any step; the bias needs a fine one.
        step = max(float(np.float32(np.abs(targets).max() / rounding.MAX_LEVEL)), _MIN_STEP)
    corrected = bias + rows @ sample.exact_mean - (levels * step) @ sample.mean
    if older:
        stays = gains / 2 * (corrected - older.bias) ** 2 <= _BIAS_BITS * price
        corrected = np.where(stays & known, older.bias, corrected)
    shaped = np.ascontiguousarray(levels.T.reshape(kernel.shape)).astype(np.int8)
    return Rounded(shaped, step, corrected.astype(np.float32))


def best_step(targets: Array, moments: Array, gains: Array, price: float) -> float:
    """Return the step at which a finer one would cost as many bits as it gains accuracy.

    Never so fine that the largest weight would not fit into int8.
    """
    slope = rounding.conditional_log_variance(targets, moments) + float(np.log(gains).mean())
    fit = np.sqrt(12 * price / np.log(2) * np.exp(-slope))
    # All-zero layers have no largest weight; any positive step serves them.
    return float(np.float32(max(fit, np.abs(targets).max() / rounding.MAX_LEVEL, 1e-12)))


@dataclasses.dataclass(frozen=True)
class _Map:
    """One operation's result on all photographs: `values` [N, H, W, C], in steps of `step`.

    Maps of 200 photographs take gigabytes. Float16 holds every int8 code exactly, and what is not
    rounded with an error far below a step.
    """

    values: Array
    step: float

    def real(self, *index: Any) -> Array:
        """Return these values in real units, float32."""
        return self.values[index].astype(np.float32) * np.float32(self.step)


def _apply(
    graph: Graph,
    item: Operation,
    inputs: list[_Map],
    own: tuple[Array, Array] | None,
    site: Range,
    rounds: bool,
) -> _Map:
    """Return one operation's result on all photographs, rounded to `site` if asked."""
    count = len(inputs[0].values)
    kept: Array | None = None
    for start in range(0, count, _BATCH):
        batch = slice(start, start + _BATCH)
        result = simulation.apply(graph, item, [one.real(batch) for one in inputs], own)
        found = np.asarray(simulation.round_to(result, site) if rounds else result)
        if kept is None:
            kept = np.empty((count, *found.shape[1:]), np.float16)
        kept[batch] = np.clip(found / np.float32(site.step), -_LARGEST, _LARGEST)
    assert kept is not None  # there are photographs
    return _Map(kept, site.step)


@dataclasses.dataclass(frozen=True)
class _Places:
    """Drawn output positions: photograph, first row and column in a map padded by `margin`."""

    photos: Array
    rows: Array
    columns: Array
    side: int
    margin: int


def _places(
    item: Operation, side: int, inputs: tuple[int, ...], generator: np.random.Generator
) -> _Places:
    """Draw output positions of a convolution whose input is [N, H, W, C]."""
    margin = (side - 1) // 2 if item.padding == "SAME" else 0
    height, width = ((length + 2 * margin - side) // item.stride + 1 for length in inputs[1:3])
    each = min(POSITIONS, height * width)
    drawn = [generator.permutation(height * width)[:each] for _ in range(inputs[0])]
    photos = np.repeat(np.arange(inputs[0]), each)
    rows, columns = np.unravel_index(np.concatenate(drawn), (height, width))
    return _Places(photos, rows * item.stride, columns * item.stride, side, margin)


def _patches(source: _Map, places: _Places) -> Array:
    """Return float32 [count, side * side * C]: the inputs of the drawn positions, as HWI."""
    margin, values = places.margin, source.values
    if margin:
        values = np.pad(values, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    padded = _Map(values, source.step)
    taps = [
        padded.real(places.photos, places.rows + y, places.columns + x)
        for y in range(places.side)
        for x in range(places.side)
    ]
    return np.concatenate(taps, axis=1)
