"""Which filters an offspring inherits: evolutionary synthesis over synaptic strengths.

Shafiee, Mishra and Wong, "Deep Learning with Darwin: Evolutionary Synthesis of
Deep Neural Networks" (2016), and SquishedNets (Shafiee, Li, Chwyl and Wong,
2017): the network of a generation is drawn from its ancestor's synaptic
strengths, P(H_g) = P(H_g | H_g-1) * R. Strong synapses are likely to be passed
on, and the environmental factor R < 1 leaves room for fewer of them each time.

Here the unit is the channel (a filter and everything that reads it), because
an offspring must be a smaller dense network: phones gain nothing from zeros.
"""

import numpy as np

from sqzkit.keras import keras
from sqzkit.models.folding import fold
from sqzkit.models.spec import SqueezeNetSpec
from sqzkit.search.surgery import Convolution, convolutions, group_sizes


def synaptic_strengths(model: keras.Model, spec: SqueezeNetSpec) -> dict[str, np.ndarray]:
    """Return the strength of every channel that may be cut.

    A channel is as strong as what it brings times what is made of it: the norm
    of the synapses that form it (batch normalization folded in, all filters
    that are added into it together), times the norm of those that read it.

    Args:
      model: made by `squeezenet.build(spec, ...)`.
      spec: its specification.

    Returns:
      By group: float64 [channels], 0 or more.
    """
    sizes = group_sizes(spec)
    formed = {name: np.zeros(size) for name, size in sizes.items()}
    read = {name: np.zeros(size) for name, size in sizes.items()}
    for convolution in convolutions(spec):
        squares = _folded_kernel(model, convolution).astype(np.float64) ** 2
        if convolution.outputs is not None:
            end = convolution.first + convolution.filters
            formed[convolution.outputs][convolution.first : end] += squares.sum(axis=(0, 1, 2))
        if convolution.inputs is not None:
            read[convolution.inputs] += squares.sum(axis=(0, 1, 3))
    return {name: np.sqrt(formed[name] * read[name]) for name in sizes}


def inheritance(strengths: np.ndarray, environment: float) -> np.ndarray:
    """Return how likely each channel is passed on, P(H_g | H_g-1) * R.

    P grows with exp(s / Z - 1), Z the group's greatest strength, as in the
    paper, and is scaled to a mean of 1 before R is multiplied: R is the share
    of channels that survives on average, whatever the layer's weights look
    like. What would exceed 1 is shared out among the others.

    Args:
      strengths: float64 [channels], 0 or more.
      environment: R, above 0 and at most 1.

    Returns:
      float64 [channels], above 0 and at most 1, with mean `environment`.
    """
    greatest = strengths.max()
    relative = strengths / greatest if greatest > 0 else np.ones_like(strengths)
    chances = np.exp(relative - 1)
    certain = np.zeros(len(chances), bool)
    while True:
        left = environment * len(chances) - np.count_nonzero(certain)
        scaled = np.where(certain, 1.0, chances * left / max(chances[~certain].sum(), 1e-300))
        exceeding = ~certain & (scaled > 1)
        if not exceeding.any() or left <= 0:
            return np.minimum(scaled, 1.0)
        certain |= exceeding


def draw(
    strengths: dict[str, np.ndarray], environment: float, seed: tuple[int, ...]
) -> dict[str, np.ndarray]:
    """Draw which channels an offspring inherits.

    Args:
      strengths: what `synaptic_strengths` returned.
      environment: R, above 0 and at most 1.
      seed: the same seed draws the same offspring.

    Returns:
      By group: bool [channels], never all false (the strongest stays then).
    """
    generator = np.random.default_rng(seed)
    kept = {}
    for name, values in strengths.items():
        kept[name] = generator.random(len(values)) < inheritance(values, environment)
        if not kept[name].any():
            kept[name][values.argmax()] = True
    return kept


def _folded_kernel(model: keras.Model, convolution: Convolution) -> np.ndarray:
    kernel, *bias = model.get_layer(convolution.name).get_weights()
    name = f"{convolution.name}/bn"
    if name not in {layer.name for layer in model.layers}:
        return kernel
    return fold(kernel, bias[0] if bias else None, model.get_layer(name))[0]
