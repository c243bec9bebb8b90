"""The network as it is converted: raw RGB pixels in, probabilities out.

Normalization of the pixels and channel order are folded into the first
convolution where that is exact; elsewhere a 1x1 convolution in front of the
network does the same arithmetic.

A network of another maker may be of any shape, and of Keras 2 or Keras 3. It
is rebuilt like one of ours only if the result gives the same answers; else it
is called as it is.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from sqzkit.base.keras import keras
from sqzkit.models.answers import answerer, gives_probabilities
from sqzkit.models.inference import to_inference
from sqzkit.preprocessing import Preprocessing, folding

NORMALIZATION_NAME = "normalization"
PROBE_IMAGES = 8
_TOLERANCE = 1e-4  # of a probability, between a network and the same one rebuilt


def prepare(model: Any, preprocessing: Preprocessing, foreign: bool = False) -> Any:
    """Return a Keras model from raw RGB pixels 0..255 to probabilities; `model` stays as it is.

    Args:
      model: from preprocessed float32 [N, S, S, 3] to logits or, if `foreign`,
        logits or probabilities [N, classes].
      preprocessing: what `model` expects of its input.
      foreign: whether the model is of another maker, and so of any shape.

    Raises:
      RunError: a network of ours cannot be rebuilt, or a foreign one ends in
        neither logits nor probabilities.
    """
    if not foreign:
        return fold_input(to_inference(model, classifier_activation="softmax"), preprocessing)
    activation = None if gives_probabilities(model) else "softmax"
    if isinstance(model, keras.Model):
        try:
            rebuilt = fold_input(to_inference(model, activation), preprocessing)
        except Exception:  # Keras answers a layer that it cannot copy with nearly any
            rebuilt = None
        if rebuilt is not None and _agree(model, rebuilt, preprocessing):
            return rebuilt
    return _called(model, preprocessing, softmax_after=activation is not None)


def fold_input(model: keras.Model, preprocessing: Preprocessing) -> keras.Model:
    """Return a network of the same function that takes raw RGB pixels 0..255.

    Args:
      model: flat, functional, of Keras 2, from float32 [N, S, S, 3], preprocessed. It
        may be changed: pass a copy.
      preprocessing: what `model` expects of its input.
    """
    first = _first_convolution(model)
    if first is None or not (first.use_bias or not any(preprocessing.mean)):
        return _called(model, preprocessing, softmax_after=False)
    weights = first.get_weights()
    bias = weights[1] if first.use_bias else np.zeros(weights[0].shape[-1], np.float32)
    kernel, bias = folding.fold(weights[0], bias, preprocessing)
    first.set_weights([kernel, bias] if first.use_bias else [kernel])
    return model


def round_first_kernel(model: Any, preprocessing: Preprocessing) -> None:
    """Round the first convolution's kernel to int8, one step a tensor, as the converter will.

    Its bias makes up for the rounding at the mean pixel, which training under int8 rounding does
    not see: its pixels are normalized.

    Args:
      model: from `prepare`; it is changed.
      preprocessing: whose mean the normalization subtracts.
    """
    first = _first_convolution(model) if isinstance(model, keras.Model) else None
    if first is None or not first.use_bias or not any(preprocessing.mean):
        return
    kernel, bias = first.get_weights()
    step = (np.abs(kernel).max() or np.float32(1)) / np.float32(127)
    rounded = np.round(kernel / step) * step
    shift = folding.rounding_shift(kernel, rounded, preprocessing)
    first.set_weights([rounded, (bias + shift).astype(np.float32)])


def probe_images(side: int) -> np.ndarray:
    """Return pictures on which two networks of one function must agree: uint8 [8, S, S, 3].

    Smooth gradients with noise of every strength.
    """
    random = np.random.default_rng(0)
    corners = random.uniform(0, 255, (PROBE_IMAGES, 2, 2, 3)).astype(np.float32)
    smooth = tf.image.resize(corners, (side, side)).numpy()
    strength = np.linspace(0, 128, PROBE_IMAGES, dtype=np.float32)[:, None, None, None]
    noise = random.random(smooth.shape, np.float32) * 2 * strength - strength
    return np.asarray(np.clip(smooth + noise, 0, 255), np.uint8)


def _agree(model: keras.Model, rebuilt: keras.Model, preprocessing: Preprocessing) -> bool:
    images = probe_images(preprocessing.image_size)
    expected = answerer(model, preprocessing, foreign=True)(images)
    found = rebuilt(images.astype(np.float32), training=False).numpy()
    return bool(np.abs(expected - found).max() <= _TOLERANCE)


def _called(model: Any, preprocessing: Preprocessing, softmax_after: bool) -> Any:
    """Return a model that normalizes the pixels and calls `model`."""
    library = _library(model)
    pixels = values = library.Input(model.input_shape[1:], name="image")
    as_they_are = (0, 0, 0), (1, 1, 1), "RGB"
    if (preprocessing.mean, preprocessing.scale, preprocessing.channel_order) != as_they_are:
        in_front = library.layers.Conv2D(3, 1, name=NORMALIZATION_NAME)
        values = in_front(pixels)
        identity = np.eye(3, dtype=np.float32)[None, None]
        in_front.set_weights(folding.fold(identity, np.zeros(3, np.float32), preprocessing))
    outputs = model(values)
    if softmax_after:
        outputs = library.layers.Softmax(name="prob")(outputs)
    return library.Model(pixels, outputs, name=model.name)


def _library(model: Any) -> Any:
    if isinstance(model, keras.Model):
        return keras
    from sqzkit.base.keras3 import keras3

    return keras3


def _first_convolution(model: keras.Model) -> keras.layers.Conv2D | None:
    """Return the convolution that alone reads the input without padding, or None."""
    (node,) = model.get_layer(index=0).inbound_nodes
    readers = [outbound.layer for outbound in node.layer.outbound_nodes]
    readers = [layer for layer in readers if layer in model.layers]
    if len(readers) != 1:
        return None
    # Subclasses (transposed convolutions) keep their kernels in another order.
    plain = type(readers[0]) is keras.layers.Conv2D and readers[0].groups == 1
    return readers[0] if plain and readers[0].padding == "valid" else None
