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


def test_each_epoch_and_each_seed_has_an_order_of_its_own(colours, record):
    seen = []
    for seed, epoch in ((1, 0), (1, 1), (2, 0)):
        options = FitOptions(epochs=2, batch_size=96, seed=seed, augmentation="none")
        made = steps.epoch_batches(colours, record, options, tf.distribute.get_strategy(), epoch)
        seen += [images.numpy().tobytes() for images, _ in made[1]]
    assert len(set(seen)) == 3


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


def one_weight(loss, **changes):
    """Return a stepper of one kernel of ones with L2 regularization, and the kernel."""
    inputs = keras.Input((3,))
    regularizer = keras.regularizers.L2(0.05)
    layer = keras.layers.Dense(
        2, kernel_initializer="ones", kernel_regularizer=regularizer, name="head"
    )
    model = keras.Model(inputs, layer(inputs))
    options = FitOptions(epochs=1, optimizer="sgd", momentum=0.0, base_learning_rate=0.5, **changes)
    optimizer = optimization.build_optimizer(options, model.trainable_variables)
    stepper = steps.Stepper(model, optimizer, options, loss, tf.distribute.get_strategy())
    return stepper, layer.kernel


def test_a_layers_own_regularization_is_minimized_too():
    stepper, kernel = one_weight(lambda images, labels, logits: 0.0 * logits[:, 0])
    stepper.train(tf.ones((4, 3)), tf.zeros(4, tf.int32))
    # d(0.05 w^2)/dw = 0.1 w
    np.testing.assert_allclose(kernel, np.full((3, 2), 1 - 0.5 * 0.1), rtol=1e-6)


def test_a_step_follows_the_mean_gradient_and_sums_what_it_saw():
    stepper, kernel = one_weight(lambda images, labels, logits: logits[:, 1], weight_decay=0.2)
    sums = stepper.train(tf.constant([[1.0, 0, 0], [3, 0, 4]]), tf.constant([0, 1]))
    # Sum of losses, of right answers (both logits are equal: the first class), of examples.
    np.testing.assert_allclose(sums, [1 + 7, 1, 2])
    shrunk = 1 - 0.5 * (0.1 + 0.2)
    expected = [[shrunk, shrunk - 0.5 * 2], [shrunk, shrunk], [shrunk, shrunk - 0.5 * 2]]
    np.testing.assert_allclose(kernel, expected, rtol=1e-6)


def test_smoothing_spreads_a_share_of_the_target_over_all_classes():
    logits = tf.math.log([[0.7, 0.2, 0.1]])
    plain, smooth = (steps.smoothed_cross_entropy(3, share) for share in (0.0, 0.3))
    np.testing.assert_allclose(plain(None, tf.constant([0]), logits), [-np.log(0.7)], rtol=1e-6)
    target = np.array([0.8, 0.1, 0.1])
    np.testing.assert_allclose(
        smooth(None, tf.constant([0]), logits), [-(target * np.log([0.7, 0.2, 0.1])).sum()],
        rtol=1e-6,
    )  # fmt: skip


def test_balanced_classes_weigh_the_same_together():
    plain = steps.smoothed_cross_entropy(3, 0.0)
    labels = np.array([0, 0, 0, 0, 0, 0, 1, 1])
    weighted = steps.class_weighted(plain, np.bincount(labels, minlength=3))
    logits = tf.zeros((8, 3))
    ratio = (weighted(None, labels, logits) / plain(None, labels, logits)).numpy()
    np.testing.assert_allclose(ratio, [2 / 3] * 6 + [2] * 2, rtol=1e-6)
    assert ratio.mean() == pytest.approx(1)  # the watchdog compares the loss with chance


def test_sums_are_read_every_sixteen_steps_and_at_the_end():
    sums = steps.EpochSums()
    assert np.isnan(sums.loss) and sums.accuracy == 0.0
    for step in range(17):
        sums.add(tf.constant([2.0, 1.0, 4.0]))
        assert sums.examples == (64 if step >= 15 else 0)
    sums.read()
    assert (sums.examples, sums.loss, sums.accuracy) == (68, 0.5, 0.25)


@pytest.mark.parametrize(("batch", "count", "share"), [(16, 6, 16), (40, 2, 40), (500, 1, 96)])
def test_an_epoch_is_full_batches_or_one_of_all(colours, record, batch, count, share):
    options = FitOptions(epochs=1, batch_size=batch)
    strategy = tf.distribute.get_strategy()
    number, made = steps.epoch_batches(colours, record, options, strategy, 0)
    sizes = [len(labels) for _, labels in made]
    assert (number, sizes) == (count, [share] * count)


def test_workers_share_out_a_split_that_is_smaller_than_the_batch(colours, record):
    options = FitOptions(epochs=1, batch_size=500)
    number, made = steps.epoch_batches(colours, record, options, Workers(4), 0)
    sizes = [[len(labels) for _, labels in shares] for shares in made]
    assert (number, sizes) == (1, [[24] * 4])
