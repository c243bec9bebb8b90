import dataclasses

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from sqzkit.exploration.samplers import (
    AnnealingSampler,
    InOrderSampler,
    dominated_shares,
    make_sampler,
    neighbour,
)
from tests.exploration import toys

CHOICES = {"x": tuple(range(10)), "y": tuple(range(10)), "kind": ("a", "b", "c")}


def walk(trials, score, directions=("minimize",), seed=0):
    study = optuna.create_study(directions=directions, sampler=AnnealingSampler(trials, seed))
    for _ in range(trials):
        trial = study.ask()
        values = {n: trial.suggest_categorical(n, choices) for n, choices in CHOICES.items()}
        study.tell(trial, score(**values))
    return study


def test_shares_of_dominating_points():
    points = np.array([[1.0, 5.0], [2.0, 2.0], [3.0, 3.0], [4.0, 1.0], [3.0, 3.0]])
    np.testing.assert_allclose(dominated_shares(points), [0, 0, 0.2, 0, 0.2])
    np.testing.assert_allclose(dominated_shares(np.array([[3.0], [1.0], [2.0]])), [2 / 3, 0, 1 / 3])


@pytest.mark.parametrize(
    ("choices", "value", "reachable"),
    [
        ((1, 2, 3, 4), 2, {1, 3}),
        ((1, 2, 3, 4), 4, {3}),
        (("a", "b", "c"), "b", {"a", "c"}),
        ((7,), 7, {7}),
    ],
)
def test_neighbours_are_beside(choices, value, reachable):
    generator = np.random.default_rng(0)
    assert {neighbour(choices, value, generator) for _ in range(50)} == reachable


def test_steps_change_one_or_two_dimensions_of_the_current_point():
    choices = {name: tuple(range(9)) for name in "abcdef"}
    sampler = AnnealingSampler(40, 3)
    study = optuna.create_study(sampler=sampler)
    changes, first = [], []
    for number in range(40):
        finished = study.get_trials()
        trial = study.ask()
        values = {
            name: trial.suggest_categorical(name, options) for name, options in choices.items()
        }
        if len(finished) < 4:  # no walk yet: chance
            first.append(values)
        else:
            current = sampler._current(finished, study.directions).params
            moved = {name for name in choices if values[name] != current[name]}
            assert all(abs(values[name] - current[name]) == 1 for name in moved)
            changes.append(len(moved))
        study.tell(trial, sum(values.values()) + number / 100)
    assert set(changes) == {1, 2} and 8 < changes.count(2) < 28
    assert all(len(set(values.values())) > 1 for values in first)
    assert len({tuple(values.values()) for values in first}) == 4


def finished_study(values):
    study = optuna.create_study()
    for value in values:
        study.add_trial(optuna.trial.create_trial(value=value))
    return study


@pytest.mark.parametrize(("trials", "share"), [(2, 0.0), (10_000, 0.5)])
def test_a_worse_point_is_accepted_while_it_is_hot(trials, share):
    # From rank 0 of 2 to rank 1 of 2: at 0.5 the odds are exp(-1), at 0.02 next to nothing.
    study = finished_study([1.0, 2.0])
    finished = study.get_trials()
    accepted = [
        AnnealingSampler(trials, seed)._current(finished, study.directions).number
        for seed in range(300)
    ]
    assert np.mean(accepted) == pytest.approx(np.exp(-1) if share else 0, abs=0.07)


def test_a_better_or_equal_point_is_always_accepted():
    for values in ([2.0, 1.0], [1.0, 1.0]):
        study = finished_study(values)
        current = AnnealingSampler(2, 0)._current(study.get_trials(), study.directions)
        assert current.number == 1


def sampler_of(kind, trials=30, done=0, running=0, rejected=0, seed=1):
    config = toys.config("s", sampler=kind, trials=trials)
    training = dataclasses.replace(config.training, seed=seed)
    config = dataclasses.replace(config, training=training)
    state = [TrialState.COMPLETE] * done + [TrialState.RUNNING] * running
    past = [toys.finished(n, [1.0] if n < done else None, s) for n, s in enumerate(state)]
    return make_sampler(config, past, set(), rejected)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("grid", InOrderSampler),
        ("random", optuna.samplers.RandomSampler),
        ("tpe", optuna.samplers.TPESampler),
        ("nsga2", optuna.samplers.NSGAIISampler),
        ("annealing", AnnealingSampler),
    ],
)
def test_every_name_has_its_sampler(kind, expected):
    assert type(sampler_of(kind)) is expected
    assert type(sampler_of(kind, rejected=9)) is expected
    assert type(sampler_of(kind, rejected=10)) is InOrderSampler


def test_a_walk_is_that_of_the_seed():
    walk = sampler_of("annealing", trials=12, seed=7)
    assert isinstance(walk, AnnealingSampler)
    assert (walk._trials, walk._seed) == (12, 7)


@pytest.mark.parametrize(
    ("trials", "population", "startup"),
    [(1, 4, 3), (20, 4, 6), (100, 20, 10), (1000, 50, 10), (9, 4, 3)],
)
def test_populations_and_first_trials_grow_with_the_study(trials, population, startup):
    assert sampler_of("nsga2", trials).population_size == population
    assert sampler_of("tpe", trials)._n_startup_trials == startup


def test_the_seed_follows_from_how_far_the_study_is(monkeypatch):
    seeds = []

    def random_sampler(seed):
        seeds.append(seed)

    monkeypatch.setattr(optuna.samplers, "RandomSampler", random_sampler)
    sampler_of("random")
    sampler_of("random", done=3)
    sampler_of("random", done=2, running=2)
    sampler_of("random", seed=7)
    assert seeds == [1_000_003, 1_000_003 + 303, 1_000_003 + 406, 7_000_021]


def test_points_are_proposed_in_order_without_the_tried_ones():
    space = toys.config("s", {"model": "tiny", "base_e": "24,8,16"}).space
    points = [point.key for point in space.points()]
    for taken, expected in (([], 24), (points[:1], 8), (points[:2], 16), (points, 24)):
        sampler = InOrderSampler(space, set(taken))
        assert sampler.sample_independent(None, None, "base_e", None) == expected
        assert sampler.sample_independent(None, None, "model", None) == "tiny"


def test_it_finds_better_points_than_chance():
    def score(x, y, kind):
        return (x - 7) ** 2 + (y - 2) ** 2 + (kind != "b") * 10

    late = [t.value for t in walk(120, score).trials[80:]]
    generator = np.random.default_rng(1)
    chance = [
        score(*generator.integers(10, size=2), generator.choice(["a", "b", "c"]))
        for _ in range(1000)
    ]
    assert np.median(late) < np.percentile(chance, 15)


def test_two_objectives_need_no_weights():
    study = walk(60, lambda x, y, kind: (x, 9000 - 1000 * y), ("minimize", "maximize"))
    energies = dominated_shares(np.array([t.values for t in study.trials]) * (1, -1))
    assert energies[40:].mean() < energies[:10].mean()


def test_the_same_study_gives_the_same_walk():
    def score(x, y, kind):
        return abs(x - y)

    one, other = walk(20, score, seed=3), walk(20, score, seed=3)
    assert [t.params for t in one.trials] == [t.params for t in other.trials]
    assert [t.params for t in one.trials] != [t.params for t in walk(20, score, seed=4).trials]
