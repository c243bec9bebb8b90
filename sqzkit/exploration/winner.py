"""Which network to take, and a copy of its run folder at a fixed place."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from sqzkit.base.errors import RunError, WriteError
from sqzkit.exploration.config import ExploreConfig
from sqzkit.exploration.objectives import OBJECTIVES
from sqzkit.exploration.samplers import dominated_shares


def pareto_front(trials: Sequence[FrozenTrial], names: Sequence[str]) -> list[FrozenTrial]:
    """Return the complete trials that no other one dominates.

    Args:
      trials: of the study.
      names: its objectives.
    """
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if not complete:
        return []
    signs = [-1.0 if OBJECTIVES[name].maximize else 1.0 for name in names]
    points = np.array([trial.values for trial in complete]) * signs
    free = dominated_shares(points) == 0
    return [trial for trial, undominated in zip(complete, free, strict=True) if undominated]


def choose_winner(trials: Sequence[FrozenTrial], config: ExploreConfig) -> FrozenTrial | None:
    """Return the recommended trial, or None if no trial is complete.

    Among the trials of the Pareto front whose accuracy is at most `winner_drop` below the
    best one's, it is the cheapest by the first objective that is a cost.
    """
    front = pareto_front(trials, config.objectives)
    if not front:
        return None
    best = max(trial.user_attrs["accuracy"] for trial in front)
    good = [t for t in front if t.user_attrs["accuracy"] >= best - config.winner_drop]
    costs = [at for at, name in enumerate(config.objectives) if not OBJECTIVES[name].maximize]
    if not costs:
        return max(good, key=lambda trial: trial.user_attrs["accuracy"])
    if "accuracy" not in config.objectives:
        good = front
    return min(good, key=lambda trial: (trial.values[costs[0]], -trial.user_attrs["accuracy"]))


def copy_winner(winner: FrozenTrial, config: ExploreConfig) -> Path:
    """Copy the winner's run folder to STUDY_DIR/winner and return that path.

    Raises:
      RunError: it was trained on another machine and is not in this folder.
    """
    name = str(winner.user_attrs["folder"])
    if not re.fullmatch(r"\w+", name):  # the study may come from another machine
        raise RunError(f"trial {winner.number}: {name[:40]!r} cannot be the folder of a trial")
    source = Path(config.study_dir) / "trials" / name
    target = Path(config.study_dir) / "winner"
    if not source.is_dir():
        raise RunError(
            f"{source} is missing: trial {winner.number} was trained by "
            f"{winner.user_attrs['worker']}; copy the folder from there and run the command again"
        )
    aside, before = target.with_name(".winner"), target.with_name(".winner-before")
    for leftover in (aside, before):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        shutil.copytree(source, aside)
    except shutil.Error as error:
        reason = error.args[0][0][2]
        raise WriteError(f"cannot copy {source} to {target}: {reason}; free space") from error
    if target.exists():
        target.rename(before)  # a kill while it is removed in place would leave half of it
    aside.rename(target)
    shutil.rmtree(before, ignore_errors=True)
    return target
