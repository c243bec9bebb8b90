"""A study shared by any number of processes, in which no network is trained twice.

Optuna keeps the trials, in a journal file in the study's folder or in a database. A trial
*announces* its network before anything is trained. Trials are numbered in order, and each
waits until all running trials with lower numbers have announced theirs or were given up.
So if two trials choose the same network, the lower number always trains it and the other
yields, whatever the timing.
"""

import contextlib
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from sqzkit.base import files
from sqzkit.data import identity
from sqzkit.exploration.config import ExploreConfig
from sqzkit.exploration.objectives import OBJECTIVES
from sqzkit.exploration.samplers import make_sampler
from sqzkit.exploration.space import Candidate
from sqzkit.exploration.storage import make_storage, storage_errors
from sqzkit.runs.settings import refuse_other, with_place

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
ONGOING = (*FINISHED, TrialState.RUNNING)
_ANNOUNCE_SECONDS = 10.0
_SILENT_SECONDS = 3600.0


class Study:
    """A study that this process works on."""

    def __init__(self, config: ExploreConfig, data: dict[str, Any]) -> None:
        """Open the study of `config`, or begin it.

        `data` is what identifies the data set: name, labels, number of examples.

        Raises:
          UsageError: the study holds trials of other data, networks or training.
          RunError: the storage cannot be reached.
        """
        self.config = config
        self._rejected = 0
        self._silent_since: dict[int, float] = {}  # on this process's own clock
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with storage_errors(self.config):
            self._storage = make_storage(config)
            self.study = self._load()
            self._refuse_other({**config.identity(), "examples": data})

    def needs_trials(self) -> bool:
        """Return whether another trial should begin, after queueing those of dead processes."""
        while True:
            self._reclaim()
            ongoing = [trial for trial in self.trials() if trial.state in ONGOING]
            if len(ongoing) < self.config.trials:
                return True
            running = [trial for trial in ongoing if trial.state == TrialState.RUNNING]
            if all("worker" in trial.user_attrs for trial in running):
                return False
            time.sleep(0.05)  # until its process names itself, or is considered dead

    def ask(self) -> tuple[int, Candidate] | None:
        """Begin a trial; return its number and network, or None if no network is left.

        Raises `TakenOverError` if it took so long that another process gave it up.
        """
        with storage_errors(self.config):
            self.study = self._load()
            trials = self.trials()
            waiting = any(trial.state == TrialState.WAITING for trial in trials)
            if len(_taken(trials)) >= self.config.space.size and not waiting:
                return None
            trial = self.study.ask()
            # Written first, so that others can tell from here on whether this process is dead.
            trial.set_user_attr("worker", worker())
            values: dict[str, Any] = {
                name: trial.suggest_categorical(name, choices)
                for name, choices in self.config.space.choices.items()
            }
            candidate = self.config.space.candidate(values)
            trial.set_user_attr("alive", time.time())
            # Written last: a trial with a key has everything else.
            trial.set_user_attr("key", candidate.key)
        return trial.number, candidate

    def may_run(self, number: int) -> bool:
        """Return whether an announced trial is the first with its network and still needed."""
        while True:
            self._reclaim(below=number)
            trials = self.trials()
            lower = [t for t in trials[:number] if t.state in (*ONGOING, TrialState.WAITING)]
            if all("key" in t.user_attrs for t in lower if t.state == TrialState.RUNNING):
                break
            time.sleep(0.05)
        key = trials[number].user_attrs["key"]
        taken = any(t.user_attrs.get("key") == key and is_taken(t) for t in trials[:number])
        self._rejected = self._rejected + 1 if taken else 0
        return not taken and len(lower) < self.config.trials

    def finish(self, number: int, values: list[float], results: dict[str, Any]) -> None:
        """Record a trial as complete."""
        with storage_errors(self.config):
            self._set(number, results)
            self.study.tell(number, values)

    def stop(self, number: int, results: dict[str, Any]) -> None:
        """Record a trial that was stopped early; it counts as finished."""
        with storage_errors(self.config):
            self._set(number, results)
            self.study.tell(number, state=TrialState.PRUNED)

    def fail(self, number: int, reason: str, for_good: bool) -> None:
        """Record a trial without a result; it does not count as finished.

        `for_good` says that its network must never be tried again.
        """
        with storage_errors(self.config):
            self._set(number, {"reason": reason, "for_good": for_good})
            self.study.tell(number, state=TrialState.FAIL)

    def note(self, number: int, results: dict[str, Any]) -> None:
        """Store results of a running trial, and the time, which shows that it is alive."""
        with storage_errors(self.config):
            self._set(number, {**results, "alive": time.time()})

    def trials(self) -> list[FrozenTrial]:
        """Return all trials by number."""
        with storage_errors(self.config):
            return self.study.get_trials(deepcopy=False)

    def finished(self) -> list[FrozenTrial]:
        """Return the trials that count: complete ones and those that were stopped early."""
        return [trial for trial in self.trials() if trial.state in FINISHED]

    def front(self) -> list[FrozenTrial]:
        """Return the Pareto front: the complete trials that no other one dominates."""
        with storage_errors(self.config):
            return self.study.best_trials

    def _reclaim(self, below: int | None = None) -> None:
        """Fail the trials (with numbers below `below`) of dead processes; queue their networks."""
        for trial in self.trials()[:below]:
            if trial.state == TrialState.RUNNING and self._is_gone(trial):
                # Another process may have done this already.
                with storage_errors(self.config), contextlib.suppress(ValueError, RuntimeError):
                    # Queued first, so that a kill in between does not lose the network.
                    # If it is queued twice, the second trial yields.
                    if "key" in trial.user_attrs:
                        announced = {"key": trial.user_attrs["key"]}
                        self.study.enqueue_trial(trial.params, announced)
                    self.study.tell(trial.number, state=TrialState.FAIL)

    def _is_gone(self, trial: FrozenTrial) -> bool:
        if {"key", "worker"} <= trial.user_attrs.keys():
            return is_gone(trial)
        first_seen = self._silent_since.setdefault(trial.number, time.monotonic())
        silent = time.monotonic() - first_seen > _ANNOUNCE_SECONDS
        return silent or ("worker" in trial.user_attrs and is_gone(trial))

    def _set(self, number: int, results: dict[str, Any]) -> None:
        # Through the storage: only `ask` has Optuna's object of the trial.
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(
            self.study._study_id, number
        )
        for name, value in results.items():
            self._storage.set_trial_user_attr(trial_id, name, value)

    def _load(self) -> optuna.Study:
        directions = [
            StudyDirection.MAXIMIZE if OBJECTIVES[name].maximize else StudyDirection.MINIMIZE
            for name in self.config.objectives
        ]
        study = optuna.create_study(
            storage=self._storage,
            study_name=self.config.study_name,
            directions=directions,
            load_if_exists=True,
        )
        trials = study.get_trials(deepcopy=False)
        study.sampler = make_sampler(self.config, trials, _taken(trials), self._rejected)
        return study

    def _refuse_other(self, asked: dict[str, Any]) -> None:
        known = self.study.user_attrs.get("identity")
        if known is None:
            self.study.set_user_attr("identity", asked)
        else:
            placed = with_place(known, asked, identity.read(Path(self.config.study_dir)))
            if placed is not known:  # the data are called like their folder
                placed["examples"] = {**known["examples"], "name": asked["examples"]["name"]}
            study = f"study {self.config.study_name!r} of --study_dir {self.config.study_dir}"
            refuse_other(study, placed, asked, "--study_name")


def is_taken(trial: FrozenTrial) -> bool:
    """Return whether no other trial may try this trial's network."""
    counts = trial.state in (*ONGOING, TrialState.WAITING)
    return "key" in trial.user_attrs and bool(counts or trial.user_attrs.get("for_good"))


def _taken(trials: Sequence[FrozenTrial]) -> set[str]:
    return {trial.user_attrs["key"] for trial in trials if is_taken(trial)}


def worker() -> str:
    """Return what identifies this process among all machines: "host pid start"."""
    return f"{socket.gethostname()} {os.getpid()} {_started(os.getpid())}".rstrip()


def is_gone(trial: FrozenTrial) -> bool:
    """Return whether the process of a running trial has ended.

    A process of this machine is looked up by its number and, where the system tells, by its
    start time. A trial of another machine is given up after an hour without news.
    """
    name, *process = trial.user_attrs.get("worker", "").split(" ")
    if name == socket.gethostname():
        pid, *started = process  # another process may have been given its number since
        return not (files.is_alive(int(pid)) and started in ([], [_started(int(pid))]))
    began = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
    alive = float(trial.user_attrs.get("alive", began))
    return time.time() - alive > _SILENT_SECONDS


def _started(pid: int) -> str:
    """Return when a process began, in the system's ticks; "" on a system without /proc."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return status.rpartition(")")[2].split()[19]
