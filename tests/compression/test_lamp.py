import numpy as np
import pytest

from sqzkit.base.errors import UsageError
from sqzkit.compression import sparsity


def kernels(**scales):
    source = np.random.default_rng(0)
    return {
        name: (scale * source.standard_normal((3, 3, size, size))).astype(np.float32)
        for name, (size, scale) in scales.items()
    }


def test_scores_are_the_definition_of_the_paper():
    # Squares 9, 4, 1: each over the sum of those that are not smaller.
    np.testing.assert_allclose(sparsity.scores(np.array([1.0, -3.0, 2.0])), [1, 4 / 13, 1 / 14])
    assert sparsity.scores(np.zeros(4)).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("target", [0.0, 0.3, 0.9, 0.99])
def test_the_target_is_met_over_all_layers_together(target):
    given = kernels(conv1=(3, 1.0), fire2=(16, 1.0), fire9=(32, 0.1))
    found = sparsity.share_out(given, target)
    sizes = {name: kernel.size for name, kernel in given.items()}
    zeros = sum(sizes[name] * found[name] for name in given)
    assert zeros / sum(sizes.values()) == pytest.approx(target, abs=2e-4)
    assert all(0 <= value < 1 for value in found.values())


def test_large_layers_give_the_most_whatever_their_scale():
    found = sparsity.share_out(kernels(small=(4, 1e-3), large=(32, 1e3)), 0.8)
    assert found["small"] < 0.5
    assert found["large"] > 0.8
    other = sparsity.share_out(kernels(small=(4, 1e3), large=(32, 1e-3)), 0.8)
    assert other == found


def test_a_target_it_cannot_share_out_is_refused():
    with pytest.raises(UsageError, match="--target_sparsity lamp:0.995"):
        sparsity.share_out(kernels(conv1=(3, 1.0)), 0.995)


def test_weights_at_the_threshold_stay():
    kernel = np.array([1.0, 2, 3, 4], np.float32)
    for target, zeros in ((0.0, 0.0), (0.25, 0.25), (0.5, 0.5), (0.75, 0.75)):
        assert sparsity.share_out({"a": kernel}, target) == {"a": zeros}
    # Of equal scores none goes before the other.
    assert sparsity.share_out({"a": kernel, "b": kernel}, 0.5) == {"a": 0.5, "b": 0.5}
