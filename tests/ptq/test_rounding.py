import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqzkit.ptq import rounding
from sqzkit.ptq.rounding import bits_by_level


def problem(seed, filters=12, inputs=20, density=0.6):
    random = np.random.default_rng(seed)
    data = random.standard_normal((400, inputs)) @ random.standard_normal((inputs, inputs))
    moments = data.T @ data / len(data) + 0.01 * np.eye(inputs)
    weights = random.standard_normal((filters, inputs))
    return weights * (random.random(weights.shape) < density), moments


def distortion(weights, levels, step, moments, gains):
    errors = weights - levels * step
    return 0.5 * np.einsum("o,oi,ij,oj->", gains, errors, moments, errors)


def cost(weights, levels, step, moments, gains, price, bits):
    rate = bits[levels.astype(int) + rounding.MAX_LEVEL][weights != 0].sum()
    return distortion(weights, levels, step, moments, gains) + price * rate


def nearest(weights, step):
    return np.clip(np.rint(weights / step), -127, 127).astype(np.int8)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    step=st.floats(0.02, 0.8),
    price=st.sampled_from([0.0, 1e-3, 0.1, 10.0]),
)
def test_never_worse_than_nearest_at_the_same_prices(seed, step, price):
    weights, moments = problem(seed)
    gains = np.random.default_rng(seed).uniform(0.1, 3, len(weights))
    plain = nearest(weights, step)
    bits = bits_by_level(plain)
    found = rounding.round_filters(weights, step, moments, gains, price, bits)
    args = (step, moments, gains, price, bits)
    assert cost(weights, found, *args) <= cost(weights, plain, *args) * (1 + 1e-9)


def test_clearly_better_than_nearest_where_inputs_are_correlated():
    weights, moments = problem(3, filters=40)
    gains = np.ones(40)
    found = rounding.round_filters(weights, 0.2, moments, gains, 0.0, np.zeros(255))
    plain = distortion(weights, nearest(weights, 0.2), 0.2, moments, gains)
    assert distortion(weights, found, 0.2, moments, gains) < 0.7 * plain


def test_with_independent_inputs_and_no_price_it_is_nearest():
    weights, _ = problem(5)
    found = rounding.round_filters(weights, 0.1, np.eye(20), np.ones(12), 0.0, np.zeros(255))
    np.testing.assert_array_equal(found, nearest(weights, 0.1))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), step=st.floats(1e-4, 2.0))
def test_zeros_stay_and_levels_fit_int8(seed, step):
    weights, moments = problem(seed)
    bits = np.ones(255)
    found = rounding.round_filters(weights, step, moments, np.ones(12), 1e-3, bits)
    assert found.dtype == np.int8
    assert not found[weights == 0].any()
    assert found.min() >= -127


def test_a_higher_price_gives_fewer_bits():
    weights, moments = problem(1, filters=50)
    bits = bits_by_level(nearest(weights, 0.05))
    spent = []
    for price in (0.0, 0.01, 0.1, 1.0, 1e6):
        found = rounding.round_filters(weights, 0.05, moments, np.ones(50), price, bits)
        spent.append(bits[found.astype(int) + 127].sum())
    assert spent == sorted(spent, reverse=True)
    assert not found.any()


def test_channels_that_matter_are_rounded_more_exactly():
    weights, moments = problem(2, filters=60)
    gains = np.where(np.arange(60) < 30, 10.0, 0.1)
    bits = bits_by_level(nearest(weights, 0.3))
    found = rounding.round_filters(weights, 0.3, moments, gains, 0.05, bits)
    errors = weights - 0.3 * found
    squared = np.einsum("oi,ij,oj->o", errors, moments, errors)
    assert squared[:30].mean() < 0.8 * squared[30:].mean()


def test_bits_are_those_of_a_code():
    """What the levels' probabilities add up to is 1, and a level that is frequent takes few."""
    levels = np.random.default_rng(0).integers(-3, 4, 500)
    bits = bits_by_level(levels)
    assert bits.shape == (255,) and (2.0**-bits).sum() == pytest.approx(1)
    np.testing.assert_array_equal(bits, bits[::-1])  # the sign is no information
    assert bits[127 + 3] == pytest.approx(-np.log2(np.mean(np.abs(levels) == 3) / 2), abs=0.3)
    assert bits[127 + 100] > 10 > bits[127 + 3]


def test_retargeting_undoes_a_known_disturbance():
    random = np.random.default_rng(0)
    x = random.standard_normal((5000, 6))
    y = 2 * x
    weights = random.standard_normal((4, 6))
    found = rounding.retarget(weights, y.T @ y / len(y), y.T @ x / len(y))
    np.testing.assert_allclose(found, weights / 2, rtol=1e-8)


def test_retargeting_keeps_zeros_and_is_the_least_squares_answer():
    random = np.random.default_rng(1)
    x = random.standard_normal((3000, 8)) @ random.standard_normal((8, 8))
    y = x + 0.3 * random.standard_normal(x.shape)
    weights = random.standard_normal((3, 8))
    weights[:, ::3] = 0
    found = rounding.retarget(weights, y.T @ y / len(y), y.T @ x / len(y))
    kept = np.flatnonzero(weights[0])
    expected = np.linalg.lstsq(y[:, kept], x @ weights.T, rcond=None)[0].T
    np.testing.assert_allclose(found[:, kept], expected, rtol=1e-6)
    assert not found[:, ::3].any()


def test_conditional_variance_of_independent_inputs_is_their_variance():
    weights = np.ones((3, 5))
    found = rounding.conditional_log_variance(weights, 4 * np.eye(5))
    assert found == pytest.approx(np.log(4))


def test_conditional_variance_of_an_empty_layer_is_finite():
    assert rounding.conditional_log_variance(np.zeros((3, 5)), np.eye(5)) == 0.0


def test_from_an_older_file_only_what_pays_moves():
    weights, moments = problem(7)
    older = nearest(weights, 0.1)
    before = older + np.random.default_rng(1).integers(-1, 2, older.shape).astype(np.int8)
    before = np.where(weights != 0, before, 0)
    before[0, np.flatnonzero(weights[0])[0]] += 60  # a weight that moved far
    gains, bits = np.ones(len(weights)), np.full(511, 12.0)
    bits[255] = 0.1  # of a level that stays
    args = (weights, 0.1, moments, gains)

    def settled(price):
        return rounding.settle_filters(*args, price, bits, before)

    def costs(levels, price):
        moved = np.count_nonzero((levels != before) & (weights != 0))
        return distortion(weights, levels, 0.1, moments, gains) + price * moved * 11.9

    moves = {price: np.count_nonzero(settled(price) != before) for price in (0.0, 0.01, 1e9)}
    assert moves[0.0] > moves[0.01] > moves[1e9] == 0
    for price in (0.0, 0.01):
        assert costs(settled(price), price) < costs(before, price)
    free = distortion(weights, settled(0.0), 0.1, moments, gains)
    assert free <= distortion(weights, older, 0.1, moments, gains)
    assert not settled(0.0)[weights == 0].any()
