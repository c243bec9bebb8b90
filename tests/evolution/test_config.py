import subprocess
import sys

import pytest

from sqzkit.base.errors import UsageError
from sqzkit.evolution.config import EvolveConfig
from tests import approved


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"environment": 0.0}, "--environment 0.0: must be above 0 and at most 1"),
        ({"environment": 1.01}, "--environment 1.01"),
        ({"environment": float("nan")}, "--environment nan"),
        ({"population": 0}, "--population 0: must be 1 or more"),
        ({"generations": 0}, "--generations 0"),
        ({"channel_multiple": 0}, "--channel_multiple 0: must be 1 or more"),
        ({"train_epochs": 0}, "--train_epochs 0"),
        ({"final_epochs": -1}, "--final_epochs -1: must be 0 or more"),
        ({"seed": -1}, "--seed -1"),
        ({"base_learning_rate": 0.0}, "--base_learning_rate 0.0"),
        ({"distillation": 1.5}, "--distillation 1.5: must be 0..1"),
        ({"model_dir": ""}, "--model_dir is empty"),
        ({"output_dir": ""}, "--output_dir is empty"),
    ],
)
def test_wrong_values_are_named(changes, words):
    with pytest.raises(UsageError, match=words):
        EvolveConfig(**{"model_dir": "a", "output_dir": "b", **changes})


def test_only_the_length_of_an_evolution_may_change():
    one = EvolveConfig("a", "b", generations=3, final_epochs=0)
    assert one.identity() == EvolveConfig("a", "c", generations=9).identity()
    assert one.identity() != EvolveConfig("a", "b", environment=0.5).identity()
    assert one.identity() != EvolveConfig("a", "b", channel_multiple=16).identity()
    assert "channel_multiple" not in one.identity()  # as in the folders of earlier versions


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--environment=1.5"], "--environment 1.5: must be above 0"),
        (["--population=0"], "--population 0"),
        (["--population=many"], "--population"),
        (["more"], "unexpected argument 'more'"),
    ],
)
def test_a_wrong_call_exits_with_2_at_once(tmp_path, repository, flags, words):
    output = tmp_path / "out"
    call = [sys.executable, "-m", "sqzkit.evolve", "--model_dir=x", f"--output_dir={output}"]
    result = subprocess.run(
        [*call, *flags], cwd=repository, capture_output=True, text=True, check=False, timeout=30
    )
    assert result.returncode == 2
    assert words in result.stderr and "Traceback" not in result.stderr
    assert not output.exists()


def test_settings_are_as_approved():
    approved.check_settings(EvolveConfig)
