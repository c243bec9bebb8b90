import numpy as np
import pytest

from sqzkit.coding import weights as coder
from sqzkit.ptq.rounding import bits_by_level


def laplacian(scale, density, shape=(64, 3, 3, 32), seed=0):
    random = np.random.default_rng(seed)
    values = np.rint(random.laplace(0, scale, shape)) * (random.random(shape) < density)
    return np.clip(values, -127, 127).astype(np.int8)


@pytest.mark.parametrize("scale", [0.6, 3.0, 20.0])
@pytest.mark.parametrize("density", [0.3, 1.0])
def test_the_estimate_is_near_what_the_coder_takes(scale, density):
    levels = laplacian(scale, density)
    estimated = bits_by_level(levels)[levels.astype(int) + 127].sum() / 8
    assert estimated == pytest.approx(len(coder.encode([levels])), rel=0.08)


def test_every_level_has_a_finite_positive_price_in_both_signs():
    bits = bits_by_level(laplacian(2.0, 0.4))
    assert bits.shape == (255,)
    assert np.isfinite(bits).all()
    assert (bits > 0).all()
    np.testing.assert_array_equal(bits, bits[::-1])


def test_rarer_levels_cost_more():
    bits = bits_by_level(laplacian(2.0, 0.5))[127:]
    assert bits[0] < bits[1] < bits[4] < bits[20] < bits[127]


def test_an_all_zero_layer_prices_zero_at_almost_nothing():
    bits = bits_by_level(np.zeros((10, 100), np.int8))
    assert bits[127] < 0.01
    assert bits[128] > 5
