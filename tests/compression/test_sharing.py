import numpy as np
import pytest

from sqzkit.base.errors import UsageError
from sqzkit.compression import clustering, codebooks, kernels, pruning, quantization
from sqzkit.models import registry
from tests.compression import small_chain


def error(kernel, shared):
    return float(np.square(kernel - shared).sum())


@pytest.mark.parametrize("clusters", [2, 4, 32, 255])
def test_few_values_zeros_kept_and_nothing_nearer(clusters):
    random = np.random.default_rng(0)
    kernel = (random.normal(size=(50, 60)) * (random.random((50, 60)) < 0.4)).astype(np.float32)
    shared = codebooks.share(kernel, clusters)
    values = np.unique(shared[shared != 0])
    assert len(values) <= clusters - 1
    np.testing.assert_array_equal(shared == 0, kernel == 0)
    for value in values:  # a centroid is the mean of its weights
        assert value == pytest.approx(float(kernel[shared == value].mean()), rel=1e-4)
    nearest = values[np.abs(kernel[kernel != 0][:, None] - values).argmin(axis=1)]
    assert np.mean(nearest == shared[shared != 0]) > 0.999


def test_it_is_better_than_equal_steps():
    kernel = np.random.default_rng(0).laplace(0, 1, (80, 80)).astype(np.float32)
    steps = np.linspace(kernel.min(), kernel.max(), 15)
    even = steps[np.abs(kernel[..., None] - steps).argmin(axis=-1)]
    assert error(kernel, codebooks.share(kernel, 16)) < 0.7 * error(kernel, even)


@pytest.mark.parametrize("kernel", [np.zeros(5), np.full(5, 3.0), np.array([0, 1, 2.0])])
def test_kernels_of_few_values_stay_as_they_are(kernel):
    kernel = kernel.astype(np.float32)
    np.testing.assert_array_equal(codebooks.share(kernel, 8), kernel)


def test_values_are_trained_and_who_shares_them_is_not(small_model):
    targets = dict.fromkeys(kernels.layer_names(small_model), 0.5)
    wrapped = pruning.wrap_pruned(small_model, targets)
    small_chain.train_steps(wrapped)
    network = small_chain.small_spec(normalization="none")
    model = registry.build_from_json(network.to_json(), small_chain.SIDE)
    kernels.write_weights(model, quantization.strip(wrapped))
    before = kernels.read_kernels(model)
    for name, kernel in before.items():
        assert np.count_nonzero(kernel == 0) == kernels.zeros_due(kernel.size, 0.5), name
    clusters = {**dict.fromkeys(before, 8), "conv10": 0}
    first = {
        name: codebooks.share(kernel, clusters[name] or 999) for name, kernel in before.items()
    }
    wrapped = clustering.wrap_lloyd(model, clusters)
    small_chain.train_steps(wrapped)
    for name, (kernel, _) in quantization.strip(wrapped).items():
        np.testing.assert_array_equal(kernel == 0, before[name] == 0)
        if name == "conv10":
            assert np.unique(kernel).size > 8
            continue
        assert 2 < np.unique(kernel).size <= 8
        assert not np.array_equal(kernel, first[name])
        pairs = np.unique(np.stack([first[name].ravel(), kernel.ravel()]), axis=1)
        assert pairs.shape[1] == np.unique(first[name]).size


def test_two_values_are_too_few(small_model):
    with pytest.raises(UsageError, match="--number_of_clusters 2 for conv1"):
        clustering.wrap_lloyd(small_model, {"conv1": 2})


def test_pruning_at_once_takes_the_smallest():
    kernel = np.array([[3.0, -0.1, 0.2], [-2.0, 0.0, 1.0]], np.float32)
    pruned = kernels.prune_once(kernel, 0.5)
    np.testing.assert_array_equal(pruned, [[3, 0, 0], [-2, 0, 1]])
