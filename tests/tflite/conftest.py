"""One small network, converted once per test session, for all tests of sqzkit.tflite."""

import numpy as np
import pytest


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
    return keras.Model(image, layers.GlobalAveragePooling2D(name="pool10")(x), name="small")


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
