"""The work of one process: trials until the study has enough of them."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial

from sqzkit.base import files
from sqzkit.base.errors import InvariantError, RunError, UnfitNetworkError
from sqzkit.data.dataset import ImageDataset
from sqzkit.data.open import open_dataset
from sqzkit.exploration import space
from sqzkit.exploration.config import ExploreConfig
from sqzkit.exploration.objectives import OBJECTIVES, locked
from sqzkit.exploration.storage import TakenOverError
from sqzkit.exploration.study import Study
from sqzkit.exploration.winner import choose_winner, copy_winner

_FAILURES = 5
# Rivals must be this many, and of this age, before they are believed.
_RIVALS = 4
_FIRST_JUDGED_EPOCH = 2


def explore(config: ExploreConfig) -> FrozenTrial | None:
    """Work on a study until it has its trials; write its page and its winner.

    Returns:
      The winner, or None if no trial was complete.

    Raises:
      UsageError: the study is another one, or no network is in the space.
      RunError: the storage is gone, or trial after trial fails.
    """
    from sqzkit.exploration import trial as explore_trial
    from sqzkit.exploration.page import write_page
    from sqzkit.training import loop

    explore_trial.limit_threads(config.threads)
    loop.prepare(config.training)
    dataset = open_dataset(config.data)
    side = loop.image_size(dataset)
    space.require_networks(config.space, dataset.num_classes, side)
    study = Study(config, describe(dataset))
    files.write_json(Path(config.study_dir) / "explore.json", config.to_json())
    work(study, explore_trial.Bench(config, dataset, side))
    winner = choose_winner(study.finished(), config)
    # Other processes of the study may end at the same moment.
    with locked(Path(config.study_dir) / "winner.lock"):
        print(f"page: {write_page(study.finished(), winner, config, dataset.name)}", flush=True)
        if winner is not None:
            path = copy_winner(winner, config)
            print(f"winner: trial {winner.number}, {winner.user_attrs['key']}, in {path}")
    return winner


def describe(dataset: ImageDataset) -> dict[str, Any]:
    """Return what identifies a data set within a study."""
    counts = {name: split.num_examples for name, split in dataset.splits.items()}
    return {"name": dataset.name, "labels": list(dataset.labels), **counts}


def work(study: Study, bench: Any) -> None:
    """Run trials until the study has enough, or its space is used up."""
    failures = 0
    while study.wants_more():
        try:
            asked = study.ask()
            if asked is None:
                print("no network of the space is left to try", flush=True)
                return
            failures = _attempt(study, bench, *asked, failures)
        except TakenOverError:
            print("silent for too long: a trial was given to another process", flush=True)


def _attempt(
    study: Study, bench: Any, number: int, candidate: space.Candidate, failures: int
) -> int:
    """Run a trial if it may; return how many have failed one after another."""
    reason = space.why_not(candidate, bench.dataset.num_classes, bench.image_size)
    if reason:
        study.fail(number, reason, for_good=True)
    elif not study.may_run(number):
        study.fail(number, "another trial has this network", for_good=False)
    else:
        failures = 0 if _run(study, bench, number, candidate) else failures + 1
    if failures >= _FAILURES:
        reason = study.trials()[number].user_attrs.get("reason", "")
        raise RunError(f"{failures} trials failed one after another; the last: {reason}")
    return failures


def beaten(
    results: dict[str, Any],
    curve: Sequence[float],
    rivals: Sequence[FrozenTrial],
    names: Sequence[str],
) -> bool:
    """Tell whether a trial is hardly going to matter.

    Its rivals are the finished trials that cost no more, by the objectives
    that are known beforehand: if there are enough of them and it is less
    accurate than most of them were at its age, it would be dominated.
    Args:
      results: of the trial: parameters and multiply_accumulates.
      curve: its validation accuracy by epoch.
      rivals: finished trials of the study.
      names: the objectives.
    """
    age = len(curve)
    if age < _FIRST_JUDGED_EPOCH:
        return False
    costs = ["multiply_accumulates"] if "latency" in names else []
    if "parameters" in names or "sqz_bytes" in names:
        costs.append("parameters")
    at_that_age = [
        max(trial.user_attrs["curve"][:age])
        for trial in rivals
        if len(trial.user_attrs.get("curve", ())) >= age
        and all(trial.user_attrs[cost] <= results[cost] for cost in costs)
    ]
    return len(at_that_age) >= _RIVALS and max(curve) < float(np.median(at_that_age))


def _run(study: Study, bench: Any, number: int, candidate: space.Candidate) -> bool:
    from sqzkit.exploration import trial as explore_trial

    config = study.config
    names = config.objectives

    def judge(results: dict[str, Any], curve: list[float]) -> bool:
        study.note(number, {**results, "curve": curve})
        return config.stop_bad and beaten(results, curve, study.finished(), names)

    started = time.monotonic()
    try:
        results = explore_trial.run_trial(bench, candidate, judge)
    except explore_trial.TrialStoppedError as stopped:
        study.stop(number, stopped.results)
        _say(study, number, stopped.results, started, "stopped early")
        return True
    except (UnfitNetworkError, InvariantError) as error:
        # Anything else (a full disk, missing photographs) is not the network's fault: it ends
        # the program, and the trial is taken over by the next.
        study.fail(number, str(error), for_good=True)
        print(f"trial {number} failed: {error}", file=sys.stderr, flush=True)
        return False
    results["seconds"] = round(time.monotonic() - started, 1)
    study.finish(number, explore_trial.values(results, names), results)
    _say(study, number, results, started, "")
    return True


def _say(study: Study, number: int, results: dict[str, Any], started: float, note: str) -> None:
    done, total = len(study.finished()), study.config.trials
    seconds = time.monotonic() - started
    shown = " ".join(
        f"{name}={results[name]:,.4g}"
        if isinstance(results[name], float)
        else f"{name}={results[name]:,}"
        for name in OBJECTIVES
        if name in results
    )
    print(
        f"trial {number} ({done} of {total}): {shown} {seconds:.0f} s {note}".rstrip(), flush=True
    )
