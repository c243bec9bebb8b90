import numpy as np
import pytest

from sqzkit.base.errors import FormatError
from sqzkit.teaching import fitting, linear, measure
from sqzkit.teaching.sums import Sums
from tests.teaching.golden import photographs

COUNTS = {"a": 4, "b": 9, "c": 6}


@pytest.fixture
def made():
    by_class = photographs(12, COUNTS, 3)
    features = np.concatenate([*by_class.values()])
    return features, np.repeat(np.arange(3), [*COUNTS.values()])


def sums_of(features, labels):
    return Sums.over(features, labels, 3)


def test_factor_and_solutions_are_those_of_numpy():
    random = np.random.default_rng(0)
    root = random.normal(size=(20, 20))
    matrix, right = root @ root.T + np.eye(20), random.normal(size=(20, 3))
    lower = linear.cholesky(matrix)
    np.testing.assert_allclose(np.tril(lower), np.linalg.cholesky(matrix), atol=1e-12)
    solved = linear.backward(lower, linear.forward(lower, right))
    np.testing.assert_allclose(solved, np.linalg.solve(matrix, right), atol=1e-10)


@pytest.mark.parametrize("pivot", [0.0, -1.0, np.nan, np.inf])
def test_matrix_that_is_not_positive_definite_is_refused(pivot):
    matrix = np.eye(3)
    matrix[1, 1] = pivot
    with pytest.raises(FormatError, match="pivot 1"):
        linear.cholesky(matrix)


def test_sums_are_exact_beyond_float64_and_one_product(monkeypatch):
    monkeypatch.setattr("sqzkit.teaching.sums._ROWS", 3)
    features = np.full((10, 2), 32767, np.int16)
    features[:, 1] = -32767
    sums = Sums.over(features, np.zeros(10, int), 1)
    assert sums.gram.tolist() == [[10 * 32767**2, -10 * 32767**2], [-10 * 32767**2, 10 * 32767**2]]
    assert sums.sums.tolist() == [[327670, -327670]]
    assert sums.gram.dtype == np.int64


def test_discriminant_is_the_textbooks(made):
    """Against means, pooled covariance and ridge as NumPy computes them."""
    features, labels = made
    strength, x = 0.3, features.astype(float)
    means = np.stack([x[labels == c].mean(0) for c in range(3)])
    within = (x - means[labels]).T @ (x - means[labels]) / (len(x) - 3)
    mean = means.mean(0)
    roots = np.sqrt(mean + 0.1 * mean.mean())
    ridge = roots * (np.diagonal(within) / roots).mean()
    covariance = 0.7 * within + 0.3 * np.diag(ridge)
    inverse = np.linalg.inv(covariance)
    found = fitting.discriminant(sums_of(features, labels), strength)
    offsets = x[:, None] - means
    distances = np.einsum("ncd,de,nce->nc", offsets, inverse, offsets)
    centred = x - means.mean(0)
    to_mean = np.einsum("nd,de,ne->n", centred, inverse, centred)
    scores = found.scores(features)
    np.testing.assert_allclose(scores, (to_mean[:, None] - distances) / 2, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found.distances(features), to_mean, rtol=1e-9)
    np.testing.assert_allclose(
        fitting.evidence(scores, to_mean), distances.min(1) - 0.9 * to_mean, rtol=1e-6, atol=1e-8
    )


def test_classes_weigh_equally(made):
    """A class taught ten times as often does not move the answers of symmetric data."""
    random = np.random.default_rng(1)
    noise = np.rint(random.normal(0, 300, (200, 2))).astype(int)
    left = noise[:100] + np.array([2000, 2000])
    right = noise[100:110] + np.array([3000, 2000])
    features = np.concatenate([left, right]).astype(np.int16)
    sums = Sums.over(features, np.repeat([0, 1], [100, 10]), 2)
    found = fitting.discriminant(sums, 0.1)
    means = sums.sums / sums.counts[:, None]
    scores = found.scores(means.mean(0)[None])[0]
    assert scores[0] == pytest.approx(scores[1], abs=1e-8)


@pytest.mark.parametrize("strength", [0.05, 0.5])
def test_leaving_out_equals_teaching_without(made, strength, monkeypatch):
    features, labels = made
    sums = sums_of(features, labels)
    found = fitting.leave_one_out(sums, features, labels, strength)
    ridge = fitting._moments(sums, 1.0)[2]  # held, as the number of photographs is
    for i in (0, 5, 18):
        rest = np.arange(len(labels)) != i
        without = sums_of(features[rest], labels[rest])
        means, mean, _ = fitting._moments(without, strength)
        scatter = fitting._moments(without, 0.0)[2] * (len(labels) - 4)
        covariance = scatter * (1 - strength) / (len(labels) - 3) + strength * ridge
        offsets = features[i] - means
        distances = (offsets * np.linalg.solve(covariance, offsets.T).T).sum(1)
        centred = features[i] - mean
        to_mean = centred @ np.linalg.solve(covariance, centred)
        np.testing.assert_allclose(found.scores[i], (to_mean - distances) / 2, rtol=1e-7)
        assert found.evidence[i] == pytest.approx(distances.min() - 0.9 * to_mean, rel=1e-7)


def test_alone_in_its_class_cannot_be_left_out(made):
    features, labels = made
    kept = np.r_[0, 4:19]  # one photograph of the first class
    found = fitting.leave_one_out(
        sums_of(features[kept], labels[kept]), features[kept], labels[kept], 0.3
    )
    assert found.labels.tolist() == labels[4:].tolist()


def test_dead_feature_and_scale_of_the_features(made):
    """A feature that is always 0 has a ridge, and twice the features give the same answers."""
    features, labels = made
    dead = np.concatenate([features, np.zeros_like(features[:, :1])], 1)
    covariance = fitting._moments(sums_of(dead, labels), 0.5)[2]
    assert 0 < covariance[12, 12] < covariance.diagonal()[:12].min()
    once = fitting.discriminant(sums_of(features, labels), 0.5).scores(features)
    twice = fitting.discriminant(sums_of(2 * features, labels), 0.5).scores(2 * features)
    np.testing.assert_allclose(once, twice, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("losses", "best"),
    [((5, 1, 3, 1 + 1e-12, 3, 2, 4), 3), ((5, 1, 3, 1 + 1e-6, 3, 2, 4), 1)],
)
def test_strength_has_the_least_loss_and_of_equals_the_strongest(made, monkeypatch, losses, best):
    features, labels = made
    known = dict(zip(fitting.STRENGTHS, losses, strict=True))

    def leave_one_out(sums, features, labels, strength):
        left = fitting.Answers(np.eye(3)[labels], labels, np.full(len(labels), strength))
        object.__setattr__(left, "calibration", lambda: (known[strength], 10 * strength))
        return left

    monkeypatch.setattr(fitting, "leave_one_out", leave_one_out)
    chosen = fitting.choose(sums_of(features, labels), features, labels)
    strength = fitting.STRENGTHS[best]
    assert chosen == fitting.Choice(best, 10 * strength, strength)


def test_temperature_calibrates():
    """Scores three times too large want a temperature of about three."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (4000, 4))
    drawn = np.array([random.choice(4, p=p) for p in fitting.probabilities(logits, 1.0)])
    loss, temperature = fitting.Answers(3 * logits, drawn, np.zeros(4000)).calibration()
    assert temperature in (2.0 ** (6 / 4), 2.0 ** (5 / 4), 2.0 ** (7 / 4))
    chances = fitting.probabilities(3 * logits, temperature)[np.arange(4000), drawn]
    expected = sum(-np.log(chances[drawn == c]).mean() for c in range(4))
    assert loss == pytest.approx(expected)


@pytest.mark.parametrize(
    ("number", "above"), [(100, 4), (99, 4), (98, 3), (38, 0), (39, 1), (1, 0)]
)
def test_threshold_lets_the_stated_share_through(number, above):
    left = fitting.Answers(np.zeros((0, 1)), np.zeros(0, int), np.arange(number)[::-1] * 1.0)
    assert (left.evidence > fitting._threshold(left)).sum() == above


def test_probabilities_are_softmax():
    found = fitting.probabilities(np.array([[2000.0, 2000 + 2 * np.log(3)]]), 2.0)
    np.testing.assert_allclose(found, [[0.25, 0.75]])


@pytest.mark.parametrize(
    ("count", "rate"), [(0, 0.0), (1, 1 / 2), (10, 1 / 11), (18, 1 / 19), (19, 0.05), (38, 1 / 39),
                        (39, 0.05), (100, 5 / 101), (1000, 50 / 1001)]
)  # fmt: skip
def test_the_promised_rate_is_that_of_the_rank(count, rate):
    assert fitting.alarm_rate(count) == pytest.approx(rate)


def test_new_photographs_are_false_alarms_at_the_promised_rate():
    """Photographs that are drawn alike; few of them, so that the rate is far from 5 %."""
    alarms, taught = [], 6
    for seed in range(60):
        random = np.random.default_rng(seed)
        rows = np.rint(random.normal(1000, 100, (2 * taught + 40, 4))).astype(np.int16)
        labels = np.arange(len(rows)) % 2
        rows[labels == 1, 0] += 900
        found, choice = measure.fit(rows[: 2 * taught], labels[: 2 * taught], 2)
        new = measure.answers(found, rows[2 * taught :], labels[2 * taught :])
        alarms.append((new.evidence > choice.threshold).mean())
    assert np.mean(alarms) == pytest.approx(fitting.alarm_rate(2 * taught), abs=0.04)
