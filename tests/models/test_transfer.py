import numpy as np
import pytest

from sqzkit.base.errors import RunError
from sqzkit.models import spec, squeezenet
from sqzkit.models.transfer import load_weights, transfer_spec
from tests.models.strategies import randomize

NETWORK = spec.tiny(5, normalization="none", bypass="complex", conv10_padding=1)


@pytest.fixture(scope="module")
def source():
    model = squeezenet.build(NETWORK, 32)
    randomize(model, 0)
    return model


def weights_of(model):
    return {layer.name: tuple(layer.get_weights()) for layer in model.layers if layer.weights}


def images():
    return np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)


@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_the_function_is_the_weights_own(source, normalization):
    network = spec.tiny(5, normalization=normalization, bypass="complex", conv10_padding=1)
    model = squeezenet.build(network, 32)
    loaded = load_weights(model, weights_of(source))
    assert len(loaded) == 13 and "conv10" in loaded
    np.testing.assert_allclose(
        model(images(), training=False), source(images()), rtol=1e-4, atol=1e-5
    )


def test_another_head_stays_fresh(source):
    network = transfer_spec(NETWORK, 3)
    assert (network.classes, network.conv10_padding, network.conv10_relu) == (3, 0, False)
    assert network.modules() == NETWORK.modules()
    model = squeezenet.build(network, 32)
    fresh = model.get_layer("conv10").get_weights()
    loaded = load_weights(model, weights_of(source), head=False)
    assert "conv10" not in loaded and "fire4/expand3x3" in loaded
    for before, after in zip(fresh, model.get_layer("conv10").get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    np.testing.assert_array_equal(
        model.get_layer("fire3/expand1x1").get_weights()[0],
        source.get_layer("fire3/expand1x1").get_weights()[0],
    )


def test_weights_of_another_shape_are_refused(source):
    model = squeezenet.build(transfer_spec(NETWORK, 3), 32)
    with pytest.raises(
        RunError, match=r"conv10: the weights are \(1, 1, 32, 5\).*replace the head"
    ):
        load_weights(model, weights_of(source))


def test_missing_layers_are_refused(source):
    model = squeezenet.build(spec.tiny(5, fire_modules=4), 32)
    with pytest.raises(RunError, match="fire5/squeeze1x1: the weights do not have this layer"):
        load_weights(model, weights_of(source))
