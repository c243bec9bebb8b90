"""Published weights into a network, with its own head where the classes are others."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from sqzkit.base.errors import RunError
from sqzkit.base.keras import keras
from sqzkit.models.spec import SqueezeNetSpec

HEAD = "conv10"


def transfer_spec(published: SqueezeNetSpec, classes: int) -> SqueezeNetSpec:
    """Return a published network's specification with a fresh head for other classes.

    The fresh head is neither padded nor rectified: both are habits of the
    published 1,000-class models, and a rectified logit that falls below zero
    no longer learns.
    """
    return dataclasses.replace(published, classes=classes, conv10_padding=0, conv10_relu=False)


def load_weights(
    model: keras.Model,
    weights: Mapping[str, tuple[np.ndarray, np.ndarray]],
    head: bool = True,
) -> list[str]:
    """Copy weights into the convolutions of the same names.

    Where the model normalizes after a convolution, its normalization is set to
    add the bias and change nothing else, so that the function is the same.

    Args:
      model: made by `squeezenet.build`.
      weights: kernel [height, width, inputs, filters] and bias [filters] by layer name.
      head: whether conv10 is copied too; without it, it keeps its fresh weights.

    Returns:
      Names of the convolutions that were set.

    Raises:
      RunError: a convolution has no weights here, or they have another shape.
    """
    loaded = []
    for layer in model.layers:
        if not isinstance(layer, keras.layers.Conv2D) or (layer.name == HEAD and not head):
            continue
        kernel, bias = _fitting(layer, weights)
        if layer.use_bias:
            layer.set_weights([kernel, bias])
        else:
            layer.set_weights([kernel])
            _pass_through(model.get_layer(f"{layer.name}/bn"), bias)
        loaded.append(layer.name)
    return loaded


def _fitting(
    layer: keras.layers.Layer, weights: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    shape = tuple(layer.kernel.shape)
    if layer.name not in weights:
        raise RunError(f"{layer.name}: the weights do not have this layer; choose their network")
    kernel, bias = weights[layer.name]
    if kernel.shape != shape or bias.shape != shape[-1:]:
        raise RunError(
            f"{layer.name}: the weights are {kernel.shape}, the network's {shape}; choose "
            "the weights' own network, or replace the head where only conv10 differs"
        )
    return kernel, bias


def _pass_through(normalization: keras.layers.BatchNormalization, bias: np.ndarray) -> None:
    one = np.ones_like(bias)
    # gamma, beta, mean, variance; epsilon is taken off the variance again.
    variance = one - normalization.epsilon
    normalization.set_weights([one, bias, np.zeros_like(bias), variance])
