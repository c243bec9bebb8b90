import sys

import pytest

from benchmarks import process

ALLOCATE = "x = bytearray(300 << 20); print(len(x))"
WORK = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass"


def test_a_program_is_timed_and_its_memory_is_its_own(tmp_path):
    mine = bytearray(400 << 20)  # must not be counted as the program's
    large = process.run([sys.executable, "-c", ALLOCATE], tmp_path / "log")
    small = process.run([sys.executable, "-c", WORK], tmp_path / "log")
    assert large.output == f"{300 << 20}\n"
    assert 300 < large.peak_mib < 400
    assert small.peak_mib < 300, "neither the most of all programs so far, nor this process's"
    assert len(mine) == 400 << 20
    assert 0.2 <= small.cpu_seconds <= small.seconds + 0.05
    assert set(small.figures()) == {"seconds", "cpu_seconds", "peak_mib"}


def test_a_failure_names_the_program_and_the_log(tmp_path):
    failing = [sys.executable, "-c", "import sys; sys.exit('reason')"]
    with pytest.raises(process.ProgramError, match=r"ended with 1: see .*log"):
        process.run(failing, tmp_path / "log")
    assert "reason" in (tmp_path / "log").read_text()
    assert process.run(failing, tmp_path / "log", codes=(0, 1)).seconds > 0


def test_turns_leave_out_the_first_round(tmp_path):
    counted = tmp_path / "counted"
    command = [sys.executable, "-c", f"open({str(counted)!r}, 'a').write('x')"]
    found = process.take_turns({"a": command, "b": command}, 2, tmp_path / "log")
    assert {name: len(answers) for name, answers in found.items()} == {"a": 2, "b": 2}
    assert counted.read_text() == "x" * 6
