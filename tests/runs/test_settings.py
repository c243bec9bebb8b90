import dataclasses

import pytest

from sqzkit.base.errors import RunError, UsageError
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.settings import plain, recorded_options, refuse_other


@dataclasses.dataclass(frozen=True)
class Options:
    epochs: int
    rate: float = 0.5
    added_later: str = "default"


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    for stage, config in (("train", {"epochs": 3, "rate": 1, "weights": "v1_1"}), ("prune", {})):
        folder.path.mkdir(exist_ok=True)
        folder.weights_path(stage).write_text(stage)
        folder.finish_stage(stage, {}, config)
    return folder


def test_recorded_settings_are_read_whatever_else_was_recorded(folder):
    assert recorded_options(folder, "train", Options) == Options(3, 1.0, "default")


def test_a_stage_that_is_not_finished_has_no_settings(folder):
    with pytest.raises(UsageError, match="stage 'cluster' of .*: not finished; there is train, pr"):
        recorded_options(folder, "cluster", Options)
    with pytest.raises(RunError, match="no stage is finished yet"):
        recorded_options(RunFolder(folder.path / "other"), "train", Options)


def test_a_damaged_record_is_named(folder):
    folder.finish_stage("train", {}, {"epochs": "three"})
    with pytest.raises(RunError, match=r"not the record of stage 'train' in .*stages.json: epochs"):
        recorded_options(folder, "train", Options)


def test_equal_settings_are_not_refused():
    refuse_other("here", {"a": 1, "b": [2]}, {"b": (2,), "a": 1})


def test_every_other_setting_is_named():
    with pytest.raises(UsageError, match=r"^here was made with other settings .b: None there, 2"):
        refuse_other("here", {"a": 1}, {"a": 1, "b": 2})
    with pytest.raises(UsageError, match=r"\(a: 1 there, 3 asked; b: 2 there, None asked\)"):
        refuse_other("here", {"a": 1, "b": 2}, {"a": 3})
    with pytest.raises(UsageError, match=r"\(data\.seed: 1 there, 2 asked\)"):
        refuse_other("here", {"data": {"seed": 1, "a": 0}}, {"data": {"seed": 2, "a": 0}})
    with pytest.raises(UsageError, match=r"give the same flags again, or another --output_dir$"):
        refuse_other("here", {"a": 1}, {}, "--output_dir")


def test_a_relative_path_of_an_old_record_is_the_same_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = {"model_dir": str(tmp_path / "run"), "data": {"data_dir": str(tmp_path / "photos")}}
    refuse_other("here", {"model_dir": "run", "data": {"data_dir": "photos"}}, asked)
    with pytest.raises(UsageError, match="model_dir: 'other' there"):
        refuse_other("here", {"model_dir": "other", "data": {"data_dir": "photos"}}, asked)
    with pytest.raises(UsageError, match="'photographs'"):
        refuse_other("here", {"model_dir": "run", "data": {"data_dir": "photographs"}}, asked)


def test_plain_values_are_what_json_gives_back():
    assert plain({"a": (1, (2,))}) == {"a": [1, [2]]}
