import itertools

import pytest

from sqzkit.base import assembly
from sqzkit.base.errors import UsageError
from sqzkit.base.keras import keras
from sqzkit.budget import networks
from sqzkit.budget.config import FitConfig
from sqzkit.data.dataset import Example, ImageDataset, Split
from sqzkit.exploration import trial
from sqzkit.models import registry
from tests.compression import small_chain


def config(**values):
    return assembly.build(FitConfig, {"max_archive_bytes": 9000, **values})


@pytest.fixture(scope="module")
def ladder():
    return networks.ladder(config(), small_chain.make_dataset())


def test_the_ladder_goes_from_wide_to_narrow(ladder):
    names = [network.name for network in ladder]
    assert names[:2] == ["v1_2_w8_sr0.125_32px", "v1_1_w8_sr0.125_32px"]
    assert len({*names}) == len(ladder) == len(networks.SCRATCH)
    for one, other in itertools.pairwise(ladder):
        assert one.kernel_weights >= other.kernel_weights
    assert all(
        network.multiply_accumulates > ladder[-1].multiply_accumulates for network in ladder[:-1]
    )


@pytest.mark.parametrize("index", [0, 6, -1])
def test_work_and_weights_are_those_of_the_network(ladder, index):
    network = ladder[index]
    model = registry.build(network.spec, network.side)
    assert network.multiply_accumulates == trial.multiply_accumulates(model)
    kinds = keras.layers.Conv2D
    kernels = [layer.kernel for layer in model.layers if isinstance(layer, kinds)]
    assert network.kernel_weights == sum(kernel.shape.num_elements() for kernel in kernels)


def test_what_a_trial_trains_is_the_network_of_the_ladder(ladder):
    for network in ladder:
        assert network.candidate.spec(4) == network.spec
        assert network.candidate.image_size(0) == network.side == 32


def test_linear_squeeze_layers_are_tried_before_rectified_ones(ladder):
    assert [network.spec.squeeze_relu for network in ladder[:2]] == [False, True]


def test_the_size_may_be_asked_for():
    asked = networks.ladder(config(image_size=48), small_chain.make_dataset())
    assert {network.side for network in asked} == {48}


def test_published_weights_come_first_at_two_sizes():
    found = networks.ladder(config(weights="v1_1_onnx"), small_chain.make_dataset())
    assert [network.name for network in found[:2]] == ["transfer_160px", "transfer_96px"]
    assert found[0].candidate is None and found[0].spec.classes == 4
    assert found[0].preprocessing.image_size == 160
    assert found[2].candidate is not None


def few(train, validation):
    parts = {"train": train, "validation": validation, "test": 3}
    splits = {name: Split(tuple(Example(b"", 0) for _ in range(n))) for name, n in parts.items()}
    return ImageDataset("few", ("a", "b", "c"), splits)


@pytest.mark.parametrize(("train", "validation"), [(2, 3), (3, 2)])
def test_fewer_photographs_than_classes_are_refused(train, validation):
    networks.refuse_few(few(3, 3))
    with pytest.raises(UsageError, match="2 photographs for .* and 3 classes"):
        networks.refuse_few(few(train, validation))
