import dataclasses

import pytest

from sqzkit.base.errors import RunError, UsageError
from sqzkit.data.source import DataSource
from sqzkit.exploration.config import ExploreConfig
from sqzkit.paper.config import CompareConfig
from sqzkit.training.config import TrainingConfig
from tests import approved


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data_dir": "a", "tfds_name": "b"}, "--data_dir a and --tfds_name b: give one"),
        ({"data_dir": ""}, "--data_dir is empty"),
        ({"tfds_name": ""}, "--tfds_name is empty"),
        ({"tfds_data_dir": "d"}, "without --tfds_name"),
        ({"seed": -1}, "--seed -1"),
        ({"validation_share": 0.0}, "--validation_share 0"),
        ({"test_share": 1.0}, "--test_share 1"),
        ({"validation_share": 0.5, "test_share": 0.5}, "something to train on"),
        ({"max_broken_share": 1.5}, "--max_broken_share 1.5"),
        ({"flip": "maybe"}, "--flip 'maybe': must be one of auto, on, off"),
    ],
)
def test_impossible_sources_are_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        DataSource(**changes)


def test_a_source_survives_json():
    source = DataSource(tfds_name="cifar10", tfds_data_dir="/d", seed=3, flip="on")
    assert DataSource.from_json(source.to_json()) == source
    assert set(source.to_json()) == {field.name for field in dataclasses.fields(DataSource)}


@pytest.mark.parametrize("record", [{"folder": "x"}, {"seed": -1}])
def test_a_foreign_record_is_a_run_error(record):
    with pytest.raises(RunError, match="not a data source record"):
        DataSource.from_json(record)


@pytest.mark.parametrize(
    ("flip", "default", "wanted"),
    [("auto", True, True), ("auto", False, False), ("on", False, True), ("off", True, False)],
)
def test_the_users_word_on_flips_goes_first(flip, default, wanted):
    assert DataSource(flip=flip).flips(default) is wanted


@pytest.mark.parametrize("folder", ["photos", "photos/run", "photos/a/run", "link/run"])
def test_an_output_folder_among_the_photographs_is_refused(tmp_path, folder):
    (tmp_path / "photos").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    source = DataSource(data_dir=str(tmp_path / "photos"))
    with pytest.raises(UsageError, match=f"--model_dir {tmp_path / folder}: lies in --data_dir"):
        source.refuse_inside("--model_dir", str(tmp_path / folder))


def test_an_output_folder_elsewhere_or_hidden_is_not(tmp_path):
    source = DataSource(data_dir=str(tmp_path / "photos"))
    for folder in ("run", "photos2", "photos/.runs/a", "photos/../run"):
        source.refuse_inside("--model_dir", str(tmp_path / folder))
    DataSource().refuse_inside("--model_dir", "anything")


def test_each_program_that_trains_refuses_it():
    source = DataSource(data_dir="photos")
    for flag, make in (
        ("--model_dir", lambda: TrainingConfig("photos/run", data=source)),
        ("--output_dir", lambda: CompareConfig("photos/run", data=source)),
        ("--study_dir", lambda: ExploreConfig(
            "photos/run", training=TrainingConfig("run", data=source))),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=f"{flag} photos/run: lies in --data_dir photos"):
            make()


def test_settings_are_as_approved():
    approved.check_settings(DataSource)
