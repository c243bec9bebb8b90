import numpy as np
import pytest
import tensorflow as tf

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


@pytest.mark.parametrize(
    ("size", "target", "zeros"),
    # Halves go to the even number of weights that stay, as tf.round does; one always stays.
    [
        *((10, 0.25, 2), (10, 0.35, 4), (10, 0.45, 4), (10, 0.55, 6), (5, 0.5, 3)),
        *((3, 0.99, 2), (100, 0.004, 0)),
    ],
)
def test_as_many_weights_go_as_tf_mot_takes(size, target, zeros):
    assert kernels.zeros_due(size, target) == zeros
    stay = tf.maximum(tf.round(tf.cast(size, tf.float32) * (1 - target)), 1)
    assert size - int(stay) == zeros
    kernel = np.random.default_rng(0).permutation(np.arange(1.0, size + 1)) * (-1) ** size
    pruned = kernels.prune_once(kernel.reshape(1, size), target)
    assert pruned.shape == (1, size)
    assert sorted(np.abs(kernel[pruned[0] == 0])) == list(range(1, zeros + 1))


def test_of_equal_weights_the_first_go():
    assert kernels.prune_once(np.ones(4), 0.5).tolist() == [0, 0, 1, 1]
