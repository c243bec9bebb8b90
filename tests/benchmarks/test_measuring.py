"""The program: choosing parts, going on, and what it writes, with small made-up figures."""

import json
import subprocess
import sys

import pytest

from benchmarks import measuring, report, tables
from benchmarks.settings import Settings
from sqzkit.base.errors import UsageError


def timed(*milliseconds):
    return [{"ms": float(value)} for value in milliseconds]


INFERENCE = {
    "side": 96,
    "threads": 1,
    "precision": "int8",
    "ready": {
        "sqzkit's .tflite in LiteRT": {"same_answers": 7, "pictures": 8},
        "ncnn": {"same_answers": 8, "pictures": 8},
    },
    "answers": {"sqzkit's .tflite in LiteRT": timed(3, 1, 2), "ncnn": timed(1, 1, 1)},
    "refused": {"OpenVINO": "ModuleNotFoundError"},
}


def program(milliseconds):
    return [{"seconds": value, "cpu_seconds": value, "peak_mib": 10} for value in milliseconds]


CONVERSION = {
    "quantization": "int8",
    "answers": {
        "convert.py --noverify": program((6, 5, 9)),
        "bare converter": program((12, 10, 9)),
    },
    "bytes": {"ours": 1, "bare": 1},
}
RESULTS = {
    "machine": {
        "processor": "A Processor",
        "cores": 2,
        "virtual": True,
        "instructions": ["avx2"],
        "memory_gib": 4.0,
        "system": "Linux 6",
        "python": "3.11.7",
    },
    "versions": {"sqzkit": {"numpy": "2.0.0"}, "peers": {}},
    "photographs": True,
    "tasks": {"inference/int8_96px_1_threads": INFERENCE, "conversion/int8": CONVERSION},
}


def test_parts_are_chosen_by_the_beginnings_of_their_names():
    assert measuring.chosen(None) == list(measuring.TASKS)
    assert measuring.chosen(["growth/im", "sizes"]) == ["sizes/published", "growth/images"]
    with pytest.raises(UsageError, match="--only=growht: begins none of training/2_threads"):
        measuring.chosen(["growht"])


def test_every_part_has_a_section():
    assert {name.split("/")[0] for name in measuring.TASKS} == set(tables.SECTIONS)


def test_what_was_measured_is_not_measured_again(tmp_path, monkeypatch):
    settings, calls = Settings(tmp_path, sys.executable), []

    def part(name, fails):
        def measured(_):
            calls.append(name)
            if fails and calls.count(name) == 1:
                raise KeyboardInterrupt
            return {"refused": {}}

        return measured

    monkeypatch.setattr(measuring, "TASKS", {"a/1": part("a/1", False), "b/1": part("b/1", True)})
    with pytest.raises(KeyboardInterrupt):
        measuring.measure(settings, ["a/1", "b/1"], again=False)
    measuring.measure(settings, ["a/1", "b/1"], again=False)
    assert calls == ["a/1", "b/1", "b/1"]
    measuring.measure(settings, ["a/1"], again=True)
    assert calls[-1] == "a/1"


def test_the_page_says_who_is_ahead_and_by_how_much(tmp_path):
    page = report.write(RESULTS, tmp_path).read_text()
    assert "A Processor, 2 cores of a virtual machine" in page
    assert "| sqzkit's .tflite in LiteRT | 2.0 (1.0-3.0) | 7 of 8 |" in page
    assert "| ncnn | **1.0 (1.0-1.0)** | 8 of 8 |" in page
    assert "ncnn is ahead; LiteRT takes 2.00 times as long." in page
    assert "Left out: OpenVINO (ModuleNotFoundError)." in page
    assert "- int8: 0.60 times the bare converter by the clock, 0.60 by processor time" in page
    assert "(bar 1.2)." in page
    assert "](plots/inference.svg)" in page
    assert (tmp_path / "plots" / "inference.svg").read_text().startswith("<svg")
    assert json.loads((tmp_path / "results.json").read_text()) == RESULTS


def test_a_peers_interpreter_that_is_not_there_is_a_wrong_call(tmp_path, repository):
    command = [sys.executable, "-m", "benchmarks.run", f"--work_dir={tmp_path}"]
    command.append("--peers_python=not/there")
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=repository)
    assert result.returncode == 2
    assert "--peers_python not/there" in result.stderr
