import numpy as np
import pytest

from sqzkit.compression import kernels


def test_the_layers_with_kernels_are_found_in_network_order(small_model):
    names = ["conv1", "fire2/squeeze1x1", "fire2/expand1x1", "fire2/expand3x3", "conv10"]
    assert kernels.layer_names(small_model) == names
    assert list(kernels.read_kernels(small_model)) == names
    assert kernels.read_kernels(small_model)["fire2/expand3x3"].shape == (3, 3, 4, 8)


def test_weights_are_put_back_by_name(small_model):
    weights = kernels.read_weights(small_model)
    changed = {name: [array + 1 for array in arrays] for name, arrays in weights.items()}
    kernels.write_weights(small_model, changed)
    for name, arrays in kernels.read_weights(small_model).items():
        for array, before in zip(arrays, weights[name], strict=True):
            np.testing.assert_array_equal(array, before + 1)
    del weights["conv10"]
    with pytest.raises(KeyError, match="conv10"):
        kernels.write_weights(small_model, weights)


def test_sparsity_is_the_share_of_zeros():
    half = np.array([[0.0, 1.0], [2.0, 0.0]])
    assert kernels.sparsity(half) == 0.5
    assert kernels.overall_sparsity({"a": half, "b": np.zeros(4)}) == 0.75
