"""One study shared by any number of processes, without running a network twice.

Optuna keeps the trials: in a journal file of the study's folder, or in a
database. A trial *announces* its network before anything is trained. Numbers
are given in order, and a trial waits until all lower ones that run have
announced, or were given up; so of two that chose the same network, the lower
number always wins and the other yields, whatever the timing.
"""

import contextlib
import os
import socket
import time
from collections.abc import Set
from pathlib import Path
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from sqzkit.base import files
from sqzkit.base.errors import UsageError
from sqzkit.exploration.annealing import AnnealingSampler
from sqzkit.exploration.config import ExploreConfig
from sqzkit.exploration.objectives import OBJECTIVES
from sqzkit.exploration.space import Candidate, SearchSpace
from sqzkit.exploration.storage import make_storage, reaching

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
ONGOING = (*FINISHED, TrialState.RUNNING)
_ANNOUNCE_SECONDS = 10.0
_SILENT_SECONDS = 3600.0
_STUBBORN = 10


class Study:
    """A study that this process takes part in.

    Raises:
      UsageError: the study holds trials of other data, networks or training.
      RunError: the storage cannot be reached.
    """

    def __init__(self, config: ExploreConfig, data: dict[str, Any]) -> None:
        """Open or begin the study.

        Args:
          config: what to explore.
          data: what identifies the data set: name, labels, number of examples.
        """
        self.config = config
        self._rejected = 0
        self._silent_since: dict[int, float] = {}  # on this process's own clock
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with reaching(self.config):
            self._storage = make_storage(config)
            self.study = self._load()
            self._check_identity({**config.identity(), "examples": data})

    def wants_more(self) -> bool:
        """Tell whether another trial should be begun, after taking over dead ones."""
        while True:
            self._reclaim()
            ongoing = [trial for trial in self.trials() if trial.state in ONGOING]
            if len(ongoing) < self.config.trials:
                return True
            if not any(map(_is_nameless, ongoing)):
                return False
            time.sleep(0.05)  # until its process names itself, or is taken for dead

    def ask(self) -> tuple[int, Candidate] | None:
        """Begin a trial; return its number and network, or None if none is left.

        Raises:
          TakenOverError: it took so long that another process gave it up.
        """
        with reaching(self.config):
            self.study = self._load()
            taken = {t.user_attrs["key"] for t in self.trials() if holds(t)}
            if len(taken) >= self.config.space.size and not self._waiting():
                return None
            trial = self.study.ask()
            # First: who dies from here on is known to be dead.
            trial.set_user_attr("worker", worker())
            values: dict[str, Any] = {
                name: trial.suggest_categorical(name, choices)
                for name, choices in self.config.space.choices.items()
            }
            candidate = self.config.space.candidate(values)
            trial.set_user_attr("alive", time.time())
            # Last: who reads the key may rely on the rest.
            trial.set_user_attr("key", candidate.key)
        return trial.number, candidate

    def may_run(self, number: int) -> bool:
        """Tell whether an announced trial is the first of its network and still wanted."""
        while True:
            self._reclaim(below=number)
            trials = self.trials()
            lower = [t for t in trials[:number] if t.state in (*ONGOING, TrialState.WAITING)]
            if all("key" in t.user_attrs for t in lower if t.state == TrialState.RUNNING):
                break
            time.sleep(0.05)
        key = trials[number].user_attrs["key"]
        taken = any(t.user_attrs.get("key") == key and holds(t) for t in trials[:number])
        self._rejected = self._rejected + 1 if taken else 0
        return not taken and len(lower) < self.config.trials

    def finish(self, number: int, values: list[float], results: dict[str, Any]) -> None:
        """Record a trial as complete."""
        with reaching(self.config):
            self._set(number, results)
            self.study.tell(number, values)

    def stop(self, number: int, results: dict[str, Any]) -> None:
        """Record a trial that was stopped early; it counts as finished."""
        with reaching(self.config):
            self._set(number, results)
            self.study.tell(number, state=TrialState.PRUNED)

    def fail(self, number: int, reason: str, for_good: bool) -> None:
        """Record a trial that gave nothing; it does not count.

        Args:
          number: of the trial.
          reason: why.
          for_good: whether its network is never to be tried again.
        """
        with reaching(self.config):
            self._set(number, {"reason": reason, "for_good": for_good})
            self.study.tell(number, state=TrialState.FAIL)

    def note(self, number: int, results: dict[str, Any]) -> None:
        """Keep results of a running trial, and say that it is alive."""
        with reaching(self.config):
            self._set(number, {**results, "alive": time.time()})

    def trials(self) -> list[FrozenTrial]:
        """Return all trials by number."""
        with reaching(self.config):
            return self.study.get_trials(deepcopy=False)

    def finished(self) -> list[FrozenTrial]:
        """Return the trials that count: complete ones and those stopped early."""
        return [trial for trial in self.trials() if trial.state in FINISHED]

    def _waiting(self) -> bool:
        return any(trial.state == TrialState.WAITING for trial in self.trials())

    def _reclaim(self, below: int | None = None) -> None:
        """Fail trials (with numbers below that) whose process is gone; queue their networks."""
        for trial in self.trials()[:below]:
            if trial.state == TrialState.RUNNING and self._is_gone(trial):
                # Another process may have been quicker: then it is failed already.
                with reaching(self.config), contextlib.suppress(ValueError, RuntimeError):
                    # Queued first, lest a kill in between lose it; twice does no harm.
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
        # Through the storage, since `ask`'s own trial object may be of another call.
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
        study.sampler = make_sampler(self.config, trials, self._rejected)
        return study

    def _check_identity(self, identity: dict[str, Any]) -> None:
        known = self.study.user_attrs.get("identity")
        if known is None:
            self.study.set_user_attr("identity", identity)
            return
        for name, value in identity.items():
            if known.get(name) != value:
                raise UsageError(
                    f"--study_dir {self.config.study_dir}, study {self.config.study_name!r}: "
                    f"was begun with other {name}: {known.get(name)}, now {value}; "
                    "name another study"
                )


def make_sampler(
    config: ExploreConfig, trials: list[FrozenTrial], rejected: int = 0
) -> optuna.samplers.BaseSampler:
    """Return a sampler for the next trial.

    It is seeded by how far the study is, so that processes that share a study
    do not propose the same networks, and one process alone repeats its run. One
    that proposes what there is already, again and again, is relieved.

    Args:
      config: the exploration.
      trials: of the study so far.
      rejected: how many proposals in a row were there already.
    """
    running = sum(trial.state == TrialState.RUNNING for trial in trials)
    seed = (config.training.seed * 1_000_003 + len(trials) * 101 + running) % (1 << 31)
    if config.sampler == "grid" or rejected >= _STUBBORN:
        return InOrderSampler(config.space, {t.user_attrs["key"] for t in trials if holds(t)})
    if config.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    if config.sampler == "nsga2":
        population = max(4, min(50, config.trials // 5))
        return optuna.samplers.NSGAIISampler(population_size=population, seed=seed)
    if config.sampler == "annealing":
        return AnnealingSampler(config.trials, config.training.seed)
    startup = max(3, min(10, config.trials // 3))
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup, constant_liar=True)


class InOrderSampler(optuna.samplers.BaseSampler):
    """Propose the first point of the space that no trial has."""

    def __init__(self, space: SearchSpace, taken: Set[str]) -> None:
        free = (point for point in space.points() if point.key not in taken)
        # None is free if another process was quicker: then the trial yields.
        self._values = dict(next(free, next(space.points())).values)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, optuna.distributions.BaseDistribution]:
        """Leave every dimension to `sample_independent`."""
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, Any]
    ) -> dict[str, Any]:
        """Propose nothing jointly."""
        return {}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: Any
    ) -> Any:
        """Return this dimension of the point."""
        return self._values[param_name]


def holds(trial: FrozenTrial) -> bool:
    """Tell whether the trial's network is not to be tried by another one."""
    alive = trial.state in (*ONGOING, TrialState.WAITING)
    return "key" in trial.user_attrs and (alive or trial.user_attrs.get("for_good", False))


def worker() -> str:
    """Return what names this process among all machines: "host pid start"."""
    return f"{socket.gethostname()} {os.getpid()} {_started(os.getpid())}".rstrip()


def is_gone(trial: FrozenTrial) -> bool:
    """Tell whether the process of a running trial is no more.

    On this machine the process is looked up, by number and, where that can be
    told, by when it began; another machine's trial is given up when it has been
    silent for an hour.
    """
    name, *process = trial.user_attrs.get("worker", "").split(" ")
    if name == socket.gethostname():
        return not _lives(int(process[0]), process[1:])
    began = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
    return time.time() - trial.user_attrs.get("alive", began) > _SILENT_SECONDS


def _is_nameless(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.RUNNING and "worker" not in trial.user_attrs


def _lives(pid: int, started: list[str]) -> bool:
    """Tell whether a process lives, and is not another one to which its number was given."""
    return files.is_alive(pid) and started in ([], [_started(pid)])


def _started(pid: int) -> str:
    """Return when a process began, in the system's ticks; "" where there is no /proc."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return status.rpartition(")")[2].split()[19]
