"""The networks that are measured: as sqzkit builds them, and as graphs for all others."""

import dataclasses

from benchmarks.graph import Graph, describe
from sqzkit.base import imagenet
from sqzkit.base.keras import keras
from sqzkit.conversion.prepared import prepare
from sqzkit.models import published, registry, spec, squeezenet, transfer
from sqzkit.preprocessing import Preprocessing

TRAINED_CLASSES = 10
DIGITS_SIDE = 32
PUBLISHED = "deep_compression"


@dataclasses.dataclass(frozen=True)
class Classifier:
    """Published weights at some image size.

    Attributes:
      model: float32 [N, S, S, 3], preprocessed, to logits.
      preprocessing: what it expects.
      labels: class names in class order.
    """

    model: keras.Model
    preprocessing: Preprocessing
    labels: tuple[str, ...]

    def graph(self) -> Graph:
        """Return what is converted: from raw RGB pixels 0..255 to probabilities."""
        return describe(prepare(self.model, self.preprocessing))


def training_graph(side: int) -> Graph:
    """Return v1.1 with batch normalization and fresh weights, always the same."""
    keras.utils.set_random_seed(1)
    return describe(squeezenet.build(spec.v1_1(TRAINED_CLASSES), side))


def training_network(graph: Graph) -> keras.Model:
    """Return the network of `training_graph` with its weights."""
    model = squeezenet.build(spec.v1_1(TRAINED_CLASSES), graph.side)
    for name, arrays in graph.arrays.items():
        model.get_layer(name).set_weights(arrays)
    return model


def digits_network() -> keras.Model:
    """Return what train.py trains without flags: v1.1 with two poolings at 32 pixels."""
    chosen = dataclasses.replace(spec.v1_1(TRAINED_CLASSES), pool_after=("conv1", "fire5"))
    return squeezenet.build(chosen, DIGITS_SIDE)


def published_classifier(side: int, weights_dir: str | None) -> Classifier:
    """Return Song Han's SqueezeNet v1.0 for ImageNet at `side` pixels.

    Args:
      side: of the input; the weights were made for 227.
      weights_dir: where the file may lie already; else it is fetched.
    """
    record = published.PUBLISHED[PUBLISHED]
    model = registry.build(record.spec, side)
    transfer.load_weights(model, record.load(weights_dir))
    preprocessing = dataclasses.replace(
        record.preprocessing, image_size=side, resize_size=max(side, 256 * side // 227)
    )
    return Classifier(model, preprocessing, imagenet.imagenet_labels())
