import numpy as np
import pytest

from sqzkit.base.errors import UsageError
from sqzkit.compression import clustering, kernels, quantization
from tests.compression import small_chain

SPARSITY = 0.5


@pytest.fixture
def pruned_model(small_model):
    for layer in kernels.weighted_layers(small_model):
        layer.kernel.assign(kernels.prune_once(layer.kernel.numpy(), SPARSITY))
    return small_model


@pytest.mark.parametrize("codebook", ["linear", "kmeans++", "density"])
def test_clustered_layers_share_few_values_and_keep_their_zeros(pruned_model, codebook):
    before = kernels.read_kernels(pruned_model)
    clusters = {**dict.fromkeys(before, 8), "conv10": 0, "fire2/squeeze1x1": 5}
    wrapped = clustering.wrap(pruned_model, clusters, codebook)
    small_chain.train_steps(wrapped)
    weights = clustering.strip(wrapped)
    for name, kernel in before.items():
        after = weights[name][0]
        if not clusters[name]:
            assert np.unique(after).size > 8
            continue
        assert 2 < np.unique(after).size <= clusters[name]
        assert np.all(after[kernel == 0] == 0)
        assert not np.array_equal(after, kernel)


def test_uniform_clusters_are_multiples_of_one_step(pruned_model):
    before = kernels.read_kernels(pruned_model)
    grids = clustering.fit_grids(pruned_model, {**dict.fromkeys(before, 9), "conv10": 0})
    assert set(grids) == set(before) - {"conv10"}
    wrapped = quantization.wrap_float(pruned_model, grids)
    small_chain.train_steps(wrapped)
    weights = quantization.strip(wrapped)
    for name, (step, levels) in grids.items():
        after = weights[name][0]
        multiples = np.round(after / step)
        np.testing.assert_allclose(after, multiples * step, rtol=1e-6)
        assert levels == 4
        assert np.abs(multiples).max() <= levels
        assert np.all(after[before[name] == 0] == 0)
        assert np.count_nonzero(after) > 0
    zeros = weights["conv10"][0][before["conv10"] == 0]
    assert np.all(zeros == 0)


def test_layers_smaller_than_their_codebook_are_left_alone(pruned_model):
    clusters = {"conv10": kernels.read_kernels(pruned_model)["conv10"].size}
    wrapped = clustering.wrap(pruned_model, clusters, "linear")
    assert [layer.name for layer in wrapped.layers] == [layer.name for layer in pruned_model.layers]
    assert clustering.fit_grids(pruned_model, clusters) == {}


def test_two_clusters_are_refused_where_one_of_them_is_zero(pruned_model):
    with pytest.raises(UsageError, match="--number_of_clusters 2 for conv1: one of them is zero"):
        clustering.wrap(pruned_model, {"conv1": 2}, "linear")
    with pytest.raises(UsageError, match="--number_of_clusters 2 for conv1"):
        clustering.fit_grids(pruned_model, {"conv1": 2})


def test_two_clusters_are_enough_for_a_layer_without_zeros(small_model):
    wrapped = clustering.wrap(small_model, {"conv10": 2}, "linear")
    small_chain.train_steps(wrapped, 2)
    assert np.unique(clustering.strip(wrapped)["conv10"][0]).size == 2
