"""Batch normalization folded into the convolution before it, exactly."""

import dataclasses
from typing import Any, TypeVar

import numpy as np

from sqzkit.base.errors import RunError
from sqzkit.base.keras import keras
from sqzkit.models import registry

SpecT = TypeVar("SpecT", bound=Any)


def fold(
    kernel: np.ndarray, bias: np.ndarray | None, normalization: keras.layers.BatchNormalization
) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel and bias that compute a convolution and its normalization at once.

    Args:
      kernel: float32 [..., filters].
      bias: float32 [filters], or None.
      normalization: the batch normalization that follows, in inference mode.

    Returns:
      float32 arrays of the kernel's shape and of shape [filters].
    """
    # In float64, so that the only rounding is the last one.
    variance = normalization.moving_variance.numpy().astype(np.float64)
    factor = 1 / np.sqrt(variance + normalization.epsilon)
    if normalization.scale:
        factor = factor * normalization.gamma.numpy()
    offset = normalization.beta.numpy() if normalization.center else 0.0
    shifted = (0.0 if bias is None else bias) - normalization.moving_mean.numpy().astype(np.float64)
    return (kernel * factor).astype(np.float32), (shifted * factor + offset).astype(np.float32)


def fold_batch_normalization(model: keras.Model, spec: SpecT) -> tuple[SpecT, keras.Model]:
    """Return the specification without normalization and its model, of the same function.

    Args:
      model: as `build(spec, ...)` made it; left as it is.
      spec: the model's `SqueezeNetSpec` or `AlexNetSpec`.

    Raises:
      RunError: the model is not the one the specification describes.
    """
    folded_spec = dataclasses.replace(spec, normalization="none")
    activation = "softmax" if isinstance(model.layers[-1], keras.layers.Softmax) else None
    folded = registry.build(folded_spec, model.input_shape[1], activation)
    sources = {layer.name: layer for layer in model.layers}
    for layer in folded.layers:
        if not layer.weights:
            continue
        if layer.name not in sources:
            raise RunError(f"{layer.name}: the model lacks this layer of its specification")
        layer.set_weights(_folded_weights(sources, layer.name))
    return folded_spec, folded


def _folded_weights(sources: dict[str, keras.layers.Layer], name: str) -> list[np.ndarray]:
    weights = sources[name].get_weights()
    normalization = sources.get(f"{name}/bn")
    if normalization is None:
        return weights
    return list(fold(weights[0], weights[1] if len(weights) > 1 else None, normalization))
