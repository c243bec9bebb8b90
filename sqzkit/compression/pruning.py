"""Gradual magnitude pruning by TF-MOT, with a sparsity for each layer.

Zhu and Gupta, "To prune, or not to prune", 2017 (the cubic ramp); Han et al.,
"Learning both weights and connections", 2015.
"""

from collections.abc import Mapping

import numpy as np

from sqzkit.base.keras import keras
from sqzkit.compression import kernels, quantization, tfmot

RAMP_SHARE = 0.6  # of the steps; the rest lets the survivors recover under a fixed mask
MASK_UPDATES = 60
MAX_TIED = 0.01  # share of a layer's weights; if more zeros are missing, the mask is wrong


def schedule(target: float, steps: int) -> tfmot.PolynomialDecay:
    """Return the ramp from 0 to `target` over the first part of `steps`.

    The end of the ramp is rounded to a multiple of `frequency`: TF-MOT updates
    the mask only at those steps, so otherwise the target is never reached.
    """
    ramp = max(1, int(steps * RAMP_SHARE))
    frequency = max(1, ramp // MASK_UPDATES)
    end = max(1, ramp // frequency) * frequency
    return tfmot.PolynomialDecay(0.0, target, 0, end, frequency=frequency)


def wrap(model: keras.Model, targets: Mapping[str, float], steps: int) -> keras.Model:
    """Return a trainable model whose kernels are pruned in `steps` steps of training.

    Args:
      model: plain and flat, with or without batch normalization; the weights are shared with it.
      targets: share of zeros by layer name; 0 leaves a layer as it is.
      steps: number of training steps, 2 or more.
    """

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        if not targets.get(layer.name):
            return layer
        ramp = schedule(targets[layer.name], steps)
        return tfmot.prune_low_magnitude(layer, pruning_schedule=ramp)

    wrapped = keras.models.clone_model(model, clone_function=clone)
    for layer in tfmot.collect_prunable_layers(wrapped):
        # What TF-MOT's UpdatePruningStep callback does when training begins;
        # done here, a resumed run cannot start the ramp again.
        layer.pruning_step.assign(0)
    return wrapped


def wrap_pruned(model: keras.Model, targets: Mapping[str, float]) -> keras.Model:
    """Prune the kernels of `model` at once, and return a model that trains what is left.

    The schedule of Han et al. 2015 without its repetitions; `quantization.strip`
    takes the weights out again. Arguments are those of `wrap`.
    """
    for layer in kernels.weighted_layers(model):
        if targets.get(layer.name):
            layer.kernel.assign(kernels.prune_once(layer.kernel.numpy(), targets[layer.name]))
    return quantization.wrap_float(model, {})


def strip(wrapped: keras.Model, targets: Mapping[str, float]) -> dict[str, list[np.ndarray]]:
    """Return the pruned weights by plain layer name (`kernels.write_weights`).

    Of weights that are equally large at the last update, TF-MOT's mask keeps all: published weights
    in float16 have many, and those of dead channels never change. So if a few zeros are missing,
    the smallest weights are set to zero here.

    Args:
      wrapped: as `wrap` returned it, trained.
      targets: those of `wrap`.
    """
    for layer in tfmot.collect_prunable_layers(wrapped):
        layer.pruning_obj.weight_mask_op()
    weights = kernels.read_weights(tfmot.strip_pruning(wrapped))
    for name, target in targets.items():
        kernel = weights[name][0]
        missing = kernels.zeros_due(kernel.size, target) - np.count_nonzero(kernel == 0)
        if target and 0 < missing <= max(1, MAX_TIED * kernel.size):
            weights[name][0] = kernels.prune_once(kernel, target)
    return weights
