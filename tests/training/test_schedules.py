import pytest

from sqzkit.training.options import FitOptions
from sqzkit.training.schedules import learning_rate


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
