"""The time a training takes, and the epochs that fit into a limit."""

import dataclasses
import itertools
import types

import pytest

from sqzkit.base.keras import keras
from sqzkit.preprocessing import default
from sqzkit.runs.folder import RunFolder
from sqzkit.training import duration, steps
from sqzkit.training.config import TrainingConfig
from sqzkit.training.duration import Duration
from sqzkit.training.options import FitOptions


@pytest.mark.parametrize(
    ("batch", "min_steps", "expected"),
    [(16, 0, 10), (16, 90, 15), (16, 9_000, 24), (1, 90, 10), (500, 12, 12), (500, 90, 24)],
)
def test_few_steps_an_epoch_mean_more_epochs_up_to_a_bound(colours, batch, min_steps, expected):
    config = TrainingConfig(
        "run", train_epochs=10, train_batch_size=batch, min_train_steps=min_steps
    )
    assert duration.planned_epochs(config, colours) == expected
    longer = dataclasses.replace(config, train_epochs=60)
    assert duration.planned_epochs(longer, colours) == 60


@pytest.mark.parametrize(("batch", "expected"), [(1, 10), (6, 10), (7, 12), (16, 24)])
def test_a_fold_has_at_least_as_many_steps_as_it_needs(colours, batch, expected):
    """Of 112 images, 75 are trained on: 120 steps are 1.6 epochs, 10, 12 and 30."""
    config = TrainingConfig("run", train_epochs=10, train_batch_size=batch, min_train_steps=1_500)
    assert duration.planned_epochs(config, colours, 3) == expected


def test_steps_that_were_asked_for_are_rounded_up_to_epochs(colours):
    config = TrainingConfig("run", train_epochs=10, train_batch_size=16, train_steps=13)
    assert duration.planned_epochs(config, colours) == 3  # of 6 steps


@pytest.mark.parametrize(("seconds", "epochs"), [(-5, 0), (9, 0), (25, 2), (1000, 30)])
def test_as_many_epochs_are_made_as_fit(seconds, epochs):
    assert duration.within(Duration(30, 7, 10.0), seconds) == Duration(epochs, 7, 10.0)


@pytest.fixture
def small(monkeypatch):
    """What builds a small network, on a clock that moves on by a second at each look."""
    ticks = itertools.count()
    clock = types.SimpleNamespace(monotonic=lambda: 1.0 * next(ticks))
    monkeypatch.setattr(duration, "time", clock)

    def build():
        inputs = keras.Input((32, 32, 3))
        features = keras.layers.GlobalAveragePooling2D()(inputs)
        return keras.Model(inputs, keras.layers.Dense(4)(features))

    return build


def test_an_epoch_is_its_steps_and_its_validation(colours, small):
    """96 images are 6 batches; validating 16 takes a third of one more."""
    expected = duration.expect(small, colours, default(32), FitOptions(epochs=9, batch_size=16))
    assert (expected.epochs, expected.steps) == (9, 6)
    assert expected.seconds == pytest.approx(1.0 * (6 + 1 / 3))
    assert expected.other_seconds == 1.0  # until the first step was done
    assert str(expected) == "9 epochs of 6 steps, about 0:00:58"
    fewer = duration.expect(small, colours, default(32), FitOptions(epochs=1, batch_size=500))
    assert fewer.steps == 1


def test_steps_are_timed_on_the_images_that_training_sees(colours, small, monkeypatch):
    """And on those of a second epoch, where the first is over too soon."""
    seen = []

    def epoch_batches(*chosen):
        found = list(steps.epoch_batches(*chosen)[1])
        seen.append((chosen[-1], len(found)))
        return len(found), iter(found)

    monkeypatch.setattr(duration, "steps", types.SimpleNamespace(**vars(steps)))
    monkeypatch.setattr(duration.steps, "epoch_batches", epoch_batches)
    options = FitOptions(epochs=9, batch_size=16, augmentation="standard")
    for seconds, epochs in ((0.5, [0]), (10.5, [0, 1])):
        monkeypatch.setattr(duration, "TIMED_SECONDS", seconds)
        duration.expect(small, colours, default(32), options)
        assert seen == [(epoch, 6) for epoch in epochs]
        seen.clear()


def test_folds_take_time_besides_their_epochs(colours, small):
    """Each third of the 112 images is held out once; then all may be trained on once more."""
    expected = duration.expect(small, colours, default(32), FitOptions(epochs=9, batch_size=16), 3)
    assert (expected.epochs, expected.steps, expected.folds) == (9, 4, 3)
    validated = 1.0 * 112 / 16 / 3  # of all images once
    assert expected.seconds == pytest.approx(1.0 * 3 * 4 + validated)
    assert expected.other_seconds == pytest.approx(3 * 1.0 + 7 * validated)
    assert expected.last_seconds == pytest.approx(1.0 * (7 + 1 / 3))
    assert str(expected) == (
        "9 epochs of 4 steps in each of 3 folds, about 0:02:28; if they help much, 0:01:06 more"
    )
    seconds = expected.other_seconds + 2 * (expected.seconds + expected.last_seconds)
    assert duration.within(expected, seconds + 1).epochs == 2
    assert duration.within(expected, seconds - 1).epochs == 1


def test_time_is_taken_where_it_decides_or_is_worth_it(tmp_path, monkeypatch):
    expected = Duration(30, 7, 10.0)
    monkeypatch.setattr(duration.time, "monotonic", lambda: 100.0)
    folder = RunFolder(tmp_path / "run")

    def decided(minutes, timed):
        return duration.decide(folder, minutes, 70.0, lambda: expected, timed)

    assert decided(None, timed=False) is None
    assert decided(None, timed=True) == expected
    assert decided(1.0, timed=False) == Duration(3, 7, 10.0)  # 30 s have passed
    folder.write_spec({})
    assert decided(None, timed=True) is None  # a resumed run has said it before
    assert decided(1.0, timed=False) == Duration(3, 7, 10.0)
    folder.write_record("duration", dataclasses.asdict(Duration(5, 7, 10.0)))
    assert decided(1.0, timed=False) == Duration(5, 7, 10.0)  # whatever the clock says now
    assert decided(None, timed=False) is None
