"""Quantization-aware training with TF-MOT's wrappers, laid out for Fire modules.

`tfmot.quantization.keras.quantize_apply` is not used: on SqueezeNet its
layout transforms replace the quantizers of every convolution before a ReLU
layer or a Concatenate, so that half of the kernels lose zeros and codebooks.
Which layer quantizes what is decided here instead:

    convolution        its kernel; its output too where no ReLU follows
    ReLU               its output, unless a Concatenate follows
    Concatenate, Add, global pooling     the output
    everything else    nothing

The ranges of outputs are the smallest and largest values seen, as in the
converter's calibration. (TF-MOT's default, a moving average that starts from
-6..6 and moves by a thousandth a step, clips for thousands of steps.)
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from sqzkit.base.keras import keras
from sqzkit.compression import kernels, tfmot
from sqzkit.compression.quantizers import (
    CodebookQuantizer,
    GridQuantizer,
    KernelQuantizer,
    MaskedQuantizer,
)

MAX_DISTINCT = 255  # more values than int8 has are no codebook

layers = keras.layers


class LayerQuantizeConfig(tfmot.QuantizeConfig):  # type: ignore[misc]
    """Quantizes a layer's kernel by `kernel` unless that is None, and its output if `output`."""

    def __init__(self, kernel: KernelQuantizer | None, output: bool) -> None:
        self.kernel = kernel
        self.output = output

    def get_weights_and_quantizers(self, layer: keras.layers.Layer) -> list[Any]:
        """Return the kernel with its quantizer."""
        return [(layer.kernel, self.kernel)] if self.kernel else []

    def get_activations_and_quantizers(self, layer: keras.layers.Layer) -> list[Any]:
        """Return nothing: activations are layers of their own here."""
        return []

    def set_quantize_weights(self, layer: keras.layers.Layer, weights: list[tf.Tensor]) -> None:
        """Let the layer multiply by the quantized kernel."""
        if weights:
            layer.kernel = weights[0]

    def set_quantize_activations(self, layer: keras.layers.Layer, activations: list[Any]) -> None:
        """Do nothing: see `get_activations_and_quantizers`."""
        del layer, activations  # AutoGraph cannot transform an empty body

    def get_output_quantizers(self, layer: keras.layers.Layer) -> list[Any]:
        """Return the output's quantizer."""
        if not self.output:
            return []
        return [
            tfmot.AllValuesQuantizer(
                num_bits=8, per_axis=False, symmetric=False, narrow_range=False
            )
        ]

    def get_config(self) -> dict[str, Any]:
        """Return what the constructor needs."""
        return {"kernel": self.kernel, "output": self.output}


def wrap(model: keras.Model, grids: Mapping[str, tuple[float, int]]) -> keras.Model:
    """Return a model that trains `model` (shared weights) under int8 rounding.

    Zeros of the kernels stay zeros, and a kernel of at most 255 distinct
    values keeps which weights share one.

    Args:
      model: plain, without batch normalization.
      grids: (step, largest level) by name, of layers clustered in uniform steps.
    """
    read = kernels.read_kernels(model).items()
    shared = {name for name, kernel in read if np.unique(kernel).size <= MAX_DISTINCT}
    return _wrap(model, grids, shared, eight_bits=True)


def wrap_float(
    model: keras.Model, grids: Mapping[str, tuple[float, int]], shared: Collection[str] = ()
) -> keras.Model:
    """Return a model that trains `model` in float; zeros stay zeros.

    Kernels in `grids` stay on their grid; of those in `shared` the shared values are trained.
    """
    return _wrap(model, grids, shared, eight_bits=False)


def strip(wrapped: keras.Model) -> dict[str, list[np.ndarray]]:
    """Return the trained weights by plain layer name (`kernels.write_weights`).

    Kernels are those the last training step left, before 8-bit rounding.
    """
    weights = {}
    for layer in wrapped.layers:
        if not isinstance(layer, tfmot.QuantizeWrapperV2):
            if layer.weights:
                weights[layer.name] = layer.get_weights()
        elif layer._weight_vars:  # no public way to a wrapper's kernel
            ((variable, quantizer, own),) = layer._weight_vars
            bias = [layer.layer.bias.numpy()] if layer.layer.use_bias else []
            weights[layer.layer.name] = [quantizer.kernel(variable, own).numpy(), *bias]
    return weights


def _wrap(
    model: keras.Model,
    grids: Mapping[str, tuple[float, int]],
    shared: Collection[str],
    eight_bits: bool,
) -> keras.Model:
    weighted = set(kernels.layer_names(model))
    configs = {}
    for layer in model.layers:
        kernel: KernelQuantizer | None = None
        if layer.name in grids:
            kernel = GridQuantizer(*grids[layer.name], eight_bits)
        elif layer.name in weighted:
            kernel = (CodebookQuantizer if layer.name in shared else MaskedQuantizer)(eight_bits)
        output = eight_bits and quantizes_output(layer)
        if kernel or output:
            configs[layer.name] = LayerQuantizeConfig(kernel, output)

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        if layer.name not in configs:
            return layer
        return tfmot.QuantizeWrapperV2(layer, configs[layer.name])

    return keras.models.clone_model(model, clone_function=clone)


def quantizes_output(layer: keras.layers.Layer) -> bool:
    """Return whether TensorFlow Lite stores the output of `layer` as int8 of its own range."""
    consumers = [node.outbound_layer for node in layer.outbound_nodes]
    if isinstance(layer, layers.Conv2D | layers.Dense):
        return not any(isinstance(consumer, layers.ReLU) for consumer in consumers)
    if isinstance(layer, layers.ReLU):
        return not any(isinstance(consumer, layers.Concatenate) for consumer in consumers)
    return isinstance(layer, layers.Concatenate | layers.Add | layers.GlobalAveragePooling2D)
