import pytest

from sqzkit.base.errors import RunError, UsageError
from sqzkit.models import registry, spec
from sqzkit.models.alexnet import AlexNetSpec


@pytest.mark.parametrize("network", [spec.tiny(3, bypass="complex"), AlexNetSpec(3, fc_units=4)])
def test_a_stored_specification_gives_its_network(network):
    assert registry.spec_from_json(network.to_json()) == network
    model = registry.build_from_json(network.to_json(), 64)
    assert model.output_shape == (None, 3)
    assert model.count_params() == registry.build(network, 64).count_params()


@pytest.mark.parametrize("record", [{}, {"architecture": "vgg"}, {"architecture": []}])
def test_an_unknown_architecture_is_refused(record):
    with pytest.raises(RunError, match="must be one of squeezenet, alexnet"):
        registry.build_from_json(record, 64)


def test_an_impossible_size_is_refused():
    with pytest.raises(UsageError, match="image_size 16"):
        registry.build_from_json(spec.tiny(3).to_json(), 16)
