"""Which network to take, and a copy of its run folder at a fixed place."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from optuna.trial import FrozenTrial

from sqzkit.base.errors import RunError, WriteError
from sqzkit.exploration.config import ExploreConfig
from sqzkit.exploration.objectives import OBJECTIVES


def choose_winner(front: Sequence[FrozenTrial], config: ExploreConfig) -> FrozenTrial | None:
    """Return the recommended trial of the Pareto front, or None if there is none.

    Among the trials whose accuracy is at most `winner_drop` below the best one's, it is the
    cheapest by the first objective that is a cost.
    """
    if not front:
        return None
    best = max(trial.user_attrs["accuracy"] for trial in front)
    good = [t for t in front if t.user_attrs["accuracy"] >= best - config.winner_drop]
    costs = [at for at, name in enumerate(config.objectives) if not OBJECTIVES[name].maximize]
    if not costs:
        return max(good, key=lambda trial: trial.user_attrs["accuracy"])
    if "accuracy" not in config.objectives:
        good = list(front)
    return min(good, key=lambda trial: (trial.values[costs[0]], -trial.user_attrs["accuracy"]))


def copy_winner(winner: FrozenTrial, config: ExploreConfig) -> Path:
    """Copy the winner's run folder to STUDY_DIR/winner and return that path.

    Raises `RunError` if it was trained on another machine and is not in this folder.
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
