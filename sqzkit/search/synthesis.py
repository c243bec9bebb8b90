"""Which filters an offspring inherits: evolutionary synthesis over synaptic strengths.

Shafiee, Mishra and Wong, "Deep Learning with Darwin: Evolutionary Synthesis of
Deep Neural Networks" (2016), and SquishedNets (Shafiee, Li, Chwyl and Wong,
2017): the network of a generation is drawn from its ancestor's synaptic
strengths, P(H_g) = P(H_g | H_g-1) R. Strong synapses are likely to be passed
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
    """Return how likely each channel is passed on.

    P = 1 - exp(-b s): a channel without strength is never passed on, a strong
    one nearly always. b is chosen so that the share that survives on average
    is the environmental factor R, whatever the layer's weights look like
    (SquishedNets multiply by R; weak layers would then vanish first).

    Args:
      strengths: float64 [channels], 0 or more.
      environment: R, above 0 and at most 1.

    Returns:
      float64 [channels], 0..1, with mean R; less only where more than 1 - R of
      the channels have no strength at all.
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
    return -np.expm1(-high * relative)


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
