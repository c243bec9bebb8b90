"""The paper's ratios on AlexNet at its full size: 60,965,224 weights, real files."""

import numpy as np
import pytest

from sqzkit import preprocessing
from sqzkit.base.keras import keras
from sqzkit.coding import layer_file
from sqzkit.compression import kernels
from sqzkit.compression.plan import CompressionConfig
from sqzkit.conversion.converter import convert_model
from sqzkit.conversion.options import ConversionOptions
from sqzkit.models import alexnet
from sqzkit.models.alexnet import AlexNetSpec
from sqzkit.paper import sized, svd
from sqzkit.paper.alexnet import numbers_left
from sqzkit.paper.printed import ALEXNET_DENSITY, sparsity_table
from tests import thorough

SPEC = AlexNetSpec(1000)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    model = alexnet.build(SPEC, 227)
    assert model.count_params() == 60_965_224
    random = np.random.default_rng(0)
    for layer in kernels.weighted_layers(model):  # bell-shaped, as trained weights are
        layer.kernel.assign(random.normal(0, 0.01, layer.kernel.shape))
    return model


def written(path, model):
    """Return the bytes of the network's float32 `.tflite`."""
    labels = tuple(f"class {number}" for number in range(1000))
    record = preprocessing.default(227)
    path.write_bytes(convert_model(model, record, labels, ConversionOptions("none")))
    return path.stat().st_size


def test_the_factors_get_what_the_rest_of_the_file_leaves():
    # Of 1,000 bytes 200 are not factored; at 400 bytes 200 are left, four for each number.
    assert numbers_left(1000, dense=200, ratio=2.5) == 50


@pytest.mark.slow
@pytest.mark.skipif(not thorough.THOROUGH, reason="244 MB of weights; SQZKIT_THOROUGH=1 tries them")
def test_svd_is_a_fifth_and_pruned_is_a_ninth(network, tmp_path):
    whole = written(tmp_path / "whole.tflite", network)
    assert whole == pytest.approx(4 * 60_965_224, rel=0.01)

    parts = svd.decompose_dense(network)
    dense = sum(network.get_layer(name).kernel.shape.num_elements() for name in svd.LAYERS)
    energy = svd.energy_for_numbers(parts, numbers_left(whole, dense, 5.0))
    _, cut = svd.cut(network, SPEC, parts, svd.ranks_for_energy(parts, energy))
    assert written(tmp_path / "svd.tflite", cut) == pytest.approx(whole / 5, rel=0.02)

    names = kernels.layer_names(network)
    table = CompressionConfig(target_sparsity=sparsity_table(ALEXNET_DENSITY, names))
    targets = table.sparsity_table().resolve(names)
    for layer in kernels.weighted_layers(network):
        layer.kernel.assign(kernels.prune_once(layer.kernel.numpy(), targets[layer.name]))
    layers = sized.layers_of(network)
    content = layer_file.write(layers, "sparse_floats")
    assert len(content) == pytest.approx(27e6, rel=0.1)
    assert whole / len(content) > 240 / 27  # positions included, which the paper leaves out
    for name, (kernel, bias) in layer_file.read(content).items():
        np.testing.assert_array_equal(kernel, layers[name][0])
        np.testing.assert_array_equal(bias, layers[name][1])
