import numpy as np
import pytest

from sqzkit.base.errors import FormatError
from sqzkit.models import spec, squeezenet
from sqzkit.models.published import PUBLISHED
from sqzkit.models.weight_files import decode, kernel_shapes, renamed
from tests.models import pth

# The numbers of the Fire modules in torchvision's squeezenet1_0 and squeezenet1_1.
FIRES = {"v1_0": (3, 4, 5, 7, 8, 9, 10, 12), "v1_1": (3, 4, 6, 7, 9, 10, 11, 12)}


def random_weights(network):
    generator = np.random.default_rng(0)
    return {
        name: tuple(generator.normal(size=s).astype(np.float32) for s in (shape, shape[-1:]))
        for name, shape in kernel_shapes(network).items()
    }


@pytest.mark.parametrize("name", FIRES)
@pytest.mark.parametrize("legacy", [False, True])
def test_torchvisions_files_are_read(name, legacy):
    network = PUBLISHED[f"{name}_torchvision"].spec
    weights = random_weights(network)
    found = decode(pth.written(pth.torch_names(weights, FIRES[name]), legacy), network, "a.pth")
    assert set(found) == set(weights)
    for layer, arrays in weights.items():
        for mine, theirs in zip(arrays, found[layer], strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("bypass", ["none", "simple", "complex"])
def test_the_shapes_are_those_of_the_model(bypass):
    network = spec.v1_1(7, bypass=bypass, normalization="none")
    layers = [layer for layer in squeezenet.build(network, 32).layers if layer.weights]
    assert kernel_shapes(network) == {layer.name: tuple(layer.kernel.shape) for layer in layers}


def test_a_layer_too_many_is_refused():
    network = spec.tiny(3, normalization="none")
    tensors = pth.torch_names(random_weights(network), (3, 4, 6))
    tensors["features.9.squeeze.weight"] = np.ones((2, 2, 1, 1), np.float32)
    tensors["features.9.squeeze.bias"] = np.ones(2, np.float32)
    message = r"a.pth: fire5/squeeze1x1 is \(1, 1, 2, 2\) in the file and missing in the network"
    with pytest.raises(FormatError, match=message):
        decode(pth.written(tensors), network, "a.pth")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("fire7/conv3x3_2", "fire7/expand3x3"),
        ("fire7/conv1x1_1", "fire7/squeeze1x1"),
        ("conv_final", "conv10"),
        ("fire7/squeeze1x1", "fire7/squeeze1x1"),
        ("conv1", "conv1"),
        ("features.0", "conv1"),
        ("features.12.expand1x1", "fire2/expand1x1"),
        ("features.9999.squeeze", "features.9999.squeeze"),
    ],
)
def test_other_names_become_ours(theirs, ours):
    assert list(renamed({theirs: (np.ones(1), np.ones(1))})) == [ours]
