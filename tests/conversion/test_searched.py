"""What `convert` does with a search of the price; the files are there, and judged by decree."""

import json

import numpy as np
import pytest

from sqzkit.base.errors import RunError, UsageError
from sqzkit.conversion import convert, smallest, sources, verify
from sqzkit.conversion.config import ConversionConfig
from sqzkit.conversion.options import ConversionOptions
from sqzkit.conversion.sources import Source
from sqzkit.ptq.config import OptimizeConfig

VALIDATION, TEST = "the validation split", "the test split"


@pytest.fixture
def convert_run(small_network, record, noise_images, converted, tmp_path, monkeypatch):
    """Convert a run whose optimized files lose `drop` points and its plain one `plain_drop`."""
    asked = []

    class Priced:
        def __init__(self, *_):
            pass

        @property
        def price(self):
            asked.append("measured")
            return 1e-6

        def at(self, price):
            return converted["int8"]

        def best(self):
            return converted["int8"]

    def run(drop, plain_drop=0.0, validation=4, **changes):
        class Reference:
            def __init__(self, model, preprocessing, images, labels, where, foreign=False):
                self.where = where

            def compare(self, content):
                asked.append(self.where)
                lost = plain_drop if content == converted["uint8"] else drop
                figures = (0.9, 1.0, 0.9 - lost / 100, 1.0)
                counts = 0.0, round(10 * lost), 0
                return verify.Verification(1000, 1.0, 0.0, *figures, self.where, *counts)

        def photographs(count):
            return lambda: (noise_images[:count], np.zeros(count, np.int32))

        source = Source(
            *("mine", small_network, record, tuple("abcde"), {"run": "mine"}, ""),
            training=lambda limit: noise_images,
            test=photographs(4),
            validation=photographs(validation),
        )
        monkeypatch.setattr(sources, "open_source", lambda config: source)
        monkeypatch.setattr(verify, "Reference", Reference)
        monkeypatch.setattr(convert, "PricedConverter", Priced)
        monkeypatch.setattr(convert, "convert_model", lambda *_: converted["uint8"])
        monkeypatch.setattr(convert.checks, "check_compression", lambda *_: None)
        given = {"optimize": OptimizeConfig("size"), "archive": True, **changes}
        config = ConversionConfig(ConversionOptions(), model_dir=str(tmp_path), **given)
        asked.clear()
        return convert.convert(config), asked

    return run


def test_the_file_that_passes_is_written_with_all_that_was_tried(convert_run, converted, capsys):
    result, asked = convert_run(0.25)
    assert result.path.name == "size_int8_per_tensor.tflite"
    assert result.path.read_bytes() == converted["int8"]
    record = json.loads(result.path.with_name(f"{result.path.name}.json").read_text())
    assert len(record["search"]) == smallest.MAX_STEPS + 1
    assert record["search"][0]["drops"] == pytest.approx({VALIDATION: 0.25, TEST: 0.25})
    assert record["verification"]["drop"] == pytest.approx(0.25)
    assert asked[:3] == ["measured", VALIDATION, TEST]
    assert convert_run(0.25)[1] == [], "the same conversion is not done again"
    assert "is there already" in capsys.readouterr().out


def test_where_no_optimized_file_passes_the_plain_one_is_written(convert_run, converted, capsys):
    result, _ = convert_run(0.75, 0.25)
    assert result.path.name == "size_int8_per_channel.tflite"
    assert result.path.read_bytes() == converted["uint8"]
    assert result.record["granularity"] == "per_channel"
    assert result.record["verification"]["drop"] == pytest.approx(0.25)
    told = capsys.readouterr().out
    assert "note: every optimized file loses more than --max_accuracy_drop=0.5; the most" in told
    assert f"+0.75 on {VALIDATION}. Plain rounding, int8 per_channel, int8 input, is" in told
    assert convert_run(0.75, 0.25)[1] == []


def test_what_would_be_replaced_is_refused_before_the_search(convert_run, tmp_path):
    place = tmp_path / "conversions"
    place.mkdir()
    (place / "size_int8_per_channel.tflite").write_text("mine")
    with pytest.raises(UsageError, match=r"size_int8_per_channel\.tflite exists"):
        convert_run(0.25)


def test_if_plain_rounding_fails_too_the_advice_is_about_it(convert_run):
    with pytest.raises(RunError) as refused:
        convert_run(6.0, 6.0)
    assert str(refused.value).endswith(
        "no file was written; give more representative photographs (--calibration_steps), "
        "--quantization=int16x8 or float16, or accept it with a larger --max_accuracy_drop"
    )


def test_without_validation_photographs_the_test_split_alone_judges(convert_run):
    _, asked = convert_run(0.25, validation=0)
    assert VALIDATION not in asked and asked[1] == TEST


@pytest.mark.parametrize(
    "changes",
    [
        {"optimize": OptimizeConfig("size", 5000)},
        {"verify": False},
        {"optimize": None},
        {"max_accuracy_drop": 100.0},
    ],
)
def test_what_decides_itself_is_not_searched(convert_run, changes):
    result, asked = convert_run(0.25, **changes)
    assert "measured" not in asked and "search" not in result.record


def test_of_the_files_that_pass_the_smallest_is_written(convert_run, converted, monkeypatch):
    tried = [
        smallest.Tried(1e-6, 900, {TEST: 0.25}, True, converted["int8"]),
        smallest.Tried(2e-6, 800, {TEST: 0.5}, True, converted["uint8"]),
        smallest.Tried(4e-6, 700, {TEST: 0.75}, False, converted["int8"]),
    ]
    monkeypatch.setattr(smallest, "search", lambda *_, **__: tried)
    result, _ = convert_run(0.25, 0.5)
    assert result.path.read_bytes() == converted["uint8"]
    assert [item["archive_bytes"] for item in result.record["search"]] == [900, 800, 700]


def test_an_update_is_not_searched(convert_run, converted, tmp_path):
    old = tmp_path / "old.tflite"
    old.write_bytes(converted["int8"])
    result, asked = convert_run(0.25, base=str(old))
    assert "measured" not in asked and result.update.stat().st_size < 200


def test_the_file_is_judged_as_it_is_written(convert_run, converted, monkeypatch):
    """With its further outputs, which may not cost more than the limit either."""
    monkeypatch.setattr(convert.last_layer, "teachable", lambda content: converted["uint8"])
    result, _ = convert_run(0.25, 0.5, teachable=True)
    assert result.path.read_bytes() == converted["uint8"]
    assert result.record["verification"]["drop"] == pytest.approx(0.5)
    with pytest.raises(RunError, match=r"3\.00 points below the float model"):
        convert_run(0.25, 3.0, teachable=True, overwrite=True)


@pytest.mark.parametrize(
    ("options", "optimize", "advice"),
    [
        (("int8", "per_tensor"), None, "--granularity=per_channel, --quantization=int16x8 or"),
        (("dynamic", "per_channel"), None, "give --quantization=int8 or float16, or accept"),
        (("float16",), None, "give --quantization=none, or accept"),
        (("none",), None, "give another network, or accept"),
        (
            ("int8", "per_tensor"),
            OptimizeConfig("size", 5000),
            "give a larger --archive_budget_bytes, no --optimize_for, or accept",
        ),
    ],
)
def test_the_advice_fits_what_was_asked_for(options, optimize, advice):
    config = ConversionConfig(ConversionOptions(*options), model_dir="run", optimize=optimize)
    assert advice in verify.advice(config)
