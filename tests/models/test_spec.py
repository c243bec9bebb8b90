import dataclasses

import pytest
from hypothesis import given

from sqzkit.base.errors import RunError, UsageError
from sqzkit.models import spec
from sqzkit.models.spec import FireModule, SqueezeNetSpec
from tests.models.strategies import specs


@given(specs())
def test_json_keeps_everything(network):
    assert SqueezeNetSpec.from_json(network.to_json()) == network


@given(specs())
def test_modules_written_out_are_the_same_network(network):
    written = dataclasses.replace(network, overrides=network.modules())
    assert written.modules() == network.modules()
    assert SqueezeNetSpec.from_json(written.to_json()) == written


def test_records_from_before_the_field_squeeze_relu_are_of_rectified_networks():
    """Nothing else is written of them today, so that runs of earlier versions resume."""
    assert "squeeze_relu" not in spec.v1_1(10).to_json()
    assert SqueezeNetSpec.from_json(spec.v1_1(10).to_json()).squeeze_relu
    assert spec.v1_2(10).to_json()["squeeze_relu"] is False
    assert dataclasses.replace(spec.v1_2(10), squeeze_relu=True) == spec.v1_1(10)


def test_v1_0_is_the_papers_metaparameter_instance():
    network = spec.v1_0(1000)
    assert (network.base_e, network.incr_e, network.pct3x3) == (128, 128, 0.5)
    assert (network.freq, network.squeeze_ratio) == (2, 0.125)
    filters = [(m.name, m.squeeze1x1, m.expand1x1, m.expand3x3) for m in network.modules()]
    # Table 1 of the paper.
    assert filters == [
        ("fire2", 16, 64, 64),
        ("fire3", 16, 64, 64),
        ("fire4", 32, 128, 128),
        ("fire5", 32, 128, 128),
        ("fire6", 48, 192, 192),
        ("fire7", 48, 192, 192),
        ("fire8", 64, 256, 256),
        ("fire9", 64, 256, 256),
    ]


def test_bypasses_are_where_the_paper_has_them():
    simple = [m.name for m in spec.v1_0(10, bypass="simple").modules() if m.bypass == "identity"]
    assert simple == ["fire3", "fire5", "fire7", "fire9"]
    bypasses = [m.bypass for m in spec.v1_1(10, bypass="complex").modules()]
    assert bypasses == ["conv1x1", "identity"] * 4
    assert {m.bypass for m in spec.v1_0(10).modules()} == {"none"}


def test_a_small_squeeze_ratio_leaves_one_filter():
    assert spec.tiny(2, squeeze_ratio=0.01).modules()[0].squeeze1x1 == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"classes": 1}, "classes 1: must be 2"),
        ({"classes": 2, "base_e": 0}, "base_e 0"),
        ({"classes": 2, "incr_e": -1}, "incr_e -1"),
        ({"classes": 2, "freq": 0}, "freq 0"),
        ({"classes": 2, "squeeze_ratio": 0}, "squeeze_ratio 0"),
        ({"classes": 2, "squeeze_ratio": 1.5}, "squeeze_ratio 1.5"),
        ({"classes": 2, "pct3x3": 1.1}, "pct3x3 1.1"),
        ({"classes": 2, "dropout": 1.0}, "dropout 1.0"),
        ({"classes": 2, "conv10_padding": 2}, "conv10_padding 2"),
        ({"classes": 2, "bypass": "some"}, "none, simple, complex"),
        ({"classes": 2, "normalization": "layer"}, "none, batch"),
        ({"classes": 2, "fire_modules": 2}, "pool_after 'fire5': must be one of conv1, fire2"),
        ({"classes": 2, "pool_after": ("conv1", "conv1")}, "named twice"),
        ({"classes": 2, "bypass": "simple", "freq": 1}, "raise freq or choose complex"),
    ],
)
def test_wrong_values_are_named(changes, words):
    with pytest.raises(UsageError, match=words):
        SqueezeNetSpec(**changes)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (FireModule("fire2", 0, 4, 4), "1 or more squeeze1x1"),
        (FireModule("fire2", 2, 0, 0), "expand filters"),
        (FireModule("fire2", 2, 4, 4, "some"), "none, identity, conv1x1"),
        (FireModule("fire2", 2, 4, 4, "identity"), "not 8 and 64"),
    ],
)
def test_wrong_overrides_are_named(module, words):
    with pytest.raises(UsageError, match=words):
        SqueezeNetSpec(classes=2, pool_after=(), overrides=(module,))


def test_overrides_need_different_names():
    module = FireModule("fire2", 2, 4, 4)
    with pytest.raises(UsageError, match="names must differ"):
        SqueezeNetSpec(classes=2, pool_after=(), overrides=(module, module))


def test_named_networks():
    assert spec.named("v1_1", 10, bypass="simple") == spec.v1_1(10, bypass="simple")
    with pytest.raises(UsageError, match="--model 'vgg': must be one of v1_0, v1_1, v1_2, tiny"):
        spec.named("vgg", 10)


@pytest.mark.parametrize("record", [{}, {"classes": 2}, {"pool_after": 3, "overrides": ()}])
def test_a_record_of_something_else_is_refused(record):
    with pytest.raises(RunError, match="not a SqueezeNet specification"):
        SqueezeNetSpec.from_json(record)


@pytest.mark.parametrize(
    "changes",
    [
        {"fire_modules": 10**9},
        {"base_e": 10**9},
        {"conv1_kernel": 10**6},
        {"classes": 10**9},
        {"base_e": 16.5},
        {"base_e": float("nan")},
        {"overrides": [{"name": "fire2", "squeeze1x1": 10**6, "expand1x1": 10**6, "expand3x3": 0}]},
        {"pool_after": "conv1"},
    ],
)
def test_a_record_that_would_fill_the_memory_is_refused(changes):
    with pytest.raises(RunError, match="not a SqueezeNet specification"):
        spec.SqueezeNetSpec.from_json({**spec.v1_1(10).to_json(), **changes})
