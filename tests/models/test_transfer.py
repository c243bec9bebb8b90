from pathlib import Path

import numpy as np
import pytest

from sqzkit.base.errors import RunError
from sqzkit.base.imagenet import imagenet_labels
from sqzkit.models import published, spec, squeezenet
from sqzkit.models.pretrained import Pretrained
from sqzkit.models.transfer import load_pretrained, load_weights, only_head, transfer_spec
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


def equal(layer, other):
    pairs = zip(layer.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(one, two) for one, two in pairs)


def test_the_function_is_the_weights_own(source):
    model = squeezenet.build(NETWORK, 32)
    load_weights(model, weights_of(source))
    np.testing.assert_array_equal(model(images(), training=False), source(images()))


def test_a_new_head_keeps_its_fresh_weights_and_only_it(source):
    model = squeezenet.build(spec.tiny(3, normalization="none", bypass="complex"), 32)
    fresh = model.get_layer("conv10").get_weights()
    load_weights(model, weights_of(source), head=False)
    for before, after in zip(fresh, model.get_layer("conv10").get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    layers = [layer for layer in model.layers if layer.weights and layer.name != "conv10"]
    assert len(layers) == 12
    assert all(equal(layer, source.get_layer(layer.name)) for layer in layers)


def test_weights_of_another_shape_are_refused(source):
    model = squeezenet.build(spec.tiny(3, normalization="none", bypass="complex"), 32)
    with pytest.raises(
        RunError, match=r"conv10: the weights are \(1, 1, 32, 5\).*replace the head"
    ):
        load_weights(model, weights_of(source))


def test_missing_layers_are_refused(source):
    model = squeezenet.build(spec.tiny(5, normalization="none", fire_modules=4), 32)
    with pytest.raises(RunError, match="fire5/squeeze1x1: the weights do not have this layer"):
        load_weights(model, weights_of(source))


def test_other_labels_get_a_plain_head_and_imagenets_keep_theirs():
    v1_0 = published.PUBLISHED["v1_0"]
    network = transfer_spec(v1_0, ("cat", "dog", "fish"), {"dropout": 0.25})
    assert (network.classes, network.conv10_padding, network.conv10_relu) == (3, 0, False)
    assert network.dropout == 0.25
    assert network.modules() == v1_0.spec.modules()
    assert transfer_spec(v1_0, imagenet_labels()) == v1_0.spec
    assert transfer_spec(v1_0, imagenet_labels()[::-1]).conv10_padding == 0


def test_a_head_of_unknown_labels_is_kept_for_as_many():
    own = Pretrained(name="mine", spec=NETWORK, file=Path("mine.pth"))
    assert transfer_spec(own, "abcde") == NETWORK
    assert transfer_spec(own, "abcd").classes == 4


@pytest.mark.parametrize("labels", [("cat", "dog"), imagenet_labels()])
def test_published_weights_go_into_all_but_a_new_head(shared_dir, labels):
    record = published.PUBLISHED["deep_compression"]
    weights = record.load(shared_dir / "weights")
    model = squeezenet.build(transfer_spec(record, labels), 64)
    fresh = model.get_layer("conv10").get_weights()
    load_pretrained(model, record, str(shared_dir / "weights"), labels)
    kernel = model.get_layer("fire9/expand3x3").get_weights()[0]
    np.testing.assert_array_equal(kernel, weights["fire9/expand3x3"][0])
    expected = fresh[0] if len(labels) == 2 else weights["conv10"][0]
    np.testing.assert_array_equal(model.get_layer("conv10").get_weights()[0], expected)


def test_only_the_head_learns_inside_and_all_as_before_outside(source):
    source.get_layer("fire2/squeeze1x1").trainable = False
    before = [variable.name for variable in source.trainable_variables]
    with only_head(source):
        inside = [variable.name for variable in source.trainable_variables]
        assert inside == ["conv10/kernel:0", "conv10/bias:0"]
    assert [variable.name for variable in source.trainable_variables] == before
    source.get_layer("fire2/squeeze1x1").trainable = True
