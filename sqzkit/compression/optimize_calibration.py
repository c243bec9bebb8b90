"""What the photographs tell of a network: ranges, and how much each output matters."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from sqzkit.compression import optimize_simulation as simulation
from sqzkit.compression.optimize_graph import Array, Graph, Weights
from sqzkit.compression.optimize_simulation import LEVELS, Range

BATCH = 10
# Shares of the largest value that a scale may cover: clipping rare peaks
# leaves finer steps for everything else.
_SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)


@dataclasses.dataclass(frozen=True)
class Importance:
    """How much a convolution's results matter to the logits.

    Attributes:
      channels: float64 [O], what a unit of squared error in a channel, at
        every position, does to the logits' mean squared error.
      positions: float32 [N, H, W], share of each photograph's positions in that.
    """

    channels: Array
    positions: Array


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What was measured, and on what.

    Attributes:
      images: uint8 [N, S, S, 3], raw RGB.
      ranges: activation scale by site.
      importance: by convolution.
    """

    images: Array
    ranges: dict[str, Range]
    importance: dict[str, Importance]


def calibrate(graph: Graph, weights: Weights, images: Array, seed: int) -> Calibration:
    """Return ranges and importance, measured in float on uint8 images [N, S, S, 3]."""
    ranges = choose_ranges(graph, weights, images)
    return Calibration(images, ranges, measure_importance(graph, weights, images, seed))


def channel_ranges(graph: Graph, weights: Weights, images: Array) -> dict[str, Array]:
    """Return each convolution's largest output by channel: float32 [O] by name."""
    largest: dict[str, Array] = {}
    for values in _run(graph, weights, images):
        for item in graph.convolutions():
            found = values[item.name].max(axis=(0, 1, 2))
            largest[item.name] = np.maximum(largest.get(item.name, found), found)
    return {name: np.maximum(values, 0) for name, values in largest.items()}


def choose_ranges(graph: Graph, weights: Weights, images: Array) -> dict[str, Range]:
    """Return for every site the scale with the least squared error on the photographs.

    Logits are never clipped, as the largest of them are the answer; neither
    are sites with negative values, whose zero point belongs to the file.
    """
    extremes = _extremes(graph, weights, images)
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


def measure_importance(
    graph: Graph, weights: Weights, images: Array, seed: int
) -> dict[str, Importance]:
    """Return for every convolution how much its channels and positions matter.

    From the squared gradients of a random combination of all logits, which are
    in the mean the squared Jacobian's: every class counts the same, also those
    of which no photograph was given (the gradients of a loss would know only
    the classes seen, and the rest would be rounded to nothing).
    """
    import tensorflow as tf

    items = graph.convolutions()
    last = graph.operations[-1].name
    kernels, biases = _parts(weights)

    @tf.function(autograph=False)
    def squared_gradients(batch: tf.Tensor, random: tf.Tensor) -> list[tuple[tf.Tensor, tf.Tensor]]:
        with tf.GradientTape() as tape:
            watched = {name: tf.constant(bias) for name, bias in biases.items()}
            tape.watch(watched)
            values = simulation.run(graph, kernels, watched, batch)
            combined = tf.reduce_sum(values[last] * random)
        found = tape.gradient(combined, [values[item.name] for item in items])
        squares = [
            tf.where(values[item.name] > 0, g, 0.0) ** 2 if item.relu else g**2
            for g, item in zip(found, items, strict=True)
        ]
        return [(tf.reduce_sum(g, axis=(0, 1, 2)), tf.reduce_sum(g, axis=3)) for g in squares]

    generator = np.random.default_rng(seed)
    shape = (graph.channels[last],)
    channels = [np.zeros(graph.channels[item.name]) for item in items]
    positions: list[list[Array]] = [[] for _ in items]
    for batch in simulation.batches(images, BATCH):
        random = generator.standard_normal((len(batch), *shape)) / np.sqrt(shape)
        for index, found in enumerate(squared_gradients(batch, random.astype(np.float32))):
            channels[index] += found[0].numpy()
            positions[index].append(found[1].numpy())
    return {
        item.name: Importance(total / len(images), np.concatenate(maps))
        for item, total, maps in zip(items, channels, positions, strict=True)
    }


def _parts(weights: Weights) -> tuple[dict[str, Array], dict[str, Array]]:
    kernels = {name: kernel for name, (kernel, _) in weights.items()}
    return kernels, {name: bias for name, (_, bias) in weights.items()}


def _run(graph: Graph, weights: Weights, images: Array) -> Iterator[dict[str, Array]]:
    import tensorflow as tf

    kernels, biases = _parts(weights)
    function = tf.function(
        lambda batch: simulation.run(graph, kernels, biases, batch), autograph=False
    )
    for batch in simulation.batches(images, BATCH):
        yield {name: value.numpy() for name, value in function(batch).items() if name}


def _extremes(graph: Graph, weights: Weights, images: Array) -> dict[str, tuple[float, float]]:
    found: dict[str, tuple[float, float]] = {}
    for values in _run(graph, weights, images):
        for item in graph.operations:
            low, high = found.get(item.site, (0.0, 0.0))
            value = values[item.name]
            found[item.site] = (min(low, float(value.min())), max(high, float(value.max())))
    return found


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
