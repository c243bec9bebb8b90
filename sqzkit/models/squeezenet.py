"""SqueezeNet in Keras, from its specification.

A flat functional model of stock layers (what TF-MOT can prune, cluster and
quantize), with the layer names of the published Caffe models, so that their
weights load by name. Table 1 of the paper (v1.0):

    conv1 7x7/2 96, pool1, fire2-4, pool4, fire5-8, pool8, fire9, conv10 1x1
    1000, global average pooling, softmax; 1,248,424 parameters

At 227 pixels conv1 gives 111x111 and the poolings 55, 27 and 13, as table 1
prints them; at the 224 pixels that table names, conv1 gives 109x109 and
pool1 54x54 (the rest is the same), so the published networks were 227.
"""

import dataclasses
from typing import Any

from sqzkit.base.errors import UsageError
from sqzkit.base.keras import keras
from sqzkit.models.spec import FireModule, SqueezeNetSpec
from sqzkit.preprocessing import MAX_SIZE, MIN_SIZE

POOL_SIZE = 3
POOL_STRIDE = 2
MIN_MAP = 3  # pixels
MIN_POOLS = 2
# Keras's 0.99 needs some 500 steps before the averages can be used: a small data set has
# that many in ten epochs, and every one before looks bad in validation.
NORMALIZATION_MOMENTUM = 0.9

layers = keras.layers
Tensor = Any  # a symbolic Keras tensor: Keras 2 does not export its type


def build(
    spec: SqueezeNetSpec, image_size: int, classifier_activation: str | None = None
) -> keras.Model:
    """Build the network with fresh weights.

    Convolutions start from He's uniform initialisation, conv10 from a normal
    distribution with standard deviation 0.01; biases are zero.
    Args:
      spec: the network.
      image_size: side of its square input in pixels, 32..1024.
      classifier_activation: None for logits or "softmax".

    Returns:
      Model from float32 [N, S, S, 3], preprocessed, to float32 [N, classes].

    Raises:
      UsageError: the size is out of range, the activation is unknown, or the
        feature map vanishes under the poolings.
    """
    feature_map_sizes(spec, image_size)
    inputs = keras.Input((image_size, image_size, 3), name="image")
    features = _convolve(spec, inputs, "conv1", spec.conv1_filters, spec.conv1_kernel, strides=2)
    features = _rectify(features, "relu_conv1")
    features = _maybe_pool(spec, features, "conv1")
    for module in spec.modules():
        features = _fire(spec, features, module)
        features = _maybe_pool(spec, features, module.name)
    outputs = add_softmax(_head(spec, features), classifier_activation)
    return keras.Model(inputs, outputs, name="squeezenet")


def feature_map_sizes(spec: SqueezeNetSpec, image_size: int) -> dict[str, int]:
    """Return the side of the feature map after the stem, each Fire module and each pooling.

    The keys are "conv1", "fire2", ..., "pool1", "pool4", ... in network order.
    Raises:
      UsageError: `image_size` is not 32..1024, or a map has no pixels left.
    """
    if not MIN_SIZE <= image_size <= MAX_SIZE:
        raise UsageError(f"image_size {image_size}: must be {MIN_SIZE}..{MAX_SIZE} pixels")
    size = (image_size - spec.conv1_kernel) // 2 + 1
    sizes = {}
    for name in ("conv1", *(module.name for module in spec.modules())):
        sizes[name] = size
        if name in spec.pool_after:
            size = sizes[pool_name(name)] = pooled_size(size)
        if size < 1:
            raise UsageError(
                f"pool_after {', '.join(spec.pool_after)}: nothing is left of the feature map "
                f"after {name} at {image_size} pixels; pool less often or use larger images"
            )
    return sizes


def pool_less(spec: SqueezeNetSpec, size: int) -> SqueezeNetSpec:
    """Return the network without its second poolings while its last map has under 3x3 pixels.

    3x3 kernels on one pixel are wasted.

    Args:
      spec: the network.
      size: of its input, pixels.
    """
    while len(spec.pool_after) > MIN_POOLS:
        sizes = feature_map_sizes(spec, size)
        if list(sizes.values())[-1] >= MIN_MAP:
            break
        spec = dataclasses.replace(spec, pool_after=(spec.pool_after[0], *spec.pool_after[2:]))
    return spec


def pooled_size(size: int) -> int:
    """Return the side after 3x3/2 pooling by Caffe's rule: ceil((size - 3) / 2) + 1."""
    return -((POOL_SIZE - size) // POOL_STRIDE) + 1


def pool_name(layer: str) -> str:
    """Return the Caffe name of the pooling after `layer`: conv1 -> pool1, fire4 -> pool4."""
    return "pool" + layer.removeprefix("conv").removeprefix("fire")


def ceil_pool(features: Tensor, name: str) -> Tensor:
    """Pool 3x3/2 by maximum with Caffe's ceil rule.

    That is exactly VALID where the side is odd and exactly SAME where it is
    even (one row and column are added at the end): no PAD operator is needed.
    """
    padding = "valid" if features.shape[1] % 2 else "same"
    return layers.MaxPooling2D(POOL_SIZE, POOL_STRIDE, padding, name=name)(features)


def add_softmax(logits: Tensor, activation: str | None) -> Tensor:
    """Return `logits` (activation None) or their probabilities ("softmax")."""
    if activation not in (None, "softmax"):
        raise UsageError(f"classifier_activation {activation!r}: must be None or 'softmax'")
    # float32 whatever the policy: a half-precision softmax loses small probabilities.
    return layers.Softmax(name="prob", dtype="float32")(logits) if activation else logits


def _fire(spec: SqueezeNetSpec, inputs: Tensor, module: FireModule) -> Tensor:
    name = module.name
    squeezed = _convolve(spec, inputs, f"{name}/squeeze1x1", module.squeeze1x1, 1)
    if spec.squeeze_relu:
        squeezed = _rectify(squeezed, f"{name}/relu_squeeze1x1")
    expands = []
    for suffix, filters, kernel in (
        ("expand1x1", module.expand1x1, 1),
        ("expand3x3", module.expand3x3, 3),
    ):
        if filters:
            expand = _convolve(spec, squeezed, f"{name}/{suffix}", filters, kernel, padding="same")
            expands.append(_rectify(expand, f"{name}/relu_{suffix}"))
    outputs = expands[0]
    if len(expands) > 1:
        outputs = layers.Concatenate(name=f"{name}/concat")(expands)
    if module.bypass == "none":
        return outputs
    bypass = inputs
    if module.bypass == "conv1x1":
        bypass = _convolve(spec, inputs, f"{name}/bypass1x1", module.filters, 1)
    # As in Caffe: the expands are rectified before, and nothing is after.
    return layers.Add(name=f"{name}/add")([bypass, outputs])


def _convolve(
    spec: SqueezeNetSpec,
    inputs: Tensor,
    name: str,
    filters: int,
    kernel: int,
    strides: int = 1,
    padding: str = "valid",
) -> Tensor:
    normalized = spec.normalization == "batch"
    outputs = layers.Conv2D(
        filters,
        kernel,
        strides,
        padding,
        use_bias=not normalized,
        kernel_initializer="he_uniform",
        name=name,
    )(inputs)
    if not normalized:
        return outputs
    return layers.BatchNormalization(momentum=NORMALIZATION_MOMENTUM, name=f"{name}/bn")(outputs)


def _rectify(features: Tensor, name: str) -> Tensor:
    return layers.ReLU(name=name)(features)


def _maybe_pool(spec: SqueezeNetSpec, features: Tensor, layer: str) -> Tensor:
    return ceil_pool(features, pool_name(layer)) if layer in spec.pool_after else features


def _head(spec: SqueezeNetSpec, features: Tensor) -> Tensor:
    if spec.dropout:
        last = spec.modules()[-1].name.removeprefix("fire")
        features = layers.Dropout(spec.dropout, name=f"drop{last}")(features)
    if spec.conv10_padding:
        features = layers.ZeroPadding2D(spec.conv10_padding, name="conv10/pad")(features)
    initializer = keras.initializers.RandomNormal(stddev=0.01)
    outputs = layers.Conv2D(spec.classes, 1, kernel_initializer=initializer, name="conv10")(
        features
    )
    if spec.conv10_relu:
        outputs = _rectify(outputs, "relu_conv10")
    # float32 whatever the policy: half-precision logits are too coarse for a softmax.
    return layers.GlobalAveragePooling2D(name="pool10", dtype="float32")(outputs)
