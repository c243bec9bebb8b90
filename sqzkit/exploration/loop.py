"""The work of one process: run trials until the study has enough of them."""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from optuna.trial import FrozenTrial

from sqzkit.base import files
from sqzkit.base.errors import InvariantError, RunError, UnfitNetworkError
from sqzkit.data import identity
from sqzkit.data.dataset import ImageDataset
from sqzkit.data.open import open_dataset
from sqzkit.exploration import space, trial
from sqzkit.exploration.config import ExploreConfig
from sqzkit.exploration.objectives import OBJECTIVES
from sqzkit.exploration.page import write_page
from sqzkit.exploration.storage import TakenOverError, locked
from sqzkit.exploration.study import Study
from sqzkit.exploration.trial import Experiment
from sqzkit.exploration.winner import choose_winner, copy_winner
from sqzkit.training import loop, scratch

_MAX_FAILURES = 5
_MIN_COMPARABLE = 4
_FIRST_JUDGED_EPOCH = 2


def explore(config: ExploreConfig) -> FrozenTrial | None:
    """Work on a study until it has its trials; write its page and its winner.

    The winner is returned, or None if no trial was completed.

    Raises:
      UsageError: the study is another one, or no network is in the space.
      RunError: the storage cannot be reached, or several trials in a row fail.
    """
    if config.threads:
        tf.config.threading.set_intra_op_parallelism_threads(config.threads)
        tf.config.threading.set_inter_op_parallelism_threads(config.threads)
    loop.prepare(config.training.seed, config.training.deterministic)
    dataset = open_dataset(config.data)
    folder = Path(config.study_dir)
    if known := identity.read(folder):
        identity.resume(dataset, known, "study", "--study_dir")
    side = scratch.image_size(dataset)
    space.require_networks(config.space, dataset.num_classes, side)
    study = Study(config, describe(dataset))
    files.write_json(folder / "explore.json", config.to_json())
    if not (folder / identity.FILE).exists():  # nor written by another process meanwhile
        files.write_json(folder / identity.FILE, identity.record(dataset))
    work(study, Experiment(config, dataset, side))
    trials, front = study.finished(), study.front()
    winner = choose_winner(front, config)
    # Other processes of the study may finish at the same moment.
    with locked(folder / "winner.lock"):
        print(f"page: {write_page(trials, front, winner, config, dataset.name)}", flush=True)
        if winner is not None:
            path = copy_winner(winner, config)
            network = config.space.candidate(json.loads(winner.user_attrs["key"]))
            print(f"winner: trial {winner.number}, in {path}")
            print(f"to train it longer: sqzkit train {network.flags}")
    return winner


def describe(dataset: ImageDataset) -> dict[str, Any]:
    """Return what identifies a data set within a study."""
    counts = {name: split.num_examples for name, split in dataset.splits.items()}
    return {"name": dataset.name, "labels": list(dataset.labels), **counts}


def work(study: Study, experiment: Experiment) -> None:
    """Run trials until the study has enough, or every network was tried."""
    failures = 0
    while study.needs_trials():
        try:
            asked = study.ask()
            if asked is None:
                print("every network of the space was tried", flush=True)
                return
            failures = _attempt(study, experiment, *asked, failures)
        except TakenOverError:
            print("silent for too long: another process took over a trial", flush=True)


def _attempt(
    study: Study, experiment: Experiment, number: int, candidate: space.Candidate, failures: int
) -> int:
    """Run a trial if it may; return how many trials in a row have failed."""
    classes, side = experiment.dataset.num_classes, experiment.image_size
    reason = space.why_not(candidate, classes, side)
    if reason:
        study.fail(number, reason, for_good=True)
    elif not study.may_run(number):
        study.fail(number, "another trial has this network", for_good=False)
    else:
        failures = 0 if _run(study, experiment, number, candidate) else failures + 1
    if failures >= _MAX_FAILURES:
        reason = study.trials()[number].user_attrs.get("reason", "")
        raise RunError(f"{failures} trials in a row failed; the last: {reason}")
    return failures


def should_stop(
    results: dict[str, Any],
    curve: Sequence[float],
    finished: Sequence[FrozenTrial],
    names: Sequence[str],
) -> bool:
    """Return whether a trial is less accurate than most comparable trials were at its age.

    Comparable are finished trials that cost no more, by the objectives that are known before
    training. A trial that is less accurate than their median would most likely be dominated.

    Args:
      results: of the trial: "parameters" and "multiply_accumulates".
      curve: its validation accuracy by epoch, 0..1.
      finished: trials of the study.
      names: the objectives.
    """
    age = len(curve)
    if age < _FIRST_JUDGED_EPOCH:
        return False
    costs = ["multiply_accumulates"] if "latency" in names else []
    if "parameters" in names or "sqz_bytes" in names:
        costs.append("parameters")
    at_that_age = [
        max(other.user_attrs["curve"][:age])
        for other in finished
        if len(other.user_attrs.get("curve", ())) >= age
        and all(other.user_attrs[cost] <= results[cost] for cost in costs)
    ]
    return len(at_that_age) >= _MIN_COMPARABLE and max(curve) < float(np.median(at_that_age))


def _run(study: Study, experiment: Experiment, number: int, candidate: space.Candidate) -> bool:
    config = study.config

    def judge(results: dict[str, Any], curve: list[float]) -> bool:
        study.note(number, {**results, "curve": curve})
        finished = study.finished() if config.stop_bad else []
        return config.stop_bad and should_stop(results, curve, finished, config.objectives)

    started = time.monotonic()
    try:
        results = trial.run_trial(experiment, candidate, judge)
    except trial.TrialStoppedError as stopped:
        study.stop(number, stopped.results)
        _print_trial(study, number, stopped.results, started, "stopped early")
        return True
    except (UnfitNetworkError, InvariantError) as error:
        # Any other error (a full disk, missing photographs) is not the network's fault. It ends
        # the program, and the next process takes the trial over.
        study.fail(number, str(error), for_good=True)
        print(f"trial {number} failed: {error}", file=sys.stderr, flush=True)
        return False
    results["seconds"] = round(time.monotonic() - started, 1)
    study.finish(number, [float(results[name]) for name in config.objectives], results)
    _print_trial(study, number, results, started, "")
    return True


def _print_trial(
    study: Study, number: int, results: dict[str, Any], started: float, note: str
) -> None:
    shown = [
        f"{name}={results[name]:{',.4g' if isinstance(results[name], float) else ','}}"
        for name in OBJECTIVES
        if name in results
    ]
    progress = f"trial {number} ({len(study.finished())} of {study.config.trials}):"
    seconds = f"{time.monotonic() - started:.0f} s"
    print(" ".join([progress, *shown, seconds, note]).rstrip(), flush=True)
