"""Measure whether two processes on one study halve the time.

python -m benchmarks.explore_sharing --work_dir=DIR

Explores the embedded digits twice with the same flags, by one process and by
two that share the study's folder, and checks that no network was trained
twice. Give the machine's cores to nothing else meanwhile.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from benchmarks import script
from sqzkit.base.errors import RunError
from sqzkit.base.files import refuse_existing

_WORK_DIR = flags.DEFINE_string("work_dir", None, "Folder for the studies.", required=True)
_TRIALS = flags.DEFINE_integer("trials", 30, "Networks of each study.")
_EPOCHS = flags.DEFINE_integer("train_epochs", 8, "Epochs of each network.")


def explore(study_dir: Path, processes: int) -> float:
    """Explore with so many processes at once; return the seconds until all have ended."""
    command = [sys.executable, "-m", "sqzkit.explore", f"--study_dir={study_dir}"]
    command += [f"--trials={_TRIALS.value}", f"--train_epochs={_EPOCHS.value}"]
    command += ["--sampler=random", "--nostop_bad"]
    if processes > 1:
        command.append("--threads=1")
    started = time.monotonic()
    running = []
    for number in range(processes):
        with open(study_dir.with_suffix(f".{number}.log"), "w", encoding="utf-8") as log:
            running.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT))
    if any(process.wait() for process in running):
        raise RunError(f"an exploration failed: see {study_dir}.*.log")
    return time.monotonic() - started


def networks(study_dir: Path) -> list[str]:
    """Return the networks of the finished trials."""
    from sqzkit.exploration.config import ExploreConfig
    from sqzkit.exploration.storage import make_storage
    from sqzkit.exploration.study import FINISHED

    storage = make_storage(ExploreConfig(study_dir=str(study_dir)))
    (study,) = storage.get_all_studies()
    trials = storage.get_all_trials(study._study_id)
    return [trial.user_attrs["key"] for trial in trials if trial.state in FINISHED]


def main(argv: Sequence[str]) -> None:
    """Measure, and print one line."""
    script.reject_arguments(argv)
    folder = Path(_WORK_DIR.value)
    refuse_existing(folder, overwrite=False)
    folder.mkdir(parents=True)
    seconds = [explore(folder / f"by_{processes}", processes) for processes in (1, 2)]
    found = networks(folder / "by_2")
    print(
        f"one process {seconds[0]:.0f} s, two {seconds[1]:.0f} s: {seconds[1] / seconds[0]:.2f}; "
        f"{len(found)} networks, {len(set(found))} of them different"
    )


if __name__ == "__main__":
    script.run(main)
