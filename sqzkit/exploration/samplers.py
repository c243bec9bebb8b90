"""How the next network is chosen: Optuna's samplers, simulated annealing, and in order."""

import math
from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from sqzkit.exploration.config import ExploreConfig
from sqzkit.exploration.space import SearchSpace

HOT, COLD = 0.5, 0.02
_START = 4
_MAX_REJECTED = 10


def make_sampler(
    config: ExploreConfig, trials: Sequence[FrozenTrial], taken: Set[str], rejected: int = 0
) -> optuna.samplers.BaseSampler:
    """Return a sampler for the next trial.

    The seed follows from how far the study is, so that processes that share a study do not propose
    the same networks, and a study of one process can be repeated. If the sampler keeps proposing
    networks that were already `taken` (`rejected` times in a row), the space is enumerated in order
    instead.
    """
    running = sum(trial.state == TrialState.RUNNING for trial in trials)
    seed = (config.training.seed * 1_000_003 + len(trials) * 101 + running) % (1 << 31)
    if config.sampler == "grid" or rejected >= _MAX_REJECTED:
        return InOrderSampler(config.space, taken)
    if config.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    if config.sampler == "nsga2":
        population = max(4, min(50, config.trials // 5))
        return optuna.samplers.NSGAIISampler(population_size=population, seed=seed)
    if config.sampler == "annealing":
        return AnnealingSampler(config.trials, config.training.seed)
    startup = max(3, min(10, config.trials // 3))
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup, constant_liar=True)


# Both are random samplers by their base, because these propose each dimension by itself.
class InOrderSampler(optuna.samplers.RandomSampler):
    """Propose the first point of the space whose key is not `taken`."""

    def __init__(self, space: SearchSpace, taken: Set[str]) -> None:
        super().__init__()
        free = (point for point in space.points() if point.key not in taken)
        # If another process was quicker there may be none left. Then the trial yields to it.
        self._values = dict(next(free, next(space.points())).values)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return this dimension of the point."""
        return self._values[param_name]


class AnnealingSampler(optuna.samplers.RandomSampler):
    """Simulated annealing: propose a neighbour of the walk's current point.

    The energy of a point is the share of finished trials that dominate it (Smith et al.,
    "Dominance-based multiobjective simulated annealing", 2008), so it needs no weights or units;
    with one objective it is the point's rank. The sampler stores nothing: the walk is replayed from
    the study, so that any number of processes can share it and a killed process loses nothing. Over
    its length in trials the temperature falls from `HOT` to `COLD`, geometrically.
    """

    def __init__(self, trials: int, seed: int) -> None:
        super().__init__()
        self._trials = trials
        self._seed = seed

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return this dimension's value of the neighbour proposed for the trial."""
        assert isinstance(param_distribution, CategoricalDistribution)
        choices = param_distribution.choices
        finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        generator = np.random.default_rng([self._seed, trial.number, *param_name.encode()])
        if len(finished) < _START:
            return choices[generator.integers(len(choices))]
        current = self._current(finished, study.directions).params
        if param_name not in self._moved(trial, current) or param_name not in current:
            return current.get(param_name, choices[0])
        return neighbour(choices, current[param_name], generator)

    def _moved(self, trial: FrozenTrial, current: Mapping[str, Any]) -> set[str]:
        """Return which one or two dimensions this trial changes."""
        generator = np.random.default_rng([self._seed, trial.number])
        names = sorted(current)
        count = min(len(names), 1 + int(generator.random() < 0.5))
        return set(generator.choice(names, count, replace=False))

    def _current(
        self, finished: Sequence[FrozenTrial], directions: Sequence[StudyDirection]
    ) -> FrozenTrial:
        """Walk over the finished trials in order, accepting by Metropolis's rule."""
        points = np.array([trial.values for trial in finished], float)
        points *= [-1 if d == StudyDirection.MAXIMIZE else 1 for d in directions]
        energies = dominated_shares(points)
        current = 0
        for index in range(1, len(finished)):
            fraction = min(1.0, index / max(1, self._trials - 1))
            temperature = HOT * (COLD / HOT) ** fraction
            rise = energies[index] - energies[current]
            generator = np.random.default_rng([self._seed, 1, finished[index].number])
            if rise <= 0 or generator.random() < math.exp(-rise / temperature):
                current = index
        return finished[current]


def dominated_shares(points: np.ndarray) -> np.ndarray:
    """Return the share of points that dominate each of float [N, objectives]; less is better."""
    no_worse = (points[None] <= points[:, None]).all(axis=-1)
    better = (points[None] < points[:, None]).any(axis=-1)
    return np.asarray((no_worse & better).mean(axis=1))


def neighbour(choices: Sequence[Any], value: Any, generator: np.random.Generator) -> Any:
    """Return a choice next to `value`; of texts, which have no order, any other one."""
    if len(choices) == 1:
        return choices[0]
    at = list(choices).index(value)
    if isinstance(value, str):
        return choices[(at + int(generator.integers(1, len(choices)))) % len(choices)]
    beside = [index for index in (at - 1, at + 1) if 0 <= index < len(choices)]
    return choices[beside[int(generator.integers(len(beside)))]]
