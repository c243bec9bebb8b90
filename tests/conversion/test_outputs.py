import hashlib
import json
import os

import pytest

from sqzkit.base.errors import RunError, UsageError
from sqzkit.conversion import outputs
from sqzkit.conversion.config import ConversionConfig
from sqzkit.conversion.options import ConversionOptions


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (ConversionOptions("none"), "float32.tflite"),
        (ConversionOptions("float16"), "float16.tflite"),
        (ConversionOptions("dynamic", "per_tensor"), "dynamic_per_tensor.tflite"),
        (ConversionOptions("int8"), "int8_per_channel.tflite"),
        (ConversionOptions("int8", "per_tensor", "uint8"), "int8_per_tensor_uint8.tflite"),
        (ConversionOptions(inference_input_type="float32"), "int8_per_channel_float32.tflite"),
        (ConversionOptions("int16x8"), "int16x8_per_channel.tflite"),
    ],
)
def test_default_names_decode(options, name, tmp_path):
    assert outputs.default_name(options) == name
    config = ConversionConfig(options, model_dir=str(tmp_path))
    assert outputs.output_path(config) == tmp_path / "conversions" / name


def test_a_stage_has_a_file_of_its_own(tmp_path):
    config = ConversionConfig(model_dir=str(tmp_path), stage="prune")
    assert outputs.output_path(config).name == "prune_int8_per_channel.tflite"


def test_a_teachable_file_stands_beside_the_plain_one(tmp_path):
    config = ConversionConfig(model_dir=str(tmp_path), teachable=True)
    assert outputs.output_path(config).name == "int8_per_channel_teachable.tflite"


@pytest.mark.parametrize("suffix", [".tflite", ".tflite.json", ".sqz", ".update.sqz"])
def test_no_output_is_replaced_by_accident(tmp_path, suffix):
    (tmp_path / f"a{suffix}").write_text("mine")
    config = {"weights": "v1_0", "output_file": str(tmp_path / "a.tflite"), "base": "old.sqz"}
    with pytest.raises(UsageError, match=f"a{suffix} exists"):
        outputs.refuse_early(ConversionConfig(archive=True, **config))
    outputs.refuse_early(ConversionConfig(archive=True, overwrite=True, **config))
    if suffix.endswith(".sqz"):
        config["base"] = None
        outputs.refuse_early(ConversionConfig(archive=suffix != ".sqz", **config))


def test_an_update_that_is_missing_makes_the_outputs_incomplete(tmp_path):
    path = tmp_path / "a.tflite"
    record = {"sizes": {"sqz": 700, "update": 600}, "sha256": hashlib.sha256(b"m").hexdigest()}
    archives = {outputs.archive_path(path): bytes(700), outputs.update_path(path): bytes(600)}
    outputs.write(path, b"m", archives, record)
    assert outputs.is_whole(path, record)
    outputs.update_path(path).write_bytes(b"other size")
    assert not outputs.is_whole(path, record)


def test_a_base_needs_an_archive():
    with pytest.raises(UsageError, match="--archive"):
        ConversionConfig(weights="v1_0", output_file="a.tflite", base="old.tflite")


def test_a_name_that_the_run_decides_is_not_refused_early(tmp_path):
    (tmp_path / "conversions").mkdir()
    (tmp_path / "conversions" / "int8_per_channel.tflite").write_text("mine")
    open_question = ConversionConfig(model_dir=str(tmp_path))
    outputs.refuse_early(open_question)
    with pytest.raises(UsageError, match="exists"):
        outputs.refuse_existing(open_question)
    with pytest.raises(UsageError, match="exists"):
        outputs.refuse_early(ConversionConfig(model_dir=str(tmp_path), granularity_given=True))


def both(path, archive=b"archive"):
    return {outputs.archive_path(path): archive, outputs.update_path(path): b"update"}


def test_all_are_written_or_none(tmp_path):
    path = tmp_path / "new" / "a.tflite"
    outputs.write(path, b"model", both(path), {"a": 1})
    names = ["a.sqz", "a.tflite", "a.tflite.json", "a.update.sqz"]
    assert sorted(item.name for item in path.parent.iterdir()) == names
    assert path.read_bytes() == b"model"
    assert outputs.archive_path(path).read_bytes() == b"archive"
    assert outputs.update_path(path).read_bytes() == b"update"

    # The model cannot be put in place: its record and archive must not be either.
    other = tmp_path / "other" / "b.tflite"
    other.mkdir(parents=True)
    with pytest.raises(RunError, match=r"cannot write .*b\.tflite"):
        outputs.write(other, b"model", both(other), {})
    assert [item.name for item in other.parent.iterdir()] == ["b.tflite"]


def test_a_kill_while_renaming_never_leaves_a_file_with_anothers_record(tmp_path, monkeypatch):
    path = tmp_path / "a.tflite"
    outputs.write(path, b"before", both(path, b"archive of before"), {"of": "before"})
    states = []

    def kill_before(target, replace=os.replace):
        def stop(source, name):
            if str(name).endswith(target):
                raise KeyboardInterrupt
            replace(source, name)

        return stop

    for target in (".tflite.json", ".sqz", ".tflite"):
        outputs.write(path, b"before", both(path, b"archive of before"), {"of": "before"})
        with monkeypatch.context() as patch:
            patch.setattr(outputs.files.os, "replace", kill_before(target))
            with pytest.raises(KeyboardInterrupt):
                outputs.write(path, b"after", both(path), {"of": "after"})
        assert not path.exists(), "the file itself comes last"
        states.append(json.loads(outputs.sidecar_path(path).read_text())["of"])
    assert states == ["before", "after", "after"]


def test_a_conversions_record_puts_the_early_refusal_off(tmp_path):
    config = ConversionConfig(weights="v1_0", output_file=str(tmp_path / "a.tflite"))
    outputs.write(tmp_path / "a.tflite", b"model", {}, {"flags": {}, "sizes": {}, "sha256": ""})
    outputs.refuse_early(config)
    with pytest.raises(UsageError, match=r"a\.tflite exists"):
        outputs.refuse_existing(config)
    (tmp_path / "a.tflite.json").write_text('{"somebody": "else"}')
    with pytest.raises(UsageError, match=r"a\.tflite exists"):
        outputs.refuse_early(config)
