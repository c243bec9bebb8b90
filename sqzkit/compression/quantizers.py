"""Weight quantizers for TF-MOT's wrappers that cannot lose zeros or shared values.

TF-MOT's own cluster-preserving quantizers assign weights to centroids again at
every step and take some layer-wide codebooks for per-channel ones. Its layout
transforms give the layers before a Concatenate or a ReLU layer the plain 8-bit
quantizer or none (see docs/compression.md). With these three, the assignment of
weights to zero and to shared values is a constant of the graph.

All fake-quantize as the converter will: int8, one symmetric range a tensor.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from sqzkit.base.keras import keras
from sqzkit.compression import tfmot

Variables = dict[str, Any]


class KernelQuantizer(tfmot.LastValueQuantizer):  # type: ignore[misc]
    """Base: what is multiplied is `kernel(...)`, fake-quantized to int8 on top if `eight_bits`."""

    def __init__(self, eight_bits: bool = True) -> None:
        super().__init__(num_bits=8, per_axis=False, symmetric=True, narrow_range=True)
        self.eight_bits = eight_bits

    def build(self, tensor_shape: Any, name: str, layer: keras.layers.Layer) -> Variables:
        """Create the variables in the wrapper `layer`, whose kernel holds its first value."""
        first = layer.layer.kernel.numpy()
        own = self.variables(first, layer)
        return {**own, **super().build(tensor_shape, name, layer)}

    def __call__(
        self, inputs: tf.Tensor, training: bool, weights: Variables, **_: Any
    ) -> tf.Tensor:
        """Return what the layer multiplies by: float32, the kernel's shape."""
        kernel = self.kernel(inputs, weights)
        if not self.eight_bits:
            return kernel
        return tfmot.LastValueQuantize(
            kernel,
            weights["min_var"],
            weights["max_var"],
            # The range follows the kernel at evaluation too: it is a function
            # of the weights, and those of the last step are what is kept.
            is_training=True,
            num_bits=self.num_bits,
            per_channel=False,
            symmetric=True,
            narrow_range=True,
        )

    def variables(self, first: np.ndarray, layer: keras.layers.Layer) -> Variables:
        """Create what `kernel` needs, from the kernel's `first` value."""
        raise NotImplementedError

    def kernel(self, inputs: tf.Tensor, weights: Variables) -> tf.Tensor:
        """Return the float kernel with its zeros and shared values."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return what the constructor needs."""
        return {"eight_bits": self.eight_bits}


class MaskedQuantizer(KernelQuantizer):
    """Zeros stay zeros; the other weights are trained."""

    def variables(self, first: np.ndarray, layer: keras.layers.Layer) -> Variables:
        """Create the mask."""
        return {"mask": _constant(layer, "zero_mask", (first != 0).astype(np.float32))}

    def kernel(self, inputs: tf.Tensor, weights: Variables) -> tf.Tensor:
        """Return the masked kernel."""
        return inputs * weights["mask"]


class CodebookQuantizer(KernelQuantizer):
    """Weights that share a value keep sharing it; the values are trained.

    This is Deep Compression's trained quantization (Han et al. 2016, section
    3): the gradient of a centroid is the sum over the weights assigned to it.
    """

    def variables(self, first: np.ndarray, layer: keras.layers.Layer) -> Variables:
        """Create the codebook and the codes."""
        values, codes = np.unique(first, return_inverse=True)
        codes = codes.reshape(first.shape).astype(np.int32)
        centroids = layer.add_weight(
            "centroids",
            shape=values.shape,
            initializer=keras.initializers.Constant(values),
            trainable=True,
        )
        nonzero = (values != 0).astype(np.float32)
        return {
            "centroids": centroids,
            "nonzero": _constant(layer, "nonzero_centroids", nonzero),
            "codes": _constant(layer, "codes", codes),
        }

    def kernel(self, inputs: tf.Tensor, weights: Variables) -> tf.Tensor:
        """Return the kernel looked up in the codebook."""
        # The product makes the gradient dense, and keeps the zero centroid.
        looked_up = tf.gather(weights["centroids"] * weights["nonzero"], weights["codes"])
        return looked_up + tf.zeros_like(inputs) * inputs


class GridQuantizer(MaskedQuantizer):
    """Weights are rounded to multiples of `step`, at most `levels` of them; zeros stay zeros.

    The gradient passes straight through the rounding (Bengio et al. 2013),
    and not where the grid ends.
    """

    def __init__(self, step: float, levels: int, eight_bits: bool = True) -> None:
        super().__init__(eight_bits)
        self.step = step
        self.levels = levels

    def kernel(self, inputs: tf.Tensor, weights: Variables) -> tf.Tensor:
        """Return the masked kernel rounded to the grid."""
        limit = self.levels * self.step
        clipped = tf.clip_by_value(inputs, -limit, limit)
        rounded = tf.round(clipped / self.step) * self.step
        return (clipped + tf.stop_gradient(rounded - clipped)) * weights["mask"]

    def get_config(self) -> dict[str, Any]:
        """Return what the constructor needs."""
        return {**super().get_config(), "step": self.step, "levels": self.levels}


def _constant(layer: keras.layers.Layer, name: str, value: np.ndarray) -> tf.Variable:
    """Add a variable that is not trained: it is part of a checkpoint, as a constant is not."""
    return layer.add_weight(
        name,
        shape=value.shape,
        dtype=value.dtype,
        initializer=keras.initializers.Constant(value),
        trainable=False,
    )
