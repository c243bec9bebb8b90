import dataclasses

import pytest

from sqzkit.base import assembly
from sqzkit.base.errors import UsageError
from sqzkit.data.source import DataSource
from sqzkit.paper.config import FULL, NEEDS, QUICK, ROWS, CompareConfig, Effort, EffortSettings
from sqzkit.programs import flags
from tests import approved


def test_what_a_row_is_made_from_comes_before_it():
    for row, needs in NEEDS.items():
        places = [ROWS.index(need) for need in needs]
        assert places == sorted(places) and all(place < ROWS.index(row) for place in places)
        for need in needs:
            assert set(NEEDS[need]) <= set(needs), (row, need)


def test_rows_bring_what_they_need_in_the_tables_order():
    config = CompareConfig("out", rows=("evolved_dc", "pruned"))
    assert config.rows_to_make() == ["alexnet", "pruned", "squeezenet", "evolved", "evolved_dc"]
    assert CompareConfig("out").rows_to_make() == list(ROWS)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"output_dir": ""}, "--output_dir is empty"),
        ({"rows": ("alexnet", "vgg")}, "--rows 'vgg': must be one of alexnet, svd"),
        ({"rows": ()}, "--rows is empty"),
        ({"model": "v2"}, "--model 'v2': must be one of v1_0, v1_1"),
        ({"svd_energy": 0.0}, "--svd_energy 0.0"),
        ({"svd_energy": 1.5}, "--svd_energy 1.5"),
        ({"svd_ratio": 1.0}, "--svd_ratio 1.0: must be above 1"),
        ({"svd_ratio": 9.5}, "above 1 and at most 9"),
        ({"seed": -1}, "--seed -1"),
        ({"model_dir": "runs/a", "data": DataSource(data_dir="b")}, "brings its own data"),
    ],
)
def test_wrong_values_are_named(changes, words):
    with pytest.raises(UsageError, match=words):
        CompareConfig(**{"output_dir": "out", **changes})


@pytest.mark.parametrize("name", ["alexnet_epochs", "population", "test_examples"])
def test_no_effort_is_negative(name):
    with pytest.raises(UsageError, match=f"--{name} -1: must be"):
        Effort(**{name: -1})


def test_which_rows_is_no_part_of_the_identity():
    one = CompareConfig("a", rows=("svd",)).identity()
    assert one == CompareConfig("b").identity()
    assert one != CompareConfig("a", effort=QUICK).identity()


@pytest.mark.parametrize(
    ("effort", "words"),
    [
        (FULL, []),
        (QUICK, ["--quick"]),
        (dataclasses.replace(QUICK, generations=3), ["--quick", "--generations=3"]),
        (dataclasses.replace(FULL, generations=3), ["--generations=3"]),
    ],
)
def test_the_command_makes_the_same_comparison(effort, words):
    config = CompareConfig("/out", effort=effort)
    command = config.command().split()
    assert command[command.index("compare") + 1 :] == ["--output_dir=/out", *words]
    known = assembly.flat(CompareConfig)
    given, _ = flags.parse(["compare", "--output_dir=/out", *words], known)
    assert assembly.build(CompareConfig, given) == config


def test_settings_are_as_approved():
    approved.check_settings(CompareConfig)
    approved.check_settings(EffortSettings)
