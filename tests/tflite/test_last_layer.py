import numpy as np
import pytest

from sqzkit.base.errors import FormatError
from sqzkit.preprocessing.photograph import normalize
from sqzkit.tflite import last_layer, metadata
from sqzkit.tflite.classifier import Classifier
from sqzkit.tflite.flatbuffer import TFLiteFile
from tests.fixtures.converted import KINDS


def found(content):
    model = TFLiteFile(content)
    return model, last_layer.find(model)


def digest(content):
    return last_layer.digest(*found(content))


@pytest.mark.parametrize("kind", KINDS)
def test_squeezenets_features_and_class_map(converted, noise_images, kind):
    """The class map is what the file averages before its softmax."""
    content = converted[kind]
    _, layer = found(content)
    assert layer.features.shape == (1, 7, 7, 16)
    assert layer.class_map.shape == (1, 7, 7, 5)
    classifier = Classifier(last_layer.teachable(content))
    plain = Classifier(content)
    for image in noise_images[:3]:
        answer, features, class_map = classifier.outputs(image)
        assert features.shape == (1, 7, 7, 16)
        logits = class_map[0].mean((0, 1))
        best = plain.predict(image[None])[0].argmax()
        assert np.sort(logits)[-1] - logits[best] <= 1e-5 * abs(logits).max() + (kind != "none")
        assert np.array_equal(answer, plain.outputs(image)[0])


def test_class_map_is_kerass(converted, small_network, record, noise_images):
    import tf_keras as keras

    conv10 = keras.Model(small_network.input, small_network.get_layer("conv10/relu").output)
    classifier = Classifier(last_layer.teachable(converted["none"]))
    for image in noise_images[:3]:
        expected = conv10(normalize(image[None], record)).numpy()
        found = classifier.outputs(image)[2]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_int8_class_map_is_kerass_within_a_step(converted, small_network, noise_images):
    """Keras's last convolution of the features that the file has, in real numbers, rounded."""
    content = converted["int8"]
    _, layer = found(content)
    classifier = Classifier(last_layer.teachable(content))
    kernel, bias = small_network.get_layer("conv10").get_weights()
    features, class_map = (
        (tensor.scales[0], tensor.zero_points[0]) for tensor in (layer.features, layer.class_map)
    )
    for image in noise_images:
        _, given, answer = classifier.outputs(image)
        real = (given.astype(float) - features[1]) * features[0]
        expected = np.maximum(real @ kernel[0, 0] + bias, 0) / class_map[0] + class_map[1]
        steps = abs(answer - np.rint(np.minimum(expected, 127)))
        assert steps.max() <= 1
        assert (answer > class_map[1]).any()


@pytest.mark.parametrize("kind", ["int8", "none"])
def test_teachable_file_keeps_all_but_the_list_of_outputs(converted, kind, noise_images):
    content = converted[kind]
    teachable = last_layer.teachable(content)
    before, after = TFLiteFile(content), TFLiteFile(teachable)
    assert after.outputs[:1] == before.outputs
    assert len(after.outputs) == 3
    assert after.operators == before.operators
    assert metadata.read(after) == metadata.read(before)
    assert metadata.read_files(teachable) == metadata.read_files(content)
    assert len(teachable) - len(content) < 32
    assert last_layer.teachable(teachable) == teachable
    assert np.array_equal(
        Classifier(teachable).predict(noise_images), Classifier(content).predict(noise_images)
    )


def test_a_file_without_metadata(bare_int8):
    teachable = last_layer.teachable(bare_int8)
    assert TFLiteFile(teachable).outputs[:1] == TFLiteFile(bare_int8).outputs
    assert teachable[: len(bare_int8)] != bare_int8  # one offset
    assert sum(a != b for a, b in zip(teachable, bare_int8, strict=False)) <= 4


def test_digest_is_that_of_the_features(converted):
    content = converted["int8"]
    assert digest(last_layer.teachable(content)) == digest(content)
    assert len({digest(converted[kind]) for kind in KINDS}) == len(KINDS)
    model = TFLiteFile(content)
    first, *_, last = model.convolutions()
    for convolution, same in ((first, False), (last, True)):
        values = model.data(convolution.kernel).copy()
        values.flat[0] ^= 1
        changed = model.replace({convolution.kernel.index: values})
        assert (digest(changed) == digest(content)) == same
    scales = model.replace({}, {first.output: model.tensors[first.output].scales * 2})
    assert digest(scales) != digest(content)


def convert(layers):
    """Return a float32 file of layers that follow an image, without metadata."""
    import tensorflow as tf
    import tf_keras as keras

    tensor = image = keras.Input((32, 32, 3))
    for layer in layers(keras.layers):
        tensor = layer(tensor)
    return tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, tensor)).convert()


def test_mobilenets_end_in_an_average_and_a_dense_layer():
    model, layer = found(
        convert(
            lambda layers: [
                layers.Conv2D(6, 5, strides=4),
                layers.GlobalAveragePooling2D(),
                layers.Dense(4),
                layers.Softmax(),
            ]
        )
    )
    assert layer.features.shape == (1, 7, 7, 6)
    assert layer.class_map is None
    assert len(layer.outputs) == 1
    assert model.operators[layer.dense].name == "FULLY_CONNECTED"


def test_first_mobilenet_ends_in_a_pooling_and_a_convolution():
    _, layer = found(
        convert(
            lambda layers: [
                layers.Conv2D(6, 5, strides=4),
                layers.AveragePooling2D(7),
                layers.Conv2D(4, 1),
                layers.Reshape((4,)),
                layers.Softmax(),
            ]
        )
    )
    assert layer.features.shape == (1, 7, 7, 6)
    assert layer.class_map is None


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        (lambda k: [k.Flatten(), k.Dense(3)], "its last layer reads the input"),
        (lambda k: [k.Conv2D(3, 3), k.GlobalAveragePooling2D()], "the average at its end reads"),
        (lambda k: [k.Conv2D(3, 1), k.GlobalMaxPooling2D()], "it ends in REDUCE_MAX"),
        (lambda k: [k.Conv2D(4, 3), k.AveragePooling2D(2), k.Conv2D(3, 1)], "its average gives"),
        (lambda k: [k.Conv2D(3, 1), k.GlobalAveragePooling2D()], "its last layer reads the input"),
        (lambda k: [k.GlobalAveragePooling2D()], "the average at its end reads the input"),
    ],
    ids=["no_average", "3x3", "maximum", "average_of_parts", "of_pixels", "nothing"],
)
def test_graphs_of_another_shape_are_refused(layers, reason):
    with pytest.raises(FormatError, match=f"cannot be taught: {reason}.*SqueezeNet and MobileNet"):
        found(convert(layers))
