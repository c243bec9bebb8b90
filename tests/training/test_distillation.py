import numpy as np
import pytest
import tensorflow as tf

from sqzkit.training import steps
from sqzkit.training.distillation import TEMPERATURE, distillation_loss, soft_target_loss
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


def test_known_answers_are_learnt_as_a_models_are(small_model, images, logits):
    """The same gradients as with the teacher at hand; 0 where the answers agree."""
    taught = small_model(images, training=False)
    weights = tf.constant([0.0, 0.25, 0.5, 1.0])
    lessons = (tf.constant(LABELS), tf.nn.softmax(taught), weights)
    known = soft_target_loss(4, TEMPERATURE, 0.1)
    at_hand = [distillation_loss(small_model, float(w), 0.1) for w in weights]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        mine = known(images, lessons, logits)
        theirs = tf.stack([f(images, LABELS, logits)[i] for i, f in enumerate(at_hand)])
    np.testing.assert_allclose(
        tape.gradient(mine, logits), tape.gradient(theirs, logits), rtol=1e-4, atol=1e-6
    )
    agreed = known(images, lessons, taught).numpy()
    np.testing.assert_allclose(agreed[3], 0, atol=1e-5)
    plain = steps.smoothed_cross_entropy(4, 0.1)(images, LABELS, logits)
    np.testing.assert_allclose(mine[0], plain[0], rtol=1e-6)


def test_the_temperature_softens_both(logits):
    lessons = (tf.constant(LABELS), tf.nn.softmax(logits[::-1]), tf.ones(4))
    warm, hot = (soft_target_loss(4, t, 0.0)(None, lessons, logits).numpy() for t in (1.0, 100.0))
    # At a high temperature it is half the variance of the logits' differences (Hinton, section 2).
    difference = logits - logits[::-1]
    difference -= tf.reduce_mean(difference, axis=1, keepdims=True)
    np.testing.assert_allclose(hot, tf.reduce_sum(difference**2, axis=1) / 8, rtol=0.05)
    assert np.abs(warm - hot).max() > 0.05


def test_classes_weigh_the_same_with_a_teacher_too(logits):
    lessons = (tf.constant(LABELS), tf.nn.softmax(logits[::-1]), tf.ones(4))
    plain = soft_target_loss(4, 2.0, 0.0)
    weighted = steps.class_weighted(plain, np.array([30, 10, 10, 10]))
    ratio = weighted(None, lessons, logits) / plain(None, lessons, logits)
    np.testing.assert_allclose(ratio, [0.5, 1.5, 1.5, 1.5], rtol=1e-6)
