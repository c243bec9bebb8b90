"""What a step is given, and that accelerators can compile it."""

import numpy as np
import pytest
import tensorflow as tf

from sqzkit.base.keras import keras
from sqzkit.models import registry, spec
from sqzkit.training import optimization, steps
from sqzkit.training.options import FitOptions

OPTIONS = FitOptions(epochs=1, batch_size=8, augmentation="standard", weight_decay=1e-3)


class Workers:
    """So many processes of one replica each, seen all at once."""

    def __init__(self, count):
        self.num_replicas_in_sync = count

    def distribute_datasets_from_function(self, make):
        count = self.num_replicas_in_sync
        contexts = [tf.distribute.InputContext(count, index, count) for index in range(count)]
        return zip(*(make(context) for context in contexts), strict=True)


def batches(dataset, record, strategy, epoch=0):
    return list(steps.epoch_batches(dataset, record, OPTIONS, strategy, epoch)[1])


@pytest.mark.parametrize("workers", [2, 4])
def test_workers_share_out_the_batches_of_one_process(colours, record, workers):
    alone = batches(colours, record, tf.distribute.get_strategy())
    together = batches(colours, record, Workers(workers))
    assert len(alone) == len(together) == 96 // 8
    for (images, labels), shares in zip(alone, together, strict=True):
        for index, (part, part_labels) in enumerate(shares):
            # Means over an image are summed in another order in a smaller batch.
            np.testing.assert_allclose(part, images[index::workers], atol=1e-5)
            np.testing.assert_array_equal(part_labels, labels[index::workers])


def test_no_image_comes_twice_in_an_epoch(colours, record):
    images = np.concatenate([
        part for shares in batches(colours, record, Workers(4)) for part, _ in shares
    ])  # fmt: skip
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == len(images) == 96


def test_all_shapes_are_static(colours, record):
    strategy = tf.distribute.get_strategy()
    count, made = steps.epoch_batches(colours, record, OPTIONS, strategy, 0)
    batch = made.element_spec
    assert count == 96 // 8
    assert [part.shape for part in batch] == [(8, 32, 32, 3), (8,)]


def make_stepper(optimizer):
    keras.utils.set_random_seed(1)
    network = spec.tiny(4, fire_modules=1, pool_after=("conv1",), dropout=0.3)
    model = registry.build_from_json(network.to_json(), 32)
    dropouts = steps.seed_dropout(model, 1)
    options = FitOptions(
        epochs=1, batch_size=8, optimizer=optimizer, weight_decay=1e-3, label_smoothing=0.1
    )
    made = optimization.build_optimizer(options, model.trainable_variables)
    loss = steps.smoothed_cross_entropy(4, options.label_smoothing)
    steps.reset_dropout(dropouts, 1, 0)
    return steps.Stepper(model, made, options, loss, tf.distribute.get_strategy())


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_xla_compiles_the_whole_step(colours, record, optimizer, any_kernel):
    """A TPU runs nothing that XLA cannot compile; here it compiles for this processor."""
    (images, labels), *_ = batches(colours, record, tf.distribute.get_strategy())
    results = []
    for compiled in (False, True):
        step = tf.function(make_stepper(optimizer)._replica_step, jit_compile=compiled)
        results.append([step(images, labels).numpy() for _ in range(4)])
    # Sums of losses, right answers, examples: the later ones depend on all updates before.
    np.testing.assert_allclose(results[1], results[0], rtol=2e-3)


@pytest.fixture
def model():
    inputs = keras.Input((64,))
    outputs = keras.layers.Dropout(0.5)(inputs)
    return keras.Model(inputs, keras.layers.Dropout(0.5)(outputs))


def draws(model, layers, seed, epoch, count=2):
    steps.reset_dropout(layers, seed, epoch)
    call = tf.function(lambda: model(tf.ones((4, 64)), training=True))
    return [call().numpy() for _ in range(count)]


def test_an_epoch_draws_the_same_whatever_ran_before(model):
    layers = steps.seed_dropout(model, 1)
    assert len(layers) == 2
    first = draws(model, layers, 1, 0, count=5)
    second = draws(model, layers, 1, 3)
    again = draws(model, layers, 1, 3)
    np.testing.assert_array_equal(second, again)
    assert not np.array_equal(first[0], second[0])
    assert not np.array_equal(second[0], second[1])


def test_another_seed_draws_otherwise(model):
    layers = steps.seed_dropout(model, 1)
    assert not np.array_equal(draws(model, layers, 1, 0)[0], draws(model, layers, 2, 0)[0])


def test_layers_inside_wrappers_are_found():
    class Wrapped(keras.layers.Wrapper):
        def call(self, inputs, training=None):
            return self.layer(inputs, training=training)

    inputs = keras.Input((64,))
    model = keras.Model(inputs, Wrapped(keras.layers.Dropout(0.5))(inputs))
    layers = steps.seed_dropout(model, 1)
    assert len(layers) == 1
    np.testing.assert_array_equal(draws(model, layers, 1, 2), draws(model, layers, 1, 2))


def test_a_model_without_dropout_needs_nothing():
    inputs = keras.Input((4,))
    assert steps.seed_dropout(keras.Model(inputs, keras.layers.ReLU()(inputs)), 1) == []
