import numpy as np
import pytest

from sqzkit.compression import codebooks


@pytest.mark.parametrize(("clusters", "level"), [(3, 1), (4, 1), (5, 2), (16, 7), (255, 127)])
def test_a_symmetric_grid_holds_at_most_the_clusters(clusters, level):
    assert codebooks.highest_level(clusters) == level
    assert 2 * level + 1 <= clusters


def test_weights_on_a_grid_are_left_where_they_are():
    step = 0.037
    weights = np.arange(-7, 8, dtype=np.float32) * np.float32(step)
    found = codebooks.best_step(weights, 15)
    np.testing.assert_allclose(codebooks.snap(weights, found, 7), weights, atol=1e-6)


def test_the_step_is_the_best_of_all():
    weights = np.random.default_rng(0).laplace(size=4000).astype(np.float32)
    step = codebooks.best_step(weights, 9)

    def error(candidate):
        return np.square(codebooks.snap(weights, candidate, 4) - weights).sum()

    assert all(error(step) <= error(step * factor) * 1.001 for factor in (0.8, 0.9, 1.1, 1.25))
    # The least error cuts the tails off: the largest weight is not on the grid.
    assert step * 4 < np.abs(weights).max()


def test_zeros_do_not_count_and_a_kernel_of_zeros_has_a_step():
    weights = np.random.default_rng(1).normal(size=500).astype(np.float32)
    with_zeros = np.concatenate([weights, np.zeros(5000, np.float32)])
    assert codebooks.best_step(weights, 16) == codebooks.best_step(with_zeros, 16)
    assert codebooks.best_step(np.zeros((3, 3), np.float32), 16) == 1
