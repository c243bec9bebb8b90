"""Studies without any training, for the tests of exploration."""

import dataclasses
import os

from optuna.trial import FrozenTrial, TrialState, create_trial

from sqzkit.exploration import space
from sqzkit.exploration import trial as explore_trial
from sqzkit.exploration.config import ExploreConfig
from sqzkit.training.config import TrainingConfig

TINY = {"model": "tiny", "base_e": "8,16,24,32", "incr_e": "0,8,16", "squeeze_ratio": "0.25,0.5"}
DATA = {"name": "toy", "labels": ["a", "b"], "train": 10}


def config(folder, texts=None, **changes):
    changes = {"study_dir": str(folder), "trials": 6, "sampler": "random", **changes}
    training = TrainingConfig(model_dir="unused", train_epochs=3, train_batch_size=64)
    return ExploreConfig(space=space.from_texts(texts or TINY), training=training, **changes)


@dataclasses.dataclass
class ToyData:
    num_classes: int = 10


@dataclasses.dataclass
class ToyExperiment:
    """Stands where `explore_trial.Experiment` does."""

    dataset: ToyData = dataclasses.field(default_factory=ToyData)
    image_size: int = 32


def results_of(candidate, experiment=None, judge=None):
    """Made up: larger networks are better, with falling returns."""
    values = {"squeeze_ratio": 0.5, "incr_e": 0, **dict(candidate.values)}
    parameters = int(100 * values["base_e"] * (1 + values["squeeze_ratio"]) + values["incr_e"])
    accuracy = 1 - 40 / parameters
    return {
        "folder": f"{abs(hash(candidate.key)):x}",
        "parameters": parameters,
        "multiply_accumulates": 10 * parameters,
        "accuracy": accuracy,
        "test_top1": accuracy - 0.01,
        "curve": [accuracy / 2, accuracy],
        "pid": os.getpid(),
    }


def train_nothing(monkeypatch, outcome=results_of):
    """Let trials answer at once; return the candidates they were asked for."""
    asked = []

    def run_trial(experiment, candidate, judge):
        asked.append(candidate)
        return outcome(candidate, experiment, judge)

    monkeypatch.setattr(explore_trial, "run_trial", run_trial)
    return asked


def finished(number, values, state=TrialState.COMPLETE, **attributes) -> FrozenTrial:
    """A trial as a study returns it."""
    trial = create_trial(values=values, state=state, user_attrs=attributes)
    trial.number = number
    return trial
