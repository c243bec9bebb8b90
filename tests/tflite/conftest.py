"""One small network, converted once per test session, for all tests of sqzkit.tflite."""

import numpy as np
import pytest

from sqzkit.conversion.options import ConversionOptions
from sqzkit.preprocessing import Preprocessing
from sqzkit.tflite.metadata import Description


@pytest.fixture(scope="session")
def small_network():
    """A SqueezeNet-like Keras model of our own layers: 32 px, 5 classes, random biases."""
    import tf_keras as keras

    keras.utils.set_random_seed(3)
    layers = keras.layers

    def convolution(x, filters, size, name, **options):
        bias = keras.initializers.RandomUniform(-0.2, 0.2)
        x = layers.Conv2D(filters, size, name=name, bias_initializer=bias, **options)(x)
        return layers.ReLU(name=f"{name}/relu")(x)

    image = keras.Input((32, 32, 3))
    x = convolution(image, 8, 3, "conv1", strides=2)
    x = layers.MaxPool2D(3, 2, name="pool1")(x)
    for fire in ("fire2", "fire3"):
        x = convolution(x, 4, 1, f"{fire}/squeeze1x1")
        left = convolution(x, 8, 1, f"{fire}/expand1x1")
        right = convolution(x, 8, 3, f"{fire}/expand3x3", padding="same")
        x = layers.Concatenate(name=f"{fire}/concat")([left, right])
    x = layers.Dropout(0.5, name="drop9")(x)
    x = convolution(x, 5, 1, "conv10")
    model = keras.Model(image, layers.GlobalAveragePooling2D(name="pool10")(x), name="small")
    # Fresh weights hardly tell pictures apart: let the answers differ.
    head = model.get_layer("conv10")
    head.set_weights([head.get_weights()[0] * 8, head.get_weights()[1]])
    return model


@pytest.fixture(scope="session")
def noise_images():
    """uint8 [12, 32, 32, 3]: smooth random pictures, all different."""
    random = np.random.default_rng(1)
    coarse = random.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
    return coarse.repeat(4, axis=1).repeat(4, axis=2)


@pytest.fixture(scope="session")
def bare_int8(small_network, noise_images):
    """What TensorFlow's own converter makes of the small network: int8, per channel."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(small_network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([x[None].astype(np.float32)] for x in noise_images)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    return converter.convert()


@pytest.fixture(scope="session")
def bare_float(small_network):
    """What TensorFlow's own converter makes of the small network in float32."""
    import tensorflow as tf

    return tf.lite.TFLiteConverter.from_keras_model(small_network).convert()


@pytest.fixture(scope="session")
def record():
    """A preprocessing record in which every channel differs, in BGR."""
    return Preprocessing(
        image_size=32,
        resize_size=40,
        channel_order="BGR",
        mean=(104.0, 117.0, 123.0),
        scale=(1 / 50, 1 / 60, 1 / 70),
    )


KINDS = {
    "none": ConversionOptions("none", description=Description(name="small")),
    "float16": ConversionOptions("float16"),
    "int8": ConversionOptions("int8", description=Description(name="small")),
    "uint8": ConversionOptions("int8", "per_tensor", "uint8"),
    "int8_float32": ConversionOptions("int8", "per_channel", "float32"),
}


class OnDemand(dict):
    """A dictionary whose values are made when they are first asked for."""

    def __init__(self, make):
        super().__init__()
        self._make = make

    def __missing__(self, key):
        self[key] = self._make(key)
        return self[key]


@pytest.fixture(scope="session")
def converted(small_network, record, noise_images):
    """The small network as bytes, by the names of `KINDS`."""
    from sqzkit.conversion.converter import convert_model

    labels = ("ant", "bee", "cat", "dog", "eel")
    return OnDemand(
        lambda kind: convert_model(small_network, record, labels, KINDS[kind], noise_images)
    )
