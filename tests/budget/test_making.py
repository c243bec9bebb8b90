import dataclasses
import types

import pytest

from sqzkit.base import assembly
from sqzkit.base.errors import FormatError
from sqzkit.budget import making
from sqzkit.budget.config import FitConfig
from sqzkit.budget.folder import Made
from sqzkit.budget.predict import Prediction
from sqzkit.conversion.convert import Result
from sqzkit.runs.folder import RunFolder

CONFIG = assembly.build(
    FitConfig, {"max_archive_bytes": 1000, "max_latency_ms": 2, "max_ram_bytes": 500}
)
GOOD = Made(
    *("a", "net", "chain", "finals/trials/x", "quantize", 1000, 990, 5000, 500, 2.0),
    *(0.9, 0.8, 0.95, "00", 1000),
)

LEAST = Prediction(100, ((0.0, 900), (0.3, 500), (0.96, 100)), 1, 1, None)


def test_the_most_accurate_file_within_the_budget_is_chosen():
    better = dataclasses.replace(GOOD, name="b", top1=0.9)
    over = dataclasses.replace(GOOD, name="c", top1=1.0, archive_bytes=1001)
    assert making.choose([GOOD, better, over], CONFIG) is better
    assert making.choose([over], CONFIG) is None


def test_of_equally_accurate_files_the_smallest_is_chosen():
    smaller = dataclasses.replace(GOOD, name="b", archive_bytes=800)
    assert making.choose([GOOD, smaller], CONFIG) is smaller


@pytest.mark.parametrize(
    ("field", "value", "flag"),
    [
        ("archive_bytes", 1001, "--max_archive_bytes"),
        ("latency_ms", 2.1, "--max_latency_ms"),
        ("ram_bytes", 501, "--max_ram_bytes"),
    ],
)
def test_every_limit_counts(field, value, flag):
    assert making.exceeded(GOOD, CONFIG) == []
    assert making.exceeded(dataclasses.replace(GOOD, **{field: value}), CONFIG) == [flag]


def test_limits_that_are_not_set_do_not_count():
    free = assembly.build(FitConfig, {"max_archive_bytes": 1000})
    assert making.exceeded(dataclasses.replace(GOOD, ram_bytes=10**9, latency_ms=None), free) == []


def test_a_pruned_finalist_is_rounded_and_taken_through_the_chain():
    pruned = making.Finalist(None, None, 0.3, LEAST)
    assert {recipe: pruned.stage(recipe) for recipe in pruned.recipes} == {
        "chain": "quantize",
        "rounded": "prune",
    }
    assert (pruned.predicted("chain"), pruned.predicted("rounded")) == (600, None)
    dense = dataclasses.replace(pruned, sparsity=0.0)
    assert {dense.stage(recipe) for recipe in dense.recipes} == {"train"}
    assert (dense.predicted("per_tensor"), dense.predicted("per_channel")) == (1000, None)


@pytest.mark.parametrize("step", ["_convert", "load_run"])
def test_a_file_that_cannot_be_made_or_run_is_told_and_not_an_end(monkeypatch, tmp_path, step):
    """Of half and double the budget there may be none; the fit has its choice."""

    def fail(*_):
        raise FormatError("LiteRT cannot run it")

    tflite = tmp_path / "x.tflite"
    tflite.write_bytes(b"")
    converted = Result(tflite, None, None, {"sizes": {"sqz": 900}, "sha256": "00"})
    monkeypatch.setattr(making, "_convert", lambda values: converted)
    monkeypatch.setattr(making, step, fail)
    finalist = making.Finalist(
        types.SimpleNamespace(name="net"), RunFolder(tmp_path / "run"), 0.3, LEAST
    )
    maker = making.Maker(dataclasses.replace(CONFIG, output_dir=str(tmp_path)), None)
    assert maker.make(finalist, "rounded", 5000, "net_half") == "LiteRT cannot run it"
    assert "no archive has fewer than" in maker.make(finalist, "rounded", 500, "net_half")


def test_an_error_is_a_share_of_what_was_measured():
    assert making.error_share(103, 100) == 0.03
    assert making.error_share(97, 100) == -0.03
