import numpy as np
import pytest
import tensorflow as tf

from sqzkit.compression.distillation import TEMPERATURE, distillation_loss
from sqzkit.training import steps
from tests.compression import small_chain

LABELS = np.array([0, 1, 2, 3], np.int32)


@pytest.fixture
def images():
    shape = (4, small_chain.SIDE, small_chain.SIDE, 3)
    return tf.constant(np.random.default_rng(0).normal(size=shape), tf.float32)


@pytest.fixture
def logits():
    return tf.constant(np.random.default_rng(1).normal(size=(4, 4)), tf.float32)


def test_without_a_teacher_it_is_the_cross_entropy(small_model, images, logits):
    loss = distillation_loss(small_model, 0.0, 0.1)
    plain = steps.smoothed_cross_entropy(4, 0.1)
    np.testing.assert_allclose(
        loss(images, LABELS, logits), plain(images, LABELS, logits), rtol=1e-6
    )


def test_agreeing_with_the_teacher_is_the_least_loss(small_model, images, logits):
    loss = distillation_loss(small_model, 1.0, 0.0)
    taught = small_model(images, training=False)
    least = loss(images, LABELS, taught).numpy()
    assert least.shape == (4,)
    assert np.all(least < loss(images, LABELS, logits).numpy())
    entropy = -tf.reduce_sum(
        tf.nn.softmax(taught / TEMPERATURE) * tf.nn.log_softmax(taught / TEMPERATURE), axis=1
    )
    np.testing.assert_allclose(least, TEMPERATURE**2 * entropy, rtol=1e-5)


def test_the_teacher_is_not_taught(small_model, images, logits):
    loss = distillation_loss(small_model, 0.5, 0.0)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = tf.reduce_mean(loss(images, LABELS, logits))
    gradients = tape.gradient(value, [logits, *small_model.trainable_variables])
    assert np.any(gradients[0].numpy() != 0)
    assert all(gradient is None for gradient in gradients[1:])
