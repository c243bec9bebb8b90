import numpy as np
import pytest

from sqzkit.base.errors import FormatError, UsageError
from sqzkit.coding import layer_file


def network(levels=0):
    """Return two convolutions and a dense layer without biases; `levels` clusters them."""
    random = np.random.default_rng(0)
    layers = {}
    for name, shape in (("conv1/a", (3, 3, 9, 32)), ("conv1/b", (3, 3, 9, 32)), ("fc8", (90, 40))):
        kernel = random.normal(size=shape).astype(np.float32)
        kernel *= random.random(shape) < 0.3
        if levels:
            kernel = np.round(kernel * levels) / np.float32(levels)
        bias = random.normal(size=0 if name == "fc8" else shape[-1]).astype(np.float32)
        layers[name] = (kernel.astype(np.float32), bias)
    return layers


@pytest.mark.parametrize(("coding", "levels"), [("sparse_floats", 0), ("deep_compression", 4)])
def test_networks_come_back(coding, levels):
    layers = network(levels)
    content = layer_file.write(layers, coding)
    again = layer_file.read(content)
    assert list(again) == list(layers)
    for name, (kernel, bias) in layers.items():
        np.testing.assert_array_equal(again[name][0], kernel)
        np.testing.assert_array_equal(again[name][1], bias)
    dense = sum(kernel.nbytes for kernel, _ in layers.values())
    assert len(content) < dense / 2


def test_only_clustered_layers_are_shared():
    with pytest.raises(UsageError, match="distinct values"):
        big = {"fc6": (np.arange(1.0, 400.0, dtype=np.float32).reshape(-1, 1), np.zeros(1))}
        layer_file.write(big, "deep_compression")


def test_damage_anywhere_is_noticed():
    content = layer_file.write(network(), "sparse_floats")
    for at in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[at] ^= 4
        with pytest.raises(FormatError):
            layer_file.read(bytes(damaged))
    for end in range(0, len(content), 11):
        with pytest.raises(FormatError):
            layer_file.read(content[:end])


def test_a_file_of_another_version_is_named():
    import hashlib

    body = layer_file.MAGIC + bytes([9, 0])
    with pytest.raises(FormatError, match="version 9; this reads 1"):
        layer_file.read(body + hashlib.sha256(body).digest())
