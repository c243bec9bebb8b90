"""Measure a network on photographs: activation ranges, and how much each output matters."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from sqzkit.ptq import simulation
from sqzkit.ptq.graph import Array, Graph, Weights
from sqzkit.ptq.simulation import LEVELS, Range

BATCH = 10
_RANGE_IMAGES = 25  # photographs on which shares of a range are compared
# Shares of the largest value that a scale may cover: clipping rare peaks
# leaves finer steps for everything else.
_SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What was measured, and on what.

    Attributes:
      images: uint8 [N, S, S, 3], raw RGB.
      logit_variance: of a photograph's logits about their mean.
      ranges: activation scale by site.
      sensitivities: float64 [O] by convolution: what a unit of squared error in
        a channel, at every position, does to the logits' mean squared error.
    """

    images: Array
    logit_variance: float
    ranges: dict[str, Range]
    sensitivities: dict[str, Array]


def calibrate(graph: Graph, weights: Weights, images: Array, seed: int) -> Calibration:
    """Return what the float network shows on uint8 images [N, S, S, 3]."""
    extremes: dict[str, tuple[float, float]] = {}
    variances = []
    for values in _run(graph, weights, images):
        variances.append(values[graph.operations[-1].name].var(axis=1).mean())
        for item in graph.operations:
            low, high = extremes.get(item.site, (0.0, 0.0))
            value = values[item.name]
            extremes[item.site] = (min(low, float(value.min())), max(high, float(value.max())))
    sensitivities = measure_sensitivities(graph, weights, images, seed)
    few = images[:: max(1, len(images) // _RANGE_IMAGES)]
    ranges = choose_ranges(graph, weights, few, extremes)
    return Calibration(images, float(np.mean(variances)), ranges, sensitivities)


def channel_ranges(graph: Graph, weights: Weights, images: Array) -> dict[str, Array]:
    """Return each convolution's largest output by channel: float32 [O] by name."""
    largest: dict[str, Array] = {}
    for values in _run(graph, weights, images):
        for item in graph.convolutions():
            found = values[item.name].max(axis=(0, 1, 2))
            largest[item.name] = np.maximum(largest.get(item.name, found), found)
    return {name: np.maximum(values, 0) for name, values in largest.items()}


def choose_ranges(
    graph: Graph,
    weights: Weights,
    images: Array,
    extremes: Mapping[str, tuple[float, float]],
) -> dict[str, Range]:
    """Return for every site the scale with the least squared error on images uint8 [N, S, S, 3].

    Logits are never clipped, as the largest of them are the answer; neither are sites with negative
    values, whose zero point belongs to the file. `extremes` are the smallest and largest value by
    site, zero among them.
    """
    errors = {site: np.zeros(len(_SHARES)) for site in extremes}
    for values in _run(graph, weights, images):
        for item in graph.operations:
            if item.kind in ("max", "concat") or extremes[item.site][0] < 0:
                continue
            for index, share in enumerate(_SHARES):
                step = np.float32(share * extremes[item.site][1] / LEVELS + 1e-12)
                rounded = np.minimum(np.rint(values[item.name] / step), LEVELS) * step
                errors[item.site][index] += float(((rounded - values[item.name]) ** 2).sum())
    ranges = {}
    for site, (low, high) in extremes.items():
        share = _SHARES[int(errors[site].argmin())]
        ranges[site] = Range.of(low * share, high * share)
    return {**ranges, **_logit_ranges(graph, extremes)}


def measure_sensitivities(
    graph: Graph, weights: Weights, images: Array, seed: int
) -> dict[str, Array]:
    """Return for every convolution how much an error in each channel matters.

    From the squared gradients of a random combination of all logits, which are
    in the mean the squared Jacobian's: every class counts the same, also those
    of which no photograph was given (the gradients of a loss would know only
    the classes seen, and the rest would be rounded to nothing).
    """
    generator = np.random.default_rng(seed)
    totals = {item.name: np.zeros(graph.channels[item.name]) for item in graph.convolutions()}
    classes = graph.channels[graph.operations[-1].name]
    for batch in simulation.batches(images, BATCH):
        random = generator.standard_normal((len(batch), classes)) / np.sqrt(classes)
        for name, found in _squared_gradients(graph, weights, batch, random).items():
            totals[name] += found
    return {name: total / len(images) for name, total in totals.items()}


def _squared_gradients(
    graph: Graph, weights: Weights, batch: Array, combination: Array
) -> dict[str, Array]:
    """Return the squared gradients of combined logits, summed over photographs and positions."""
    import tensorflow as tf

    items = graph.convolutions()
    with tf.GradientTape() as tape:
        watched = {name: (kernel, tf.constant(bias)) for name, (kernel, bias) in weights.items()}
        tape.watch([bias for _, bias in watched.values()])
        values = simulation.run(graph, watched, batch)
        combined = tf.reduce_sum(values[graph.operations[-1].name] * combination.astype(np.float32))
    gradients = tape.gradient(combined, [values[item.name] for item in items])
    squares = {}
    for item, gradient in zip(items, gradients, strict=True):
        # Where a ReLU gives zero, a small error before it changes nothing.
        live = values[item.name] > 0 if item.relu else True
        squared = tf.where(live, gradient, 0.0) ** 2
        squares[item.name] = tf.reduce_sum(squared, axis=(0, 1, 2)).numpy()
    return squares


def _run(graph: Graph, weights: Weights, images: Array) -> Iterator[dict[str, Array]]:
    for batch in simulation.batches(images, BATCH):
        values = simulation.run(graph, weights, batch)
        yield {name: value.numpy() for name, value in values.items() if name}


def _logit_ranges(graph: Graph, extremes: Mapping[str, tuple[float, float]]) -> dict[str, Range]:
    """Return the ranges of everything after the final mean.

    They share one: adding the small constant of a folded border then moves
    whole levels or none, instead of rounding a second time.
    """
    start = next(i for i, item in enumerate(graph.operations) if item.kind == "mean")
    sites = [item.site for item in graph.operations[start:]]
    low = min(extremes[site][0] for site in sites)
    high = max(extremes[site][1] for site in sites)
    return {site: Range.of(low, high) for site in sites}
