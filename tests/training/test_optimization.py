import numpy as np
import pytest
import tensorflow as tf

from sqzkit.training.optimization import (
    add_decay,
    build_optimizer,
    is_kernel,
    learning_rate,
    write_averages,
)
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


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_averages_start_from_the_variables_and_follow_them(variables, name):
    options = FitOptions(epochs=1, optimizer=name, base_learning_rate=0.5)
    optimizer = build_optimizer(options, variables, average=0.9)
    wanted = [float(variable.numpy()[0]) for variable in variables]
    for _ in range(3):
        optimizer.apply_gradients([(tf.constant([1.0]), variable) for variable in variables])
        wanted = [
            0.9 * old + 0.1 * float(variable.numpy()[0])
            for old, variable in zip(wanted, variables, strict=True)
        ]
    write_averages(optimizer, variables)
    assert [float(variable.numpy()[0]) for variable in variables] == pytest.approx(wanted)


def rates(**changes):
    options = FitOptions(epochs=10, base_learning_rate=1.0, **changes)
    return [learning_rate(options, step, 4) for step in range(40)]


def test_constant_stays():
    assert set(rates(lr_schedule="constant")) == {1.0}


def test_linear_falls_by_equal_steps_towards_zero():
    values = rates(lr_schedule="linear")
    assert values[0] == 1.0
    assert values[20] == pytest.approx(0.5)
    assert values[-1] == pytest.approx(1 / 40)


def test_the_papers_recipe_falls_linearly_from_0_04():
    options = FitOptions(epochs=170, base_learning_rate=0.04, lr_schedule="linear")
    assert learning_rate(options, 0, 1000) == 0.04
    assert learning_rate(options, 85_000, 1000) == pytest.approx(0.02)
    assert learning_rate(options, 170_000, 1000) == 0.0


def test_cosine_is_half_way_in_the_middle():
    values = rates(lr_schedule="cosine")
    assert values[20] == pytest.approx(0.5)
    assert values == sorted(values, reverse=True)


def test_step_falls_to_a_tenth_twice():
    values = rates(lr_schedule="step")
    assert (values[19], values[20], values[29]) == (1.0, 0.1, 0.1)
    assert values[30] == pytest.approx(0.01)


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "step"])
def test_warmup_rises_to_the_base_rate(schedule):
    values = rates(lr_schedule=schedule, warmup_epochs=2.0)
    assert values[:8] == pytest.approx([(step + 1) / 8 for step in range(8)])
    assert values[8] == pytest.approx(1.0)


def test_the_decay_runs_over_the_steps_that_the_warmup_leaves():
    values = rates(lr_schedule="linear", warmup_epochs=2.0)
    assert values[8:] == pytest.approx([1 - step / 32 for step in range(32)])
    values = rates(lr_schedule="step", warmup_epochs=2.0)
    assert (values[23], values[24]) == pytest.approx((1.0, 0.1))


def test_a_part_of_an_epoch_is_warmed_up_by_rounded_steps():
    values = rates(lr_schedule="constant", warmup_epochs=0.7)
    assert values[:4] == pytest.approx([1 / 3, 2 / 3, 1.0, 1.0])


def test_a_warmup_of_all_epochs_never_divides_by_zero():
    assert rates(lr_schedule="cosine", warmup_epochs=10.0)[-1] == 1.0
