import numpy as np
import optuna
import pytest

from sqzkit.exploration.samplers import AnnealingSampler, dominated_shares, neighbour

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


def test_steps_change_one_or_two_dimensions():
    study = walk(30, lambda x, y, kind: x + y)
    trials = study.trials
    for at in range(5, 30):
        # Each proposal is a neighbour of some earlier trial, the walk's place.
        distances = [
            sum(trials[at].params[n] != earlier.params[n] for n in CHOICES)
            for earlier in trials[:at]
        ]
        assert min(distances) <= 2


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
