import json

import pytest

from sqzkit.base import assembly
from sqzkit.base.errors import UsageError
from sqzkit.exploration import space
from sqzkit.exploration.config import SpaceTexts
from sqzkit.models import spec as specs
from sqzkit.programs import flags
from sqzkit.training.config import TrainingConfig


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("base_e", "32", (32,)),
        ("base_e", "64,32", (64, 32)),
        ("base_e", "32:128:32", (32, 64, 96, 128)),
        ("incr_e", "0:100:64", (0, 64)),
        ("squeeze_ratio", "0.125:0.5:0.125", (0.125, 0.25, 0.375, 0.5)),
        ("pct3x3", "0.1:0.3:0.1", (0.1, 0.2, 0.3)),
        ("bypass", "none, simple", ("none", "simple")),
        ("pool_after", "conv1+fire3,fire4", ("conv1+fire3", "fire4")),
    ],
)
def test_texts_stand_for_values(name, text, values):
    assert space.parse(name, text) == values


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("base_e", "many", "--base_e 'many': must be int values a,b,c"),
        ("base_e", "1.5", "must be int"),
        ("base_e", "", "must be int"),
        ("pct3x3", "0.1:0.5", "must be float"),
        ("pct3x3", "0.1:0.5:0", "a step above 0"),
        ("pct3x3", "0.5:0.1:0.1", "lowest:highest:step"),
        ("bypass", "none,some", "--bypass 'some': must be one of none, simple, complex"),
        ("model", "v2", "--model 'v2': must be one of v1_0, v1_1, v1_2, tiny"),
    ],
)
def test_other_texts_are_refused(name, text, message):
    with pytest.raises(UsageError, match=message):
        space.parse(name, text)


def test_a_value_named_twice_is_refused():
    with pytest.raises(UsageError, match="--base_e: a value is named twice in 8, 9, 8"):
        space.from_texts({"base_e": "8,9,8"})


def test_points_are_every_combination_once():
    networks = space.from_texts({"base_e": "8,16", "bypass": "none,simple", "freq": "1"})
    points = list(networks.points())
    assert networks.size == len(points) == len({point.key for point in points}) == 4
    assert json.loads(points[0].key) == {"base_e": 8, "bypass": "none", "freq": 1}
    assert networks.to_json() == {"bypass": ["none", "simple"], "base_e": [8, 16], "freq": [1]}


def test_a_candidate_is_the_network_of_its_values():
    texts = {
        "model": "v1_0",
        "base_e": "64",
        "squeeze_ratio": "0.5",
        "pool_after": "conv1+fire5",
        "image_size": "96",
    }
    (point,) = space.from_texts(texts).points()
    assert point.spec(7) == specs.v1_0(
        7, base_e=64, squeeze_ratio=0.5, pool_after=("conv1", "fire5"), conv10_relu=False
    )
    assert point.image_size(32) == 96
    assert space.Candidate(()).image_size(32) == 32
    assert space.Candidate(()).spec(5) == specs.v1_1(5, conv10_relu=False)


def test_its_flags_train_the_same_network():
    texts = {"model": "v1_0", "pct3x3": "0.25", "bypass": "simple", "pool_after": "conv1+fire5"}
    (point,) = space.from_texts(texts).points()
    known = flags.items([TrainingConfig])
    given, _ = flags.parse(["train", "--model_dir=run", *point.flags.split()], known)
    assert assembly.build(TrainingConfig, given).spec(7) == point.spec(7)


def test_a_space_without_a_network_is_refused():
    # freq 1 never gives a module as many outputs as inputs: no simple bypass.
    networks = space.from_texts({"freq": "1", "bypass": "simple"})
    with pytest.raises(UsageError, match="no valid network; of the last one: bypass"):
        space.require_networks(networks, 10, 64)
    with pytest.raises(UsageError, match="nothing is left of the feature map"):
        pools = "conv1+fire2+fire3+fire4+fire5+fire6+fire7"
        space.require_networks(space.from_texts({"pool_after": pools}), 10, 32)
    space.require_networks(space.from_texts({"freq": "1,2", "bypass": "simple"}), 10, 64)


def test_why_not_names_the_reason():
    point = space.Candidate((("pool_after", "fire99"),))
    assert "fire99" in space.why_not(point, 10, 64)
    assert space.why_not(space.Candidate(()), 10, 64) == ""


def test_the_presets_are_the_papers_sweeps():
    sizes = {name: space.from_texts(texts).size for name, texts in space.PRESETS.items()}
    assert sizes["squeeze_ratio"] == 5
    assert sizes["pct3x3"] == 9
    assert sizes["bypass"] == 3
    assert sizes["default"] > 1000
    for texts in space.PRESETS.values():
        space.require_networks(space.from_texts(texts), 10, 64)
    ratios = {p.spec(10).squeeze_ratio for p in space.from_texts(space.PRESETS["pct3x3"]).points()}
    assert ratios == {0.5}


@pytest.mark.parametrize(
    "text", ["0:1e9:1e-9", "0:inf:1", "0:1:nan", "nan:1:1", "1e308:-1e308:-1", "1:2", "1:2:3:4"]
)
def test_a_range_without_an_end_is_refused_at_once(text):
    with pytest.raises(UsageError, match="--pct3x3 .*at most 1000 of them"):
        space.parse("pct3x3", text)
    with pytest.raises(UsageError, match="--base_e .*at most 1000"):
        space.parse("base_e", "1:9999999999:1")


@pytest.mark.parametrize("name", ["base_e", "incr_e", "freq", "fire_modules", "image_size"])
def test_whole_numbers_stay_whole(name):
    (value,) = space.parse(name, "8")
    assert isinstance(value, int)
    assert list(space.from_texts({name: "8,9"}).choices) == [name]


def test_the_default_space_is_made_of_known_values():
    default = space.from_texts(space.PRESETS["default"]).choices
    assert default == {
        "model": ("v1_1", "v1_0"),
        "bypass": ("none", "simple"),
        "pool_after": (*("conv1+fire3+fire5", "conv1+fire4+fire8", "fire3+fire5+fire8"),),
        "base_e": (32, 64, 96, 128),
        "incr_e": (0, 32, 64, 96, 128),
        "pct3x3": (0.25, 0.5, 0.75),
        "squeeze_ratio": (0.125, 0.25, 0.375, 0.5),
    }


def test_a_network_without_the_presets_layers_pools_where_it_does_by_default():
    default, choices = SpaceTexts().space().choices, SpaceTexts(model="tiny").space().choices
    kept = {name: values for name, values in default.items() if name != "pool_after"}
    assert choices == {**kept, "model": ("tiny",)}
    space.require_networks(SpaceTexts(model="v1_1, tiny", base_e="8").space(), 10, 32)
    assert "pool_after" not in SpaceTexts(model="v1_1,tiny").space().choices
    given = SpaceTexts(model="tiny", pool_after="conv1").space().choices
    assert given["pool_after"] == ("conv1",)
    eight = SpaceTexts(model="v1_0,v1_1").space().choices
    assert eight["pool_after"] == default["pool_after"]
    with pytest.raises(UsageError, match="--model 'v3': must be one of"):
        SpaceTexts(model="v3").space()


def test_a_range_has_at_most_a_thousand_values():
    assert len(space.parse("base_e", "1:1000:1")) == 1000
    with pytest.raises(UsageError, match="at most 1000 of them"):
        space.parse("base_e", "1:1001:1")
    assert space.parse("base_e", "5:5:3") == (5,)
