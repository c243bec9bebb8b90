import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqzkit.base.errors import FormatError
from sqzkit.coding import layer_file


def pruned(size, density, seed=0):
    """Return normal weights of which only the largest are left, as magnitude pruning does."""
    weights = np.random.default_rng(seed).normal(0, 0.02, size).astype(np.float32)
    limit = np.quantile(np.abs(weights), 1 - density)
    return np.where(np.abs(weights) >= limit, weights, 0).astype(np.float32)


@pytest.mark.parametrize("shape", [(), (1,), (0, 4), (7, 300), (3, 3, 16, 24)])
@pytest.mark.parametrize("density", [0.0, 0.002, 0.5, 1.0])
def test_layers_come_back_bit_for_bit(shape, density):
    size = int(np.prod(shape))
    random = np.random.default_rng(size)
    kernel = random.normal(size=shape).astype(np.float32) * (random.random(shape) < density)
    kernel = np.asarray(kernel, np.float32) + 0
    again = layer_file.decode_floats(layer_file.encode_floats(kernel))
    assert again.shape == shape and again.dtype == np.float32
    np.testing.assert_array_equal(again.view(np.uint32), kernel.view(np.uint32))


def test_extreme_floats_come_back():
    values = [np.inf, -np.inf, 1e-45, -1e-45, 3.4e38, -1.5, 0.0, np.nan]
    kernel = np.array(values, np.float32)
    again = layer_file.decode_floats(layer_file.encode_floats(kernel))
    np.testing.assert_array_equal(again.view(np.uint32), kernel.view(np.uint32))


def test_a_dense_layer_of_alexnet_takes_less_than_its_weights_alone():
    kernel = pruned(1_000_000, 0.09)
    used = len(layer_file.encode_floats(kernel))
    # 23 bits of mantissa, 1 of sign, 4.85 of position (H(0.09) / 0.09), 1 to 2 of exponent.
    assert 3.6 < used / np.count_nonzero(kernel) < 3.9


@settings(max_examples=60)
@given(st.data())
def test_damage_is_an_error_or_other_weights_but_never_a_crash(data):
    content = bytearray(layer_file.encode_floats(pruned(400, 0.3)))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(content)))
    for damaged in (bytes(content), bytes(content[:cut])):
        try:
            assert layer_file.decode_floats(damaged, 1000).size <= 1000
        except FormatError:
            pass


def test_a_layer_that_is_too_large_is_refused_before_it_is_made():
    content = layer_file.encode_floats(np.zeros((1000, 1000), np.float32))
    with pytest.raises(FormatError, match="at most 999"):
        layer_file.decode_floats(content, 999)
