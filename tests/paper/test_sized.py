import numpy as np
import pytest

from sqzkit.base.keras import keras
from sqzkit.coding import layer_file
from sqzkit.compression import codebooks, kernels
from sqzkit.models import registry
from sqzkit.models import spec as specs
from sqzkit.models.alexnet import AlexNetSpec
from sqzkit.paper import sized
from sqzkit.paper.config import PaperSize


def network(spec, side):
    keras.utils.set_random_seed(0)
    return registry.build(spec, side)


def test_all_layers_but_the_head_are_the_trained_ones():
    spec = specs.tiny(3, normalization="none")
    model = network(spec, 32)
    larger = sized.at_paper_size(model, spec, PaperSize(50, 64), seed=0)
    assert larger.input_shape[1:] == (64, 64, 3) and larger.output_shape[1] == 50
    before, after = kernels.read_kernels(model), kernels.read_kernels(larger)
    for name, kernel in before.items():
        if name != "conv10":
            np.testing.assert_array_equal(after[name], kernel)
    assert after["conv10"].std() == pytest.approx(before["conv10"].std(), rel=0.1)


def test_poolings_left_out_at_few_pixels_are_back():
    spec = specs.v1_1(3, normalization="none", pool_after=("conv1", "fire5"))
    model = network(spec, 32)
    larger = sized.at_paper_size(model, spec, PaperSize(5, 64), seed=0)
    assert sum(isinstance(layer, keras.layers.MaxPooling2D) for layer in larger.layers) == 3


@pytest.mark.parametrize("values", [0, 9])
def test_a_head_is_as_sparse_and_as_coarse_as_the_trained_one(values):
    kernel = np.random.default_rng(1).normal(0, 0.3, (1, 1, 64, 10)).astype(np.float32)
    kernel = kernels.prune_once(kernel, 0.75)
    if values:
        kernel = codebooks.share(kernel, values)
    head = sized.head_like(kernel, 1000, seed=0)
    assert head.shape == (1, 1, 64, 1000)
    assert kernels.sparsity(head) == pytest.approx(0.75)
    distinct = np.unique(head).size
    assert values - 2 <= distinct <= values if values else distinct > 1000


def test_a_head_of_few_weights_is_not_taken_for_a_clustered_one():
    kernel = np.random.default_rng(1).normal(0, 0.3, (1, 1, 5, 2)).astype(np.float32)
    assert np.unique(sized.head_like(kernel, 1000, seed=0)).size > 1000


def test_a_network_goes_through_its_file_of_layers():
    spec = AlexNetSpec(4, "batch", fc_units=16)
    folded_spec, model = sized.folded(network(spec, 67), spec.to_json())
    assert folded_spec.normalization == "none"
    again = network(folded_spec, 67)
    content = layer_file.write(sized.layers_of(model), "sparse_floats")
    sized.load_layers(again, layer_file.read(content))
    images = np.random.default_rng(0).normal(size=(2, 67, 67, 3)).astype(np.float32)
    np.testing.assert_array_equal(again(images), model(images))
