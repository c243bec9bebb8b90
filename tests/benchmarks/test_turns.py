"""Contenders are real processes here; only what they measure is made up."""

import sys

import pytest

from benchmarks import compare, interleave
from benchmarks.contender import Contender, ContenderError
from benchmarks.settings import Settings

MODULE = "tests.benchmarks.counting_contender"


@pytest.fixture
def settings(tmp_path):
    return Settings(tmp_path, sys.executable)


def start(name, settings, **told):
    return Contender(name, sys.executable, MODULE, {"start": 0, **told}, settings.log)


def test_a_contender_answers_and_its_chatter_goes_to_the_log(settings):
    contender = start("one", settings, start=5)
    assert contender.ready == {"start": 5}
    assert [contender.measure() for _ in range(2)] == [{"ms": 5.0}, {"ms": 6.0}]
    contender.close()
    assert contender._process.returncode == 0
    log = settings.log.read_text()
    assert "a library's chatter" in log
    assert "and a C library's" in log


def test_turns_are_taken_by_all(settings):
    contenders = [start("low", settings), start("high", settings, start=10)]
    answers = interleave.take_turns(contenders, 3)
    for contender in contenders:
        contender.close()
    found = interleave.spreads(answers, "ms")
    assert found["low"] == interleave.Spread(0, 1, 2, 3)
    assert found["high"] == interleave.Spread(10, 11, 12, 3)
    assert found["high"].text(0) == "11 (10-12)"


def test_a_library_that_is_missing_is_said(settings):
    with pytest.raises(ContenderError, match="peer: ModuleNotFoundError: No module named"):
        start("peer", settings, missing=True)


def test_a_process_that_dies_is_said(settings):
    contender = start("peer", settings, dies_at=1)
    contender.measure()
    with pytest.raises(ContenderError, match="peer: the process ended"):
        contender.measure()


def test_what_cannot_be_prepared_is_left_out_by_name(settings, monkeypatch):
    monkeypatch.setattr(compare, "_PEERS", "tests.benchmarks")
    entries = [
        compare.Entry("here", "counting_contender", {"start": 1}, ours=True),
        compare.Entry("absent", "counting_contender", {"start": 1, "missing": True}),
    ]
    result = compare.compared(entries, settings, rounds=2)
    assert result["answers"] == {"here": [{"ms": 1.0}, {"ms": 2.0}]}
    assert result["ready"] == {"here": {"start": 1}}
    assert "No module named" in result["refused"]["absent"]
