import dataclasses
import json

import pytest

from sqzkit.base import assembly
from sqzkit.base.errors import UsageError
from sqzkit.data.source import DataSource
from sqzkit.exploration import config
from sqzkit.programs import flags
from tests import approved
from tests.exploration import toys


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"study_dir": ""}, "--study_dir is empty"),
        ({"storage": "study.db"}, "--storage 'study.db': must be a database URL"),
        ({"objectives": ("beauty",)}, "'beauty'"),
        ({"sampler": "luck"}, "--sampler 'luck': must be one of grid, random, tpe, nsga2"),
        ({"trials": 0}, "--trials 0"),
        ({"winner_drop": 2.0}, "--winner_drop 2"),
        ({"threads": -1}, "--threads -1"),
    ],
)
def test_impossible_explorations_are_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        toys.config(**{"folder": "study", **changes})


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@host:5432/db", "postgresql://me@host:5432/db"),
        ("postgresql://me:s@cret@host/db", "postgresql://me@host/db"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("sqlite:///study.db", "sqlite:///study.db"),
        (None, None),
    ],
)
def test_passwords_are_not_written(url, shown):
    assert config.hide_password(url) == shown
    record = json.dumps(toys.config("study", storage=url).to_json())
    assert "secret" not in record
    assert "s@cret" not in record


def test_what_the_processes_must_agree_on():
    one = toys.config("a", trials=5, sampler="tpe", threads=1)
    assert one.identity() == toys.config("b", trials=9, sampler="grid").identity()
    assert one.identity() != toys.config("a", {"base_e": "8"}).identity()
    assert one.identity() != toys.config("a", objectives=("accuracy",)).identity()
    training = dataclasses.replace(one.training, train_batch_size=63)
    assert one.identity() != dataclasses.replace(one, training=training).identity()
    assert one.identity()["conv10_relu"] is False  # older studies had it, and are refused
    json.dumps(one.identity())


def test_machines_may_keep_the_data_in_different_folders(tmp_path, monkeypatch):
    one = toys.config("a", data=DataSource("photos"))
    before = one.identity()
    monkeypatch.chdir(tmp_path)
    assert toys.config("a", data=DataSource("photos")).identity() == before
    assert one.to_json()["data"]["data_dir"] == str(tmp_path / "photos")


def resolve(*arguments):
    known = assembly.flat(config.ExploreConfig)
    return assembly.build(config.ExploreConfig, flags.parse(["explore", *arguments], known)[0])


@pytest.mark.parametrize(
    ("arguments", "resolved"),
    [
        (["--base_e=8,16", "--incr_e=0:64:8"], "tpe 30 True 2592 accuracy parameters"),
        (["--preset=bypass"], "grid 3 False 3 accuracy parameters"),
        (["--preset=pct3x3", "--pct3x3=0.5", "--objectives=latency"], "grid 1 False 1 latency"),
        (["--preset=squeeze_ratio", "--sampler=random"], "random 5 False 5 accuracy parameters"),
    ],
)
def test_flags_and_presets_make_the_record(arguments, resolved):
    made = resolve("--study_dir=study", *arguments)
    found = (made.sampler, made.trials, made.stop_bad, made.space.size, *made.objectives)
    assert " ".join(map(str, found)) == resolved


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--study_dir is missing"),
        (["--study_dir=s", "--base_e=x"], "--base_e 'x'"),
        (["--study_dir=s", "--preset=all"], "preset"),
        (["--study_dir=s", "--data_dir=a", "--tfds_name=b"], "give one of the two"),
        (["--study_dir=s", "--train_epochs=0"], "--train_epochs 0"),
        (["--study_dir=s", "--objectives=accuracy,size"], "'size'"),
    ],
)
def test_wrong_flags_are_refused(arguments, message):
    with pytest.raises(UsageError) as refused:
        resolve(*arguments)
    assert message in str(refused.value)


def test_settings_are_as_approved():
    approved.check_settings(config.ExploreConfig)
    approved.check_settings(config.SpaceTexts)
