import numpy as np
import pytest
import tf_keras as keras

from sqzkit.conversion.prepared import NORMALIZATION_NAME, fold_input
from sqzkit.preprocessing import Preprocessing
from sqzkit.preprocessing.photograph import normalize

layers = keras.layers
RGB = Preprocessing(32, 32, mean=(120, 110, 100), scale=(1 / 60, 1 / 55, 1 / 50))
BGR = Preprocessing(32, 32, channel_order="BGR", mean=(104, 117, 123), scale=(1, 1, 1))
CENTRED = Preprocessing(32, 32, mean=(0, 0, 0), scale=(1 / 255, 1 / 254, 1 / 253))


def network(padding="valid", use_bias=True, two_readers=False):
    image = keras.Input((32, 32, 3))
    bias = keras.initializers.RandomNormal(seed=2)
    first = layers.Conv2D(
        4, 3, padding=padding, use_bias=use_bias, bias_initializer=bias, name="conv1"
    )
    x = layers.GlobalAveragePooling2D()(first(image))
    if two_readers:
        x = layers.Concatenate()([x, layers.GlobalAveragePooling2D()(image)])
    return keras.Model(image, x)


def same(model, folded, record, images):
    expected = model(normalize(images, record)).numpy()
    found = folded(images.astype(np.float32)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def copy(model):
    other = keras.models.clone_model(model)
    other.set_weights(model.get_weights())
    return other


@pytest.mark.parametrize("record", [RGB, BGR, CENTRED])
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_the_function_stays(record, use_bias, padding, noise_images):
    model = network(padding, use_bias)
    folded = fold_input(copy(model), record)
    same(model, folded, record, noise_images)
    names = [layer.name for layer in folded.layers]
    exact = padding == "valid" and (use_bias or record is CENTRED)
    assert (NORMALIZATION_NAME in names) != exact


def test_an_input_with_two_readers_is_normalized_in_front(noise_images):
    model = network(two_readers=True)
    folded = fold_input(copy(model), BGR)
    same(model, folded, BGR, noise_images)
    assert NORMALIZATION_NAME in [layer.name for layer in folded.layers]


def test_the_fold_would_be_noticed_if_it_were_wrong(noise_images):
    model = network()
    with pytest.raises(AssertionError):
        same(model, copy(model), RGB, noise_images)
    with pytest.raises(AssertionError):
        same(model, fold_input(copy(model), RGB), BGR, noise_images)
