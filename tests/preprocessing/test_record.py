import dataclasses
import json

import pytest

from sqzkit import preprocessing
from sqzkit.base.errors import RunError, UsageError
from sqzkit.preprocessing import Preprocessing


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 31}, "image_size 31: must be 32..1024"),
        ({"image_size": 1025, "resize_size": 1025}, "image_size 1025"),
        ({"resize_size": 63}, "resize_size 63: must be at least image_size"),
        ({"resize_size": 4097}, "at most 4096"),
        ({"resize": "stretch"}, "resize 'stretch': must be one of squash, shorter_side"),
        ({"channel_order": "GBR"}, "channel_order 'GBR': must be one of RGB, BGR"),
        ({"mean": (1.0, 2.0)}, "mean .*: must hold three numbers"),
        ({"scale": (1.0, 0.0, 1.0)}, "scale .*: no value may be 0"),
    ],
)
def test_impossible_records_are_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        Preprocessing(**{"image_size": 64, "resize_size": 64, **changes})


def test_a_record_survives_json_and_the_disk(tmp_path):
    record = preprocessing.caffe()
    assert Preprocessing.from_json(json.loads(json.dumps(record.to_json()))) == record
    record.save(tmp_path / "preprocessing.json")
    assert Preprocessing.load(tmp_path / "preprocessing.json") == record


@pytest.mark.parametrize(
    "damage",
    [{"mean": None}, {"image_size": 5}, {"resize": "x"}, {"extra": 1}, {"scale": [1, "a", 2]}],
)
def test_a_damaged_record_is_a_run_error_naming_the_file(damage, tmp_path):
    path = tmp_path / "preprocessing.json"
    path.write_text(json.dumps({**preprocessing.default(64).to_json(), **damage}))
    with pytest.raises(RunError, match=r"preprocessing\.json: not a preprocessing record"):
        Preprocessing.load(path)


@pytest.mark.parametrize("record", [{}, []])
def test_what_is_no_record_is_a_run_error(record):
    with pytest.raises(RunError, match="not a preprocessing record"):
        Preprocessing.from_json(record)


def test_torchvision_normalizes_each_channel():
    record = preprocessing.named("torchvision", 224)
    assert (record.resize, record.resize_size, record.channel_order) == ("shorter_side", 256, "RGB")
    for value, mean, deviation in ((0, 0.485, 0.229), (255, 0.406, 0.225)):
        channel = 0 if value == 0 else 2
        expected = (value / 255 - mean) / deviation  # as torchvision.transforms does
        found = (value - record.mean[channel]) * record.scale[channel]
        assert found == pytest.approx(expected, rel=1e-12)


def test_default_maps_pixels_to_minus_one_to_one():
    record = preprocessing.default(64)
    assert (record.image_size, record.resize_size, record.resize) == (64, 64, "shorter_side")
    assert [(0 - record.mean[0]) * record.scale[0], (255 - record.mean[0]) * record.scale[0]] == [
        -1,
        1,
    ]


@pytest.mark.parametrize(("size", "resized"), [(227, 256), (224, 253), (112, 126), (32, 36)])
def test_caffe_keeps_the_proportions_of_its_crop(size, resized):
    record = preprocessing.caffe(size)
    assert (record.image_size, record.resize_size, record.resize) == (size, resized, "squash")
    assert (record.channel_order, record.mean) == ("BGR", (104.0, 117.0, 123.0))
    assert record.scale == (1.0, 1.0, 1.0)


def test_a_record_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        preprocessing.default(64).image_size = 32  # type: ignore[misc]
