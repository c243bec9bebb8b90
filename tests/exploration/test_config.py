import json
import subprocess
import sys

import pytest

from sqzkit.base.errors import UsageError
from sqzkit.exploration import config
from tests.exploration import toys


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"study_dir": ""}, "--study_dir is missing"),
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
    json.dumps(one.identity())


RESOLVE = """
import sys
from absl import flags
from sqzkit.programs import cli, explore_flags

def main(argv):
    config = explore_flags.explore_config_from_flags()
    print(config.sampler, config.trials, config.stop_bad, config.space.size, *config.objectives)
    print("tensorflow" in sys.modules, "optuna" in sys.modules)

cli.run(main)
"""


def resolve(*flags):
    command = [sys.executable, "-c", RESOLVE, *flags]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("flags", "resolved"),
    [
        (["--base_e=8,16", "--incr_e=0:64:8"], "tpe 30 True 2592 accuracy parameters"),
        (["--preset=bypass"], "grid 3 False 3 accuracy parameters"),
        (["--preset=pct3x3", "--pct3x3=0.5", "--objectives=latency"], "grid 1 False 1 latency"),
        (["--preset=squeeze_ratio", "--sampler=random"], "random 5 False 5 accuracy parameters"),
    ],
)
def test_flags_and_presets_make_the_record(flags, resolved):
    done = resolve("--study_dir=study", *flags)
    assert done.stdout.splitlines() == [resolved, "False False"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "--study_dir is missing"),
        (["--study_dir=s", "--base_e=x"], "--base_e 'x'"),
        (["--study_dir=s", "--preset=all"], "preset"),
        (["--study_dir=s", "--data_dir=a", "--tfds_name=b"], "give one of the two"),
        (["--study_dir=s", "--train_epochs=0"], "--train_epochs 0"),
        (["--study_dir=s", "--objectives=accuracy,size"], "'size'"),
    ],
)
def test_wrong_flags_end_with_2_and_a_message(flags, message):
    done = resolve(*flags)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
