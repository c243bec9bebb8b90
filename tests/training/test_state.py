import numpy as np
import pytest

from sqzkit.base.errors import UsageError
from sqzkit.base.keras import keras
from sqzkit.training.optimizers import build_optimizer
from sqzkit.training.options import FitOptions
from sqzkit.training.state import StageState, refuse_other


@pytest.fixture
def state(tmp_path):
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    optimizer = build_optimizer(FitOptions(epochs=1), model.trainable_variables)
    state = StageState(tmp_path / "train.npz", model, optimizer)
    state.restore({"epochs": 5})
    return state


def judge(state, accuracy, loss, examples=100):
    state.progress.epoch += 1
    state.model.set_weights([np.full((2, 1), state.progress.epoch), np.zeros(1)])
    return state.note_validation(accuracy, loss, examples)


def test_a_clearly_higher_accuracy_is_better_whatever_the_loss(state):
    assert judge(state, 0.5, 1.0)
    assert judge(state, 0.9, 1.2)
    assert not judge(state, 0.5, 0.1)
    assert state.progress.best_epoch == 2


def test_within_a_standard_error_the_later_is_better(state):
    assert judge(state, 0.98, 0.10)
    assert judge(state, 0.97, 0.12)
    assert not judge(state, 0.93, 0.30)
    assert state.progress.best_epoch == 2
    assert state.progress.improved_epoch == 1


def test_the_best_cannot_creep_down_from_the_highest_accuracy(state):
    accuracy = 1.0
    for _ in range(50):
        judge(state, accuracy, 1.0)
        accuracy -= 0.002
    assert 1.0 - 0.002 * (state.progress.best_epoch - 1) >= 0.985


def test_a_lower_loss_alone_is_an_improvement_that_early_stopping_waits_for(state):
    for loss in (0.5, 0.4, 0.3):
        judge(state, 0.9, loss)
    assert state.progress.improved_epoch == 3


def test_many_examples_make_small_differences_count(state):
    assert judge(state, 0.900, 0.3, 50_000)
    assert not judge(state, 0.895, 0.2, 50_000)


def test_the_best_weights_come_back(state):
    judge(state, 0.9, 0.1)
    judge(state, 0.2, 3.0)
    state.save()
    state.model.set_weights([np.full((2, 1), 7.0), np.zeros(1)])
    assert state.restore({"epochs": 5})
    assert state.model.get_weights()[0][0, 0] == 2.0
    state.restore_best()
    assert state.model.get_weights()[0][0, 0] == 1.0
    assert state.progress.best_epoch == 1


def test_a_state_of_other_settings_is_refused(state):
    state.save()
    with pytest.raises(UsageError, match=r"train.npz was made with .*epochs: 5 there, 6 asked"):
        state.restore({"epochs": 6})


def test_equal_settings_are_no_difference():
    refuse_other("here", {"a": 1, "b": [2]}, {"b": [2], "a": 1})
    with pytest.raises(UsageError, match="b: None there, 2 asked"):
        refuse_other("here", {"a": 1}, {"a": 1, "b": 2})
