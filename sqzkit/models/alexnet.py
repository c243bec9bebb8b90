"""AlexNet in Keras: what SqueezeNet's papers measure themselves against.

Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep
Convolutional Neural Networks", 2012, figure 2: conv2, conv4 and conv5 see half
of the channels each. As in the figure, that is two towers ("a" and "b") of
stock convolutions, which TF-MOT and TFLite take where a grouped convolution
is refused:

    conv1 11x11/4 2x48, pool, conv2 5x5 2x128, pool, conv3 3x3 2x192 (of both),
    conv4 3x3 2x192, conv5 3x3 2x128, pool, fc6 4096, fc7 4096, fc8 1000
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from sqzkit.base import records, settings
from sqzkit.base.errors import UsageError
from sqzkit.base.keras import keras
from sqzkit.base.settings import setting
from sqzkit.models.spec import MAX_CLASSES, Normalization
from sqzkit.models.squeezenet import NORMALIZATION_MOMENTUM, add_softmax, ceil_pool
from sqzkit.preprocessing import MAX_SIZE

MIN_SIZE = 39  # pixels; below, nothing is left after pool5
MAX_UNITS = 1 << 14
TOWERS = ("a", "b")
Tensor = Any  # a symbolic Keras tensor: Keras 2 does not export its type

layers = keras.layers


@dataclasses.dataclass(frozen=True)
class AlexNetSpec:
    """AlexNet (Krizhevsky et al., 2012): 60,965,224 parameters at 1,000 classes.

    Attributes:
      classes: outputs of fc8, at least 2.
      normalization: "none" (the original's weights) or "batch" (after each
        layer but fc8). Local response normalization is left out: it has no
        parameters, and VGG's authors found that it does not help.
      dropout: share dropped after fc6 and fc7, in [0, 1).
      fc_units: units of fc6 and fc7, at least 1.
      fc6_rank, fc7_rank: 0, or the rank of the layer's factors, as Denton et
        al. (2014) cut dense layers by singular values.
    """

    classes: int = setting(minimum=2, maximum=MAX_CLASSES)
    normalization: Normalization = setting("none")
    dropout: float = setting(0.5, minimum=0, below=1)
    fc_units: int = setting(4096, minimum=1, maximum=MAX_UNITS)
    fc6_rank: int = setting(0, minimum=0, maximum=MAX_UNITS)
    fc7_rank: int = setting(0, minimum=0, maximum=MAX_UNITS)

    def __post_init__(self) -> None:
        settings.check(self, prefix="")

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON-ready values."""
        return {"architecture": "alexnet", **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "AlexNetSpec":
        """Return the record `to_json` gave; raise `RunError` if it is not one."""
        values = {key: value for key, value in record.items() if key != "architecture"}
        return records.build(cls, values, "an AlexNet specification")


def build(
    spec: AlexNetSpec, image_size: int = 227, classifier_activation: str | None = None
) -> keras.Model:
    """Build the network with fresh weights (He's uniform initialisation, zero biases).

    Args:
      spec: the network.
      image_size: side of its square input in pixels, 39..1024; 227 in the paper.
      classifier_activation: None for logits or "softmax".

    Returns:
      Model from float32 [N, S, S, 3], preprocessed, to float32 [N, classes].

    Raises:
      UsageError: the size is out of range or the activation is unknown.
    """
    if not MIN_SIZE <= image_size <= MAX_SIZE:
        raise UsageError(f"image_size {image_size}: AlexNet needs {MIN_SIZE}..{MAX_SIZE} pixels")
    inputs = keras.Input((image_size, image_size, 3), name="image")
    outputs = _dense_layers(spec, _convolutions(spec, inputs))
    outputs = add_softmax(outputs, classifier_activation)
    return keras.Model(inputs, outputs, name="alexnet")


def _convolutions(spec: AlexNetSpec, inputs: Tensor) -> Tensor:
    towers = _both(spec, [inputs, inputs], "conv1", 48, 11, strides=4, padding="valid")
    towers = _pool(towers, "pool1")
    towers = _pool(_both(spec, towers, "conv2", 128, 5), "pool2")
    joined = layers.Concatenate(name="conv2/concat")(towers)
    towers = _both(spec, [joined, joined], "conv3", 192, 3)
    towers = _both(spec, towers, "conv4", 192, 3)
    towers = _pool(_both(spec, towers, "conv5", 128, 3), "pool5")
    return layers.Flatten(name="flatten")(layers.Concatenate(name="conv5/concat")(towers))


def _both(
    spec: AlexNetSpec,
    inputs: Sequence[Tensor],
    name: str,
    filters: int,
    kernel: int,
    strides: int = 1,
    padding: str = "same",
) -> list[Tensor]:
    """Convolve in both towers, normalize if asked, and rectify."""
    outputs = []
    for tower, features in zip(TOWERS, inputs, strict=True):
        convolution = layers.Conv2D(
            filters,
            kernel,
            strides,
            padding,
            use_bias=spec.normalization == "none",
            kernel_initializer="he_uniform",
            name=f"{name}/{tower}",
        )
        outputs.append(_activate(spec, convolution(features), f"{name}/{tower}"))
    return outputs


def _pool(towers: Sequence[Tensor], name: str) -> list[Tensor]:
    return [
        ceil_pool(features, f"{name}/{tower}")
        for tower, features in zip(TOWERS, towers, strict=True)
    ]


def _activate(spec: AlexNetSpec, features: Tensor, name: str) -> Tensor:
    if spec.normalization == "batch":
        normalize = layers.BatchNormalization(momentum=NORMALIZATION_MOMENTUM, name=f"{name}/bn")
        features = normalize(features)
    return layers.ReLU(name=f"{name}/relu")(features)


def _dense_layers(spec: AlexNetSpec, features: Tensor) -> Tensor:
    for name, rank in (("fc6", spec.fc6_rank), ("fc7", spec.fc7_rank)):
        if rank:
            factor = layers.Dense(rank, use_bias=False, name=f"{name}/factor")
            features = factor(features)
        dense = layers.Dense(
            spec.fc_units,
            use_bias=spec.normalization == "none",
            kernel_initializer="he_uniform",
            name=name,
        )
        features = _activate(spec, dense(features), name)
        if spec.dropout:
            features = layers.Dropout(spec.dropout, name=f"{name}/drop")(features)
    initializer = keras.initializers.RandomNormal(stddev=0.01)
    # float32 whatever the policy: a half-precision softmax loses small probabilities.
    fc8 = layers.Dense(spec.classes, kernel_initializer=initializer, name="fc8", dtype="float32")
    return fc8(features)
