import numpy as np
import pytest
import tensorflow as tf

from sqzkit.base.keras import keras
from sqzkit.training.randomness import reset_dropout, seed_dropout


@pytest.fixture
def model():
    inputs = keras.Input((64,))
    outputs = keras.layers.Dropout(0.5)(inputs)
    return keras.Model(inputs, keras.layers.Dropout(0.5)(outputs))


def draws(model, layers, seed, epoch, steps=2):
    reset_dropout(layers, seed, epoch)
    call = tf.function(lambda: model(tf.ones((4, 64)), training=True))
    return [call().numpy() for _ in range(steps)]


def test_an_epoch_draws_the_same_whatever_ran_before(model):
    layers = seed_dropout(model, 1)
    assert len(layers) == 2
    first = draws(model, layers, 1, 0, steps=5)
    second = draws(model, layers, 1, 3)
    again = draws(model, layers, 1, 3)
    np.testing.assert_array_equal(second, again)
    assert not np.array_equal(first[0], second[0])
    assert not np.array_equal(second[0], second[1])


def test_another_seed_draws_otherwise(model):
    layers = seed_dropout(model, 1)
    assert not np.array_equal(draws(model, layers, 1, 0)[0], draws(model, layers, 2, 0)[0])


def test_layers_inside_wrappers_are_found():
    class Wrapped(keras.layers.Wrapper):
        def call(self, inputs, training=None):
            return self.layer(inputs, training=training)

    inputs = keras.Input((64,))
    model = keras.Model(inputs, Wrapped(keras.layers.Dropout(0.5))(inputs))
    layers = seed_dropout(model, 1)
    assert len(layers) == 1
    np.testing.assert_array_equal(draws(model, layers, 1, 2), draws(model, layers, 1, 2))


def test_a_model_without_dropout_needs_nothing():
    inputs = keras.Input((4,))
    assert seed_dropout(keras.Model(inputs, keras.layers.ReLU()(inputs)), 1) == []
