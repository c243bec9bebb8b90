import collections

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given, settings
from hypothesis import strategies as st

from sqzkit.base.errors import RunError
from sqzkit.base.keras import keras
from sqzkit.models import registry, spec, squeezenet
from sqzkit.models.alexnet import AlexNetSpec
from sqzkit.models.alexnet import build as build_alexnet
from sqzkit.models.inference import AddConstant, fold, fold_batch_normalization, to_inference
from tests.models.strategies import randomize, specs

layers = keras.layers


def images(size, count=2, seed=0):
    return np.random.default_rng(seed).normal(size=(count, size, size, 3)).astype(np.float32)


def kinds(model):
    return {type(layer).__name__ for layer in model.layers}


def assert_same_function(model, other, size):
    expected = model(images(size), training=False).numpy()
    scale = np.abs(expected).max()
    np.testing.assert_allclose(other(images(size)).numpy(), expected, atol=1e-5 * scale, rtol=1e-4)


@given(specs(), st.integers(32, 64))
@settings(max_examples=12, deadline=None)
def test_any_network_keeps_its_function(network, size):
    model = squeezenet.build(network, size)
    randomize(model, size)
    inference = to_inference(model)
    assert not kinds(inference) & {"BatchNormalization", "Dropout", "ZeroPadding2D"}
    assert_same_function(model, inference, size)


@pytest.mark.parametrize("relu", [True, False])
def test_the_padded_head_is_169_of_225_at_227_pixels(relu):
    # One filter each: the map alone matters, 13x13 as in the published network.
    small = {"conv1_filters": 1, "base_e": 2, "incr_e": 0, "squeeze_ratio": 0.5}
    network = spec.v1_0(3, normalization="none", conv10_padding=1, conv10_relu=relu, **small)
    model = squeezenet.build(network, 227)
    randomize(model, 3)
    assert model.get_layer("conv10").output_shape[1:3] == (15, 15)
    inference = to_inference(model)
    kernel, bias = model.get_layer("conv10").get_weights()
    scaled, scaled_bias = inference.get_layer("conv10").get_weights()
    np.testing.assert_allclose(scaled, kernel * (169 / 225), rtol=1e-6)
    np.testing.assert_allclose(scaled_bias, bias * (169 / 225), rtol=1e-6)
    (constant,) = inference.get_layer("pool10/border").get_weights()
    border = np.maximum(bias, 0) if relu else bias
    np.testing.assert_allclose(constant, border * (56 / 225), rtol=1e-6)
    assert_same_function(model, inference, 227)


def test_probabilities_are_added_once():
    logits = squeezenet.build(spec.tiny(3), 32)
    probabilities = squeezenet.build(spec.tiny(3), 32, "softmax")
    probabilities.set_weights(logits.get_weights())
    for model in (logits, probabilities):
        inference = to_inference(model, "softmax")
        assert [type(layer).__name__ for layer in inference.layers].count("Softmax") == 1
        assert_same_function(probabilities, inference, 32)
    assert "Softmax" not in kinds(to_inference(logits))


def test_the_model_itself_is_left_as_it_was():
    model = squeezenet.build(spec.tiny(3, conv10_padding=1), 32)
    before = [weight.copy() for weight in model.get_weights()]
    to_inference(model)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_mixed_precision_becomes_float32():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = squeezenet.build(spec.tiny(3), 32)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    inference = to_inference(model)
    assert {layer.compute_dtype for layer in inference.layers} == {"float32"}


def test_alexnet_folds_its_dense_layers_too():
    model = build_alexnet(AlexNetSpec(3, normalization="batch", fc_units=6, fc6_rank=2), 64)
    randomize(model, 4)
    inference = to_inference(model)
    assert not kinds(inference) & {"BatchNormalization", "Dropout"}
    assert_same_function(model, inference, 64)


def test_a_foreign_model_with_biases_before_its_normalization_folds():
    inputs = keras.Input((8, 8, 3))
    features = layers.Conv2D(4, 3)(inputs)
    features = layers.BatchNormalization(scale=False)(features)
    features = layers.Conv2D(4, 1)(layers.Activation("relu")(features))
    outputs = layers.GlobalAveragePooling2D()(layers.BatchNormalization(center=False)(features))
    model = keras.Model(inputs, outputs)
    randomize(model, 5)
    assert_same_function(model, to_inference(model), 8)


def lone_normalization():
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, layers.BatchNormalization(name="alone")(inputs))


def rectified_before_normalization():
    inputs = keras.Input((8, 8, 3))
    features = layers.Conv2D(2, 1, activation="relu")(inputs)
    return keras.Model(inputs, layers.BatchNormalization(name="alone")(features))


def read_twice():
    inputs = keras.Input((8, 8, 3))
    features = layers.Conv2D(2, 1)(inputs)
    both = layers.Add()([features, layers.BatchNormalization(name="alone")(features)])
    return keras.Model(inputs, both)


def padded_before_a_3x3():
    inputs = keras.Input((8, 8, 3))
    features = layers.Conv2D(2, 3)(layers.ZeroPadding2D(1, name="alone")(inputs))
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(features))


def padded_before_a_map():
    inputs = keras.Input((8, 8, 3))
    features = layers.Conv2D(2, 1)(layers.ZeroPadding2D(1, name="alone")(inputs))
    return keras.Model(inputs, layers.MaxPooling2D()(features))


def nested():
    inputs = keras.Input((32, 32, 3))
    inner = squeezenet.build(spec.tiny(2), 32)
    inner._name = "alone"
    return keras.Model(inputs, inner(inputs))


def transposed():
    inputs = keras.Input((8, 8, 3))
    features = layers.Conv2DTranspose(2, 3)(inputs)
    return keras.Model(inputs, layers.BatchNormalization(name="alone")(features))


def normalized_over_rows():
    inputs = keras.Input((8, 8, 3))
    features = layers.Conv2D(2, 1)(inputs)
    return keras.Model(inputs, layers.BatchNormalization(axis=1, name="alone")(features))


def used_twice():
    inputs = keras.Input((8, 8, 3))
    shared = layers.Conv2D(3, 1)
    return keras.Model(inputs, layers.ReLU(name="alone")(shared(shared(inputs))))


def bare_operation():
    inputs = keras.Input((8, 8, 3))
    outputs = inputs * 2.0
    outputs.node.layer._name = "alone"
    return keras.Model(inputs, outputs)


@pytest.mark.parametrize(
    "build",
    [
        transposed,
        normalized_over_rows,
        used_twice,
        bare_operation,
        lone_normalization,
        rectified_before_normalization,
        read_twice,
        padded_before_a_3x3,
        padded_before_a_map,
        nested,
    ],
)
def test_what_cannot_be_folded_is_refused_by_name(build):
    with pytest.raises(RunError, match="^alone: "):
        to_inference(build())


def test_two_outputs_are_refused():
    inputs = keras.Input((8, 8, 3))
    with pytest.raises(RunError, match="one input and one output"):
        to_inference(keras.Model(inputs, [inputs, layers.ReLU()(inputs)]))


def test_the_border_survives_a_file(tmp_path):
    model = to_inference(squeezenet.build(spec.tiny(3, conv10_padding=1), 32))
    randomize(model, 6)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.get_layer("pool10/border"), AddConstant)
    assert_same_function(model, loaded, 32)


@pytest.mark.parametrize(
    ("bypass", "convolutions", "additions"),
    [("none", 26, 1), ("complex", 30, 9)],
)
def test_the_converted_graph_is_clean(bypass, convolutions, additions):
    network = spec.v1_0(5, bypass=bypass, conv10_padding=1, base_e=8, incr_e=8)
    model = squeezenet.build(network, 33)
    randomize(model, 7)  # an addition of zeros would be left out
    inference = to_inference(model, "softmax")
    content = tf.lite.TFLiteConverter.from_keras_model(inference).convert()
    interpreter = Interpreter(model_content=content)
    operators = collections.Counter(
        operator["op_name"]
        for operator in interpreter._get_ops_details()
        if operator["op_name"] != "DELEGATE"
    )
    assert operators == {
        "CONV_2D": convolutions,
        "MAX_POOL_2D": 3,
        "CONCATENATION": 8,
        "MEAN": 1,
        "ADD": additions,
        "SOFTMAX": 1,
    }


def pictures(size):
    return np.random.default_rng(0).normal(size=(2, size, size, 3)).astype(np.float32)


@given(specs())
@settings(max_examples=10, deadline=None)
def test_folding_keeps_the_function(network):
    model = squeezenet.build(network, 40)
    randomize(model, 0)
    folded_spec, folded = fold_batch_normalization(model, network)
    assert folded_spec.normalization == "none"
    assert folded_spec.modules() == network.modules()
    expected = model(pictures(40), training=False).numpy()
    scale = np.abs(expected).max()
    np.testing.assert_allclose(folded(pictures(40)).numpy(), expected, atol=1e-5 * scale, rtol=1e-4)


def test_the_folded_model_is_the_one_its_specification_builds():
    network = spec.tiny(3, bypass="complex", conv10_padding=1, dropout=0.5)
    folded_spec, folded = fold_batch_normalization(squeezenet.build(network, 32), network)
    rebuilt = registry.build(folded_spec, 32)
    assert [layer.name for layer in folded.layers] == [layer.name for layer in rebuilt.layers]
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in folded.layers)


def test_a_softmax_end_and_alexnet_are_kept():
    network = AlexNetSpec(3, normalization="batch", fc_units=5, fc7_rank=2)
    model = registry.build(network, 64, "softmax")
    randomize(model, 1)
    folded_spec, folded = fold_batch_normalization(model, network)
    assert isinstance(folded_spec, AlexNetSpec)
    expected = model(pictures(64), training=False).numpy()
    np.testing.assert_allclose(folded(pictures(64)).numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(expected.sum(1), 1, rtol=1e-5)


def test_folding_matches_the_formula():
    normalization = keras.layers.BatchNormalization(epsilon=0.5)
    normalization.build((None, 2))
    normalization.set_weights(
        [np.array(x, np.float32) for x in ([2, 3], [1, 0], [4, 5], [0.5, 8.5])]
    )
    kernel, bias = fold(
        np.ones((1, 1, 1, 2), np.float32), np.array([6, 6], np.float32), normalization
    )
    np.testing.assert_allclose(kernel.ravel(), [2, 1])
    np.testing.assert_allclose(bias, [2 * (6 - 4) + 1, 6 - 5])


def test_another_networks_model_is_refused():
    model = squeezenet.build(spec.tiny(3), 32)
    with pytest.raises(RunError, match="fire5/squeeze1x1: the model lacks this layer"):
        fold_batch_normalization(model, spec.tiny(3, fire_modules=4))


class Scale(layers.Layer):
    def call(self, inputs, factor=1.0):
        return inputs * factor


@pytest.mark.parametrize("arguments", [((3.0,), {}), ((), {"factor": 3.0})])
def test_a_layer_called_with_further_arguments_is_refused(arguments):
    inputs = keras.Input((4,))
    positional, named = arguments
    model = keras.Model(inputs, Scale(name="scale")(inputs, *positional, **named))
    with pytest.raises(RunError, match="scale: only layers from tensor to tensor can be rebuilt"):
        to_inference(model)


def test_a_layer_called_with_its_mode_is_rebuilt():
    inputs = keras.Input((4,))
    outputs = layers.Dense(2)(inputs)
    model = keras.Model(inputs, layers.Dropout(0.5)(outputs, training=True))
    images = np.ones((2, 4), np.float32)
    expected = keras.Model(inputs, outputs)(images)
    np.testing.assert_allclose(to_inference(model)(images), expected)
