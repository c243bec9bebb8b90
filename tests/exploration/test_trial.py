"""Real training of tiny networks; and the whole program on the embedded digits."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from optuna.trial import TrialState

from sqzkit.base.keras import keras
from sqzkit.data.dataset import Example, ImageDataset, Split
from sqzkit.exploration import trial as explore_trial
from sqzkit.exploration.config import ExploreConfig
from sqzkit.models import squeezenet
from sqzkit.models.spec import tiny
from sqzkit.preprocessing import default
from sqzkit.runs.folder import RunFolder
from tests.exploration import toys

TEXTS = {"model": "tiny", "base_e": "8,16", "image_size": "32"}


@pytest.fixture
def experiment(tmp_path):
    generator = np.random.default_rng(0)

    def split(count, every=2):
        images = generator.integers(0, 100, (count, 32, 32, 3), np.uint8)
        images[1::2] += 100
        return Split(tuple(Example(image, int(i % every == 1)) for i, image in enumerate(images)))

    # Neither count nor labels of "test" let an accuracy be that of "validation".
    splits = {"train": split(64), "validation": split(16), "test": split(15, every=4)}
    dataset = ImageDataset("toy", ("dark", "light"), splits)
    # Of networks that do not say it, the input would be of 40 pixels.
    return explore_trial.Experiment(toys.config(tmp_path, TEXTS), dataset, 40)


def test_a_trial_is_a_run_folder(experiment):
    ages = []
    (candidate, _) = experiment.config.space.points()
    results = explore_trial.run_trial(experiment, candidate, lambda r, c: ages.append(len(c)))
    assert ages == [1, 2, 3]
    assert len(results["curve"]) == 3
    assert results["accuracy"] == max(results["curve"]) != results["test_top1"]
    folder = RunFolder.existing(experiment.folder(candidate).path)
    assert folder.path.name == results["folder"]
    assert len(results["folder"]) == 16  # else studies of former versions train all again
    assert folder.labels == ("dark", "light")
    assert folder.preprocessing.image_size == 32
    assert folder.finished_weights()[0] == "train"
    assert folder.read_spec()["base_e"] == 8
    rows = folder.read_record("layers")
    assert sum(row["parameters"] for row in rows) == results["parameters"]
    # What is finished is not trained again.
    ages.clear()
    again = explore_trial.run_trial(experiment, candidate, lambda r, c: ages.append(len(c)))
    assert ages == []
    assert again["accuracy"] == results["accuracy"]


def test_a_network_starts_from_the_seed_whatever_was_tried_before(experiment, monkeypatch):
    starts = []

    def begin(model, stage):
        starts.append(np.concatenate([values.ravel() for values in model.get_weights()]))
        raise explore_trial.TrialStoppedError({})

    monkeypatch.setattr(explore_trial, "fit_stage", begin)
    (candidate, _) = experiment.config.space.points()
    training = dataclasses.replace(experiment.config.training, seed=2)
    other = dataclasses.replace(experiment.config, training=training)
    for config in (experiment.config, experiment.config, other):
        with pytest.raises(explore_trial.TrialStoppedError):
            run = dataclasses.replace(experiment, config=config)
            explore_trial.run_trial(run, candidate, lambda *_: False)
    assert np.array_equal(starts[0], starts[1]) and not np.array_equal(starts[0], starts[2])


def test_a_stopped_trial_leaves_no_checkpoint(experiment):
    (candidate, other) = experiment.config.space.points()
    assert experiment.folder(candidate).path != experiment.folder(other).path
    with pytest.raises(explore_trial.TrialStoppedError) as stopped:
        explore_trial.run_trial(experiment, candidate, lambda r, c: len(c) == 2)
    results = stopped.value.results
    assert len(results["curve"]) == 2
    assert results["accuracy"] == max(results["curve"])
    assert results["multiply_accumulates"] > results["parameters"]
    assert not experiment.folder(candidate).checkpoints_path.exists()


def test_multiplications_are_those_counted_by_hand():
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((9, 9, 2)),
        layers.Conv2D(5, 3, strides=2),  # 4 x 4 places, 3 x 3 x 2 weights each, 5 filters
        layers.ReLU(),
        layers.Conv2D(3, 1, use_bias=False),  # 4 x 4 places, 5 weights each, 3 filters
    ])  # fmt: skip
    assert explore_trial.multiply_accumulates(model) == 16 * 18 * 5 + 16 * 5 * 3


def test_the_converted_file_is_measured(experiment, monkeypatch):
    # LiteRT refuses about one untrained network of 150.
    keras.utils.set_random_seed(1)
    model = squeezenet.build(tiny(2), 32)
    asked = ("accuracy", "sqz_bytes", "latency")
    config = dataclasses.replace(experiment.config, objectives=asked)
    timed = dataclasses.replace(experiment, config=config)
    measure, found = explore_trial.measure, []

    def watched(content, threads, runs, warmup):
        found.append((len(content), threads, measure(content, threads, runs, warmup)))
        return found[-1][2]

    monkeypatch.setattr(explore_trial, "measure", watched)
    measured = explore_trial.measure_converted(timed, model, default(32))
    assert 1000 < measured["sqz_bytes"] < measured["tflite_bytes"]
    ((size, threads, times),) = found
    assert (size, threads) == (measured["tflite_bytes"], 1)
    assert measured.pop("latency") == round(times.minimum_ms, 6)
    assert explore_trial.measure_converted(experiment, model, default(32)) == measured
    assert len(found) == 1  # only where it is an objective


EXPLORE = [sys.executable, "-m", "sqzkit.explore", "--model=tiny", "--base_e=8,16"]
EXPLORE += ["--incr_e=16", "--pct3x3=0.5", "--squeeze_ratio=0.25", "--bypass=none"]
EXPLORE += ["--train_epochs=2", "--trials=2", "--threads=1"]


@pytest.mark.slow
def test_an_exploration_from_the_command_line_ends_in_a_winner(tmp_path, repository):
    study_dir = tmp_path / "study"
    command = [*EXPLORE, f"--study_dir={study_dir}", "--sampler=grid"]
    done = subprocess.run(command, cwd=repository, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    config = ExploreConfig(study_dir=str(study_dir))
    trials = _trials(study_dir, config)
    finished = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    assert len({trial.user_attrs["key"] for trial in finished}) == len(finished) == 2
    winner = RunFolder.existing(study_dir / "winner")
    assert winner.finished_weights()[0] == "train"
    assert "winner: trial" in done.stdout
    assert (study_dir / "explore.html").exists()
    assert json.loads((study_dir / "explore.json").read_text())["sampler"] == "grid"


def _trials(study_dir, config):
    # Looked at through the storage alone, as another program would.
    import optuna

    from sqzkit.exploration.storage import make_storage

    return optuna.load_study(study_name=config.study_name, storage=make_storage(config)).trials
