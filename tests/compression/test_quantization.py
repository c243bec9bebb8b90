import importlib

import numpy as np
import pytest
from tensorflow_model_optimization.quantization.keras import (
    QuantizeWrapperV2,
    quantize_annotate_model,
    quantize_apply,
)

from sqzkit.compression import clustering, kernels, quantization
from sqzkit.compression.quantizers import CodebookQuantizer, GridQuantizer, MaskedQuantizer
from sqzkit.models import registry
from tests.compression import small_chain


@pytest.fixture
def clustered_model(small_model):
    for layer in kernels.weighted_layers(small_model):
        kernel = kernels.prune_once(layer.kernel.numpy(), 0.5)
        step = np.abs(kernel).max() / 3
        layer.kernel.assign(np.round(kernel / step) * step)
    return small_model


def test_training_keeps_zeros_and_sharing_and_moves_the_rest(clustered_model):
    before = kernels.read_weights(clustered_model)
    first = {name: arrays[0] for name, arrays in before.items()}
    wrapped = quantization.wrap(clustered_model, {})
    small_chain.train_steps(wrapped)
    weights = quantization.strip(wrapped)
    after = {name: arrays[0] for name, arrays in weights.items()}
    kernels.check_zeros_kept(first, after)
    kernels.check_sharing_kept(first, after)
    for name, (kernel, bias) in before.items():
        assert np.unique(kernel).size <= 7
        assert not np.array_equal(kernel, after[name]), f"{name} was not trained"
        assert weights[name][1].shape == bias.shape
    assert any(np.any(weights[name][1] != before[name][1]) for name in before)


def test_what_is_stripped_is_what_was_evaluated(clustered_model):
    """Up to the rounding that quantization-aware training adds."""
    generator = np.random.default_rng(3)
    pixels = generator.normal(size=(8, small_chain.SIDE, small_chain.SIDE, 3)).astype(np.float32)
    wrapped = quantization.wrap(clustered_model, {})
    small_chain.train_steps(wrapped, 20)
    network = small_chain.small_spec(normalization="none")
    plain = registry.build_from_json(network.to_json(), small_chain.SIDE)
    kernels.write_weights(plain, quantization.strip(wrapped))
    rounded = wrapped(pixels, training=False).numpy()
    exact = plain(pixels, training=False).numpy()
    assert np.abs(rounded - exact).max() < 0.1 * np.abs(exact).max()
    assert not np.array_equal(rounded, exact)


def test_every_kernel_is_rounded_and_outputs_once(small_model):
    wrapped = quantization.wrap(small_model, {})
    wrappers = {
        layer.layer.name: layer.quantize_config
        for layer in wrapped.layers
        if isinstance(layer, QuantizeWrapperV2)
    }
    assert {name for name, config in wrappers.items() if config.kernel} == set(
        kernels.layer_names(small_model)
    )
    assert {name for name, config in wrappers.items() if config.output} == {
        "relu_conv1",
        "fire2/relu_squeeze1x1",
        "fire2/concat",
        "relu_conv10",
        "pool10",
    }


def test_linear_convolutions_and_sums_round_their_own_output():
    network = small_chain.small_spec(normalization="none", bypass="complex", conv10_relu=False)
    model = registry.build_from_json(network.to_json(), small_chain.SIDE)
    rounded = {layer.name for layer in model.layers if quantization.quantizes_output(layer)}
    assert {"fire2/bypass1x1", "fire2/add", "fire2/concat", "conv10"} <= rounded
    assert not rounded & {"conv1", "fire2/expand1x1", "fire2/relu_expand1x1", "pool1"}


def test_the_quantizer_suits_the_kernel(small_model):
    wrapped = quantization.wrap(small_model, {"conv1": (0.01, 7)})
    kinds = {
        layer.layer.name: type(layer.quantize_config.kernel)
        for layer in wrapped.layers
        if isinstance(layer, QuantizeWrapperV2) and layer.quantize_config.kernel
    }
    assert kinds["conv1"] is GridQuantizer
    # 288 different values are no codebook; 32 are, whether asked for or not.
    assert kinds["fire2/expand3x3"] is MaskedQuantizer
    assert kinds["fire2/expand1x1"] is CodebookQuantizer


def test_the_range_is_that_of_the_kernel_not_six(small_model):
    """TF-MOT's ranges start at -6..6; ours follow the kernel from the first step."""
    wrapped = quantization.wrap(small_model, {})
    small_chain.train_steps(wrapped, 1)
    layer = wrapped.get_layer("quant_fire2/expand3x3")
    ((variable, quantizer, own),) = layer._weight_vars
    largest = np.abs(quantizer.kernel(variable, own).numpy()).max()
    assert own["max_var"].numpy() == pytest.approx(largest, rel=0.2)


def test_uniform_steps_survive(clustered_model):
    clusters = dict.fromkeys(kernels.layer_names(clustered_model), 9)
    grids = clustering.fit_grids(clustered_model, clusters)
    wrapped = quantization.wrap(clustered_model, grids)
    small_chain.train_steps(wrapped)
    for name, (step, levels) in grids.items():
        after = quantization.strip(wrapped)[name][0]
        multiples = after / step
        np.testing.assert_allclose(multiples, np.round(multiples), atol=1e-4)
        assert np.abs(multiples).max() <= levels + 1e-4


def test_the_stock_scheme_still_forgets_our_convolutions(small_model):
    """Why TF-MOT's own layout is not used; if this fails, TF-MOT was repaired: look again."""
    schemes = importlib.import_module(
        "tensorflow_model_optimization.python.core.quantization.keras.collab_opts."
        "cluster_preserve.default_8bit_cluster_preserve_quantize_scheme"
    )
    scheme = schemes.Default8BitClusterPreserveQuantizeScheme(preserve_sparsity=True)
    stock = quantize_apply(quantize_annotate_model(small_model), scheme)
    for name in kernels.layer_names(small_model):
        wrapper = stock.get_layer(f"quant_{name}")
        assert wrapper.quantize_config.get_weights_and_quantizers(wrapper.layer) == []
