import numpy as np
import pytest
from hypothesis import given, settings

from sqzkit.base.errors import RunError
from sqzkit.base.keras import keras
from sqzkit.models import registry, spec, squeezenet
from sqzkit.models.alexnet_spec import AlexNetSpec
from sqzkit.models.folding import fold, fold_batch_normalization
from tests.models.strategies import randomize, specs


def images(size):
    return np.random.default_rng(0).normal(size=(2, size, size, 3)).astype(np.float32)


@given(specs())
@settings(max_examples=10, deadline=None)
def test_folding_keeps_the_function(network):
    model = squeezenet.build(network, 40)
    randomize(model, 0)
    folded_spec, folded = fold_batch_normalization(model, network)
    assert folded_spec.normalization == "none"
    assert folded_spec.modules() == network.modules()
    expected = model(images(40), training=False).numpy()
    scale = np.abs(expected).max()
    np.testing.assert_allclose(folded(images(40)).numpy(), expected, atol=1e-5 * scale, rtol=1e-4)


def test_the_folded_model_is_the_one_its_specification_builds():
    network = spec.tiny(3, bypass="complex", conv10_padding=1, dropout=0.5)
    folded_spec, folded = fold_batch_normalization(squeezenet.build(network, 32), network)
    rebuilt = registry.build(folded_spec, 32)
    assert [layer.name for layer in folded.layers] == [layer.name for layer in rebuilt.layers]
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in folded.layers)


def test_a_softmax_end_and_alexnet_are_kept():
    network = AlexNetSpec(3, normalization="batch", fc_units=5, fc7_rank=2)
    model = registry.build(network, 64, "softmax")
    randomize(model, 1)
    folded_spec, folded = fold_batch_normalization(model, network)
    assert isinstance(folded_spec, AlexNetSpec)
    expected = model(images(64), training=False).numpy()
    np.testing.assert_allclose(folded(images(64)).numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(expected.sum(1), 1, rtol=1e-5)


def test_folding_matches_the_formula():
    normalization = keras.layers.BatchNormalization(epsilon=0.5)
    normalization.build((None, 2))
    normalization.set_weights(
        [np.array(x, np.float32) for x in ([2, 3], [1, 0], [4, 5], [0.5, 8.5])]
    )
    kernel, bias = fold(
        np.ones((1, 1, 1, 2), np.float32), np.array([6, 6], np.float32), normalization
    )
    np.testing.assert_allclose(kernel.ravel(), [2, 1])
    np.testing.assert_allclose(bias, [2 * (6 - 4) + 1, 6 - 5])


def test_another_networks_model_is_refused():
    model = squeezenet.build(spec.tiny(3), 32)
    with pytest.raises(RunError, match="fire5/squeeze1x1: the model lacks this layer"):
        fold_batch_normalization(model, spec.tiny(3, fire_modules=4))
