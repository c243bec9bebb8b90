import numpy as np
import pytest
import tf_keras as keras

from sqzkit.base.errors import RunError
from sqzkit.conversion import prepared
from sqzkit.conversion.prepared import (
    NORMALIZATION_NAME,
    fold_input,
    gives_probabilities,
    prepare,
    probe_images,
    round_first_kernel,
)
from sqzkit.models.inference import to_inference
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


def test_a_network_of_another_maker_is_rebuilt_only_if_it_gives_the_same_answers(
    monkeypatch, noise_images
):
    keras.utils.set_random_seed(1)
    image = keras.Input((32, 32, 3))
    values = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, name="conv1")(image))
    model = keras.Model(image, layers.Dense(3, activation="softmax")(values))
    kernel, bias = model.get_layer("conv1").get_weights()
    model.get_layer("conv1").set_weights([kernel / 50, bias])  # so that no answer is certain

    def layers_of_prepared(record=RGB):
        made = prepare(model, record, foreign=True)
        same(model, made, record, noise_images)
        return {layer.name for layer in made.layers}

    assert "conv1" in layers_of_prepared()

    def wrong(model, activation):
        rebuilt = to_inference(model, activation)
        kernel, bias = rebuilt.get_layer("conv1").get_weights()
        rebuilt.get_layer("conv1").set_weights([2 * kernel, bias])
        return rebuilt

    monkeypatch.setattr(prepared, "to_inference", wrong)
    assert NORMALIZATION_NAME in layers_of_prepared()
    raw = Preprocessing(32, 32, mean=(0, 0, 0), scale=(1, 1, 1))
    assert not {"conv1", NORMALIZATION_NAME} & layers_of_prepared(raw)


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


@pytest.mark.parametrize(
    ("last", "expected"), [(None, False), ("softmax", True), ("sigmoid", True)]
)
def test_logits_are_told_from_probabilities(last, expected):
    """Of a black picture the logits here are all zero, as those of many networks are."""
    end = keras.Sequential([layers.Dense(3, activation=last), layers.Dropout(0.1)])
    model = keras.Sequential([keras.Input((32, 32, 3)), layers.GlobalAveragePooling2D(), end])
    assert gives_probabilities(model) is expected


def test_an_end_that_only_looks_like_logits_is_refused():
    image = keras.Input((32, 32, 3))
    values = layers.GlobalAveragePooling2D()(image)
    # Of a black picture the first sums to one, as probabilities do; the second is no layer's end.
    thirds = layers.Dense(3, bias_initializer=keras.initializers.Constant(1 / 3))(values)
    for end in (thirds, layers.Multiply()([values, values])):
        with pytest.raises(RunError, match="gives neither logits nor the probabilities"):
            gives_probabilities(keras.Model(image, end))


def test_probe_pictures_have_every_shade_and_noise():
    pictures = probe_images(32)
    assert pictures.shape == (8, 32, 32, 3)
    assert pictures.min() == 0 and pictures.max() == 255
    # Neighbours differ more from picture to picture; in the first only by the gradient.
    noise = np.abs(np.diff(pictures.astype(int), axis=2)).mean(axis=(1, 2, 3))
    assert noise[0] < 10 and (np.diff(noise) > 0).all()
    # The noise darkens as much as it brightens.
    assert 100 < pictures.mean() < 155


def rounded(kernel):
    step = np.abs(kernel).max() / 127
    return np.round(kernel / step) * step


@pytest.mark.parametrize("record", [Preprocessing(32, 32), BGR])
def test_the_first_kernel_rounds_as_in_training_under_int8_rounding(record, noise_images):
    """There the kernel of normalized pixels is rounded."""
    model = network()
    kernel, bias = model.get_layer("conv1").get_weights()
    kernel[0, 0, 0] *= 40  # one step for all, so that the others lose much
    model.get_layer("conv1").set_weights([kernel, bias])
    folded = fold_input(copy(model), record)
    round_first_kernel(folded, record)
    model.get_layer("conv1").set_weights([rounded(kernel), bias])
    same(model, folded, record, noise_images)
    stored = folded.get_layer("conv1").get_weights()[0]
    np.testing.assert_allclose(rounded(stored), stored, rtol=1e-6)
    assert np.unique(stored).size < np.unique(kernel).size


def test_without_a_mean_nothing_is_rounded():
    centred = fold_input(network(), CENTRED)
    before = centred.get_weights()
    round_first_kernel(centred, CENTRED)
    for found, expected in zip(centred.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_first_layer_of_zeros_stays_one():
    model = network()
    model.set_weights([np.zeros_like(values) for values in model.get_weights()])
    folded = fold_input(model, RGB)
    round_first_kernel(folded, RGB)
    assert not any(values.any() for values in folded.get_weights())
