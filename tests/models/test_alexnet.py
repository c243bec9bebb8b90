import numpy as np
import pytest

from sqzkit.base.errors import RunError, UsageError
from sqzkit.models import alexnet
from sqzkit.models.alexnet import AlexNetSpec
from tests.models.strategies import randomize


def test_parameters_and_shapes_are_the_papers():
    model = alexnet.build(AlexNetSpec(1000))
    assert model.count_params() == 60_965_224
    shapes = {
        name: model.get_layer(name).output_shape[1:]
        for name in ("conv1/a", "conv2/a", "conv3/b", "pool5/b")
    }
    assert shapes == {
        "conv1/a": (55, 55, 48),
        "conv2/a": (27, 27, 128),
        "conv3/b": (13, 13, 192),
        "pool5/b": (6, 6, 128),
    }
    assert model.get_layer("fc6").count_params() == (9216 + 1) * 4096


def test_towers_are_apart_but_in_conv3():
    model = alexnet.build(AlexNetSpec(2, fc_units=2), 39)
    channels = {
        name: model.get_layer(f"{name}/a").kernel.shape[2] for name in ("conv2", "conv4", "conv5")
    }
    assert channels == {"conv2": 48, "conv4": 192, "conv5": 192}
    assert model.get_layer("conv3/a").kernel.shape[2] == 256


def test_a_rank_factors_a_dense_layer():
    plain = alexnet.build(AlexNetSpec(2, fc_units=64), 67).count_params()
    cut = alexnet.build(AlexNetSpec(2, fc_units=64, fc6_rank=3, fc7_rank=5), 67)
    fc6, fc7 = 256 * 64, 64 * 64
    assert cut.count_params() == plain - fc6 - fc7 + 3 * (256 + 64) + 5 * (64 + 64)


def test_probabilities_and_sizes():
    model = alexnet.build(AlexNetSpec(3, "batch", fc_units=4), 80, "softmax")
    randomize(model, 0)
    outputs = model(np.ones((2, 80, 80, 3), np.float32)).numpy()
    np.testing.assert_allclose(outputs.sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize("size", [38, 1025])
def test_sizes_out_of_range_are_refused(size):
    with pytest.raises(UsageError, match=f"image_size {size}: AlexNet needs 39..1024"):
        alexnet.build(AlexNetSpec(2), size)


def test_an_unknown_activation_is_refused():
    with pytest.raises(UsageError, match="classifier_activation 'relu'"):
        alexnet.build(AlexNetSpec(2), 64, "relu")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"classes": 1}, "classes 1"),
        ({"classes": 2, "normalization": "local"}, "none, batch"),
        ({"classes": 2, "dropout": -0.1}, "dropout -0.1"),
        ({"classes": 2, "fc_units": 0}, "fc_units 0"),
        ({"classes": 2, "fc6_rank": -1}, "fc6_rank -1"),
    ],
)
def test_wrong_values_are_named(changes, words):
    with pytest.raises(UsageError, match=words):
        AlexNetSpec(**changes)


def test_json_keeps_everything():
    network = AlexNetSpec(7, "batch", fc_units=9, fc7_rank=2)
    assert AlexNetSpec.from_json(network.to_json()) == network
    with pytest.raises(RunError, match="not an AlexNet specification"):
        AlexNetSpec.from_json({"classes": 2, "filters": 3})


def test_dropout_follows_both_dense_layers_if_asked():
    model = alexnet.build(AlexNetSpec(2, fc_units=2, dropout=0.25), 39)
    drops = {layer.name: layer.rate for layer in model.layers if "drop" in layer.name}
    assert drops == {"fc6/drop": 0.25, "fc7/drop": 0.25}
    assert model.get_layer("fc7").input is model.get_layer("fc6/drop").output
    assert model.get_layer("fc8").input is model.get_layer("fc7/drop").output
    without = alexnet.build(AlexNetSpec(2, fc_units=2, dropout=0.0), 39)
    assert not [layer for layer in without.layers if "drop" in layer.name]
