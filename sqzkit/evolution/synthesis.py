"""Which filters an offspring inherits: evolutionary synthesis over synaptic strengths.

Shafiee, Mishra and Wong, "Deep Learning with Darwin: Evolutionary Synthesis of
Deep Neural Networks" (2016), and SquishedNets (Shafiee, Li, Chwyl and Wong,
2017): the network of a generation is drawn from its ancestor's synaptic
strengths, P(H_g) = P(H_g | H_g-1) R. Strong synapses are likely to be passed
on, and the environmental factor R < 1 leaves room for fewer of them each time.

Here the unit is the channel (a filter and everything that reads it), because an offspring must be
a smaller dense network: zeros in a dense tensor save no time on phones.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from sqzkit.base.keras import keras
from sqzkit.evolution.surgery import convolutions, group_parts, group_sizes
from sqzkit.models.inference import fold
from sqzkit.models.spec import SqueezeNetSpec

Counts = Mapping[str, Sequence[tuple[int, int]]]  # by group and part: channels, and how many stay


def synaptic_strengths(model: keras.Model, spec: SqueezeNetSpec) -> dict[str, np.ndarray]:
    """Return the strength of every channel that may be cut: by group float64 [channels], from 0 on.

    The strength of a channel is the variance of its activation (of all filters that are added into
    it) times the energy of the synapses that read it. The variance follows from the batch
    normalization, without any image; in a network without it, the energy of the weights that form
    the channel is used instead. The mean of an activation does not count: the layers that read the
    channel can replace it by a bias.
    """
    sizes = group_sizes(spec)
    carried = {name: np.zeros(size) for name, size in sizes.items()}
    read = {name: np.zeros(size) for name, size in sizes.items()}
    layers = {layer.name: layer for layer in model.layers}
    linear_layers = ("bypass1x1",) if spec.squeeze_relu else ("bypass1x1", "squeeze1x1")
    for convolution in convolutions(spec):
        kernel, *bias = layers[convolution.name].get_weights()
        normalization = layers.get(f"{convolution.name}/bn")
        if normalization is not None:
            kernel = fold(kernel, bias[0] if bias else None, normalization)[0]
        energy = kernel.astype(np.float64) ** 2
        if convolution.outputs is not None:
            end = convolution.first + convolution.filters
            signal = energy.sum(axis=(0, 1, 2))
            if normalization is not None:
                linear = convolution.name.endswith(linear_layers)
                signal = activation_variance(normalization, rectified=not linear)
            carried[convolution.outputs][convolution.first : end] += signal
        if convolution.inputs is not None:
            read[convolution.inputs] += energy.sum(axis=(0, 1, 3))
    return {name: carried[name] * read[name] for name in sizes}


def activation_variance(
    normalization: keras.layers.BatchNormalization, rectified: bool
) -> np.ndarray:
    """Return the variance of what a batch normalization gives, float64 [channels].

    Its outputs have mean beta and standard deviation gamma; taken as normally
    distributed, their rectification has known moments.
    """
    mean = normalization.beta.numpy().astype(np.float64)
    deviation = np.abs(normalization.gamma.numpy().astype(np.float64))
    if not rectified:
        return np.asarray(np.square(deviation))
    ratio = mean / np.maximum(deviation, 1e-12)
    below = np.array([math.erf(value / math.sqrt(2)) for value in ratio]) / 2 + 0.5
    density = np.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi)
    first = mean * below + deviation * density
    second = (mean**2 + deviation**2) * below + mean * deviation * density
    return np.asarray(np.maximum(second - first**2, 0))


def inheritance(strengths: np.ndarray, environment: float) -> np.ndarray:
    """Return the probability with which each channel is passed on, float64 [channels], 0..1.

    P = 1 - exp(-b s): a channel without strength is never passed on, a strong one nearly always. b
    is chosen for each layer so that the share that survives on average is the environmental factor
    R, above 0 and at most 1; less survives only where more than 1 - R of the channels have no
    strength at all. (SquishedNets multiply by R; then the layers with weak channels would vanish
    first.)
    """
    strong = strengths > 0
    if environment * len(strengths) >= np.count_nonzero(strong):
        return strong.astype(np.float64)
    relative = strengths / strengths[strong].mean()
    low, high = 0.0, 1.0
    while -np.expm1(-high * relative).mean() < environment and high < 1e300:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        enough = -np.expm1(-middle * relative).mean() >= environment
        low, high = (low, middle) if enough else (middle, high)
    return np.asarray(-np.expm1(-high * relative))


def draw(
    strengths: dict[str, np.ndarray], environment: float, seed: tuple[int, ...]
) -> dict[str, np.ndarray]:
    """Draw which channels an offspring inherits; the same seed draws the same offspring.

    Of `synaptic_strengths` and R (above 0 and at most 1), by group: bool [channels], never all
    false (the strongest stays then).
    """
    generator = np.random.default_rng(seed)
    kept = {}
    for name, values in strengths.items():
        kept[name] = generator.random(len(values)) < inheritance(values, environment)
        if not kept[name].any():
            kept[name][values.argmax()] = True
    return kept


def draw_counted(
    strengths: dict[str, np.ndarray], counts: Counts, seed: tuple[int, ...]
) -> dict[str, np.ndarray]:
    """Draw an offspring with a given number of channels; strong ones are likelier, as in `draw`.

    Each channel comes after a time that is distributed exponentially with its strength as rate, and
    the first ones are inherited. By the time b, a channel has come with `inheritance`'s probability
    1 - exp(-b s): only the number is fixed instead of b.

    Args:
      strengths: of `synaptic_strengths`.
      counts: of `channel_counts`.
      seed: decides which.

    Returns:
      By group: bool [channels].
    """
    generator = np.random.default_rng(seed)
    kept = {}
    for name, values in strengths.items():
        with np.errstate(divide="ignore"):
            times = generator.exponential(size=len(values)) / values
        parts = np.split(np.arange(len(values)), np.cumsum([size for size, _ in counts[name]])[:-1])
        kept[name] = np.zeros(len(values), bool)
        for part, (_, count) in zip(parts, counts[name], strict=True):
            kept[name][part[np.argsort(times[part], kind="stable")[:count]]] = True
    return kept


def channel_counts(
    ancestor: SqueezeNetSpec, parent: SqueezeNetSpec, share: float, multiple: int
) -> Counts:
    """Return how many channels an offspring has where numbers of filters are multiples.

    They follow from the ancestor's: from the parent's, 0.92 of 16 would be rounded to 16 for ever.

    Args:
      ancestor: the network before the first generation.
      parent: of the offspring.
      share: of the ancestor's channels that is left in this generation, above 0 and at most 1.
      multiple: 1 or more.

    Returns:
      For each group, by its parts (`group_parts`): channels of the parent and of the offspring,
      which is the nearest multiple and not 0, but never more than the parent has.
    """
    whole, now = group_parts(ancestor), group_parts(parent)
    return {
        group: [
            (size, min(size, max(1, round(first * share / multiple)) * multiple))
            for first, size in zip(whole[group], now[group], strict=True)
        ]
        for group in now
    }
