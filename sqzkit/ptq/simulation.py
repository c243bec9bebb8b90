"""The network in float32 TensorFlow, with int8 activations simulated on request.

The int8 file differs from the float model in its rounded kernels and in every
activation being rounded to one of 256 values; the integer sums in between
are exact. Simulated, rounding can be judged, and trained, before a file exists.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from sqzkit.ptq.graph import Graph, Operation

Tensor = Any
LEVELS = 255  # steps between an int8 tensor's smallest and largest value


@dataclasses.dataclass(frozen=True)
class Range:
    """The values one activation scale can hold: `lowest` to `lowest + 255`, times `step`."""

    step: float
    lowest: int = 0

    @classmethod
    def of(cls, low: float, high: float) -> "Range":
        """Return the range of [low, high], widened to hold zero exactly."""
        low, high = min(float(low), 0.0), max(float(high), 0.0)
        step = max((high - low) / LEVELS, 1e-12)
        return cls(step, round(low / step))


def run(
    graph: Graph, weights: Mapping[str, tuple[Tensor, Tensor]], images: Tensor
) -> dict[str, Tensor]:
    """Return every operation's result by name, computed in float.

    Args:
      graph: the operations.
      weights: kernel float32 HWIO and bias float32 [O] by convolution.
      images: float32 [N, S, S, 3], raw RGB 0..255.
    """
    values: dict[str, Tensor] = {"": images}
    for item in graph.operations:
        inputs = [values[name] for name in item.inputs]
        values[item.name] = apply(graph, item, inputs, weights.get(item.name))
    return values


def batches(images: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Yield float32 batches of at most `size` of uint8 images [N, S, S, 3]."""
    for start in range(0, len(images), size):
        yield images[start : start + size].astype(np.float32)


def round_to(value: Tensor, site: Range) -> Tensor:
    """Return `value` rounded to `site`; the gradient passes where it is not clipped."""
    import tensorflow as tf

    low, high = site.lowest * site.step, (site.lowest + LEVELS) * site.step
    clipped = tf.clip_by_value(value, low, high)
    return clipped + tf.stop_gradient(tf.round(clipped / site.step) * site.step - clipped)


def apply(
    graph: Graph, item: Operation, inputs: list[Tensor], own: tuple[Tensor, Tensor] | None
) -> Tensor:
    """Return the result of one operation on its inputs; `own` are a convolution's weights."""
    import tensorflow as tf

    if own is not None:
        value = tf.nn.conv2d(inputs[0], own[0], item.stride, item.padding) + own[1]
        return tf.nn.relu(value) if item.relu else value
    if item.kind == "max":
        return tf.nn.max_pool2d(inputs[0], item.pool, item.stride, item.padding)
    if item.kind == "concat":
        return tf.concat(inputs, axis=-1)
    if item.kind == "add":
        return tf.add_n(inputs)
    if item.kind == "constant":
        return inputs[0] + graph.constants[item.name]
    return tf.reduce_mean(inputs[0], axis=(1, 2))
