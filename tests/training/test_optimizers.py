import numpy as np
import pytest
import tensorflow as tf

from sqzkit.training.optimizers import add_decay, build_optimizer, is_kernel
from sqzkit.training.options import FitOptions


@pytest.fixture
def variables():
    names = {"conv1/kernel": 2.0, "conv1/bias": 2.0, "conv1/bn/gamma": 2.0}
    return [tf.Variable([value], name=name) for name, value in names.items()]


def test_only_kernels_are_kernels(variables):
    assert [is_kernel(variable) for variable in variables] == [True, False, False]


def test_sgd_adds_the_decay_to_the_gradient_of_kernels(variables):
    options = FitOptions(epochs=1, optimizer="sgd", weight_decay=0.5)
    gradients = add_decay(options, [tf.constant([1.0])] * 3, variables, replicas=2)
    assert [float(gradient[0]) for gradient in gradients] == [1.5, 1.0, 1.0]


def test_sgd_follows_caffes_update(variables):
    options = FitOptions(
        epochs=1, optimizer="sgd", weight_decay=0.1, momentum=0.9, base_learning_rate=0.01
    )
    optimizer = build_optimizer(options, variables)
    weight, velocity = 2.0, 0.0
    for _ in range(3):
        gradients = add_decay(options, [tf.constant([1.0])] * 3, variables, 1)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        velocity = 0.9 * velocity - 0.01 * (1.0 + 0.1 * weight)
        weight += velocity
    assert variables[0].numpy()[0] == pytest.approx(weight, rel=1e-6)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_adam_shrinks_kernels_only(variables, name):
    options = FitOptions(epochs=1, optimizer=name, weight_decay=0.5, base_learning_rate=0.1)
    gradients = [tf.constant([0.0])] * 3
    assert add_decay(options, gradients, variables, 1) == gradients
    build_optimizer(options, variables).apply_gradients(zip(gradients, variables, strict=True))
    values = [float(variable.numpy()[0]) for variable in variables]
    assert values == pytest.approx([2.0 * (1 - 0.1 * 0.5), 2.0, 2.0])


def test_the_learning_rate_can_be_set_each_step(variables):
    optimizer = build_optimizer(FitOptions(epochs=1, optimizer="sgd", momentum=0.0), variables)
    optimizer.learning_rate = 0.25
    optimizer.apply_gradients([(tf.constant([1.0]), variables[1])])
    np.testing.assert_allclose(variables[1].numpy(), [1.75])
