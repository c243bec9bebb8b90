"""Some thousands of the inputs of `python -m tests.fuzz.run`, and the driver itself."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqzkit.base.errors import SqzkitError
from tests.fuzz import mutators, run, seeds, worker
from tests.fuzz.targets import TARGETS, Target, own_folder

INPUTS = int(os.environ.get("SQZKIT_FUZZ_INPUTS", "400"))  # a target
TOP = Path(__file__).resolve().parents[2]
BOMBS = [*seeds.bomb_pictures(), seeds.bomb_zip()]
FLAGS = [name for name in TARGETS if name.endswith("_flags")]
READERS = [name for name in TARGETS if name not in FLAGS]


def call(*arguments, **more):
    command = [sys.executable, "-m", "tests.fuzz.run", *arguments]
    return subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False, **more)


def inputs(name):
    return max(int(INPUTS * min(TARGETS[name].share, 1)), 3)


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_read_or_refused(name, tmp_path):
    tally = worker.run(name, 0, inputs(name), 7, tmp_path, limits=False)
    assert not tally.failed, "\n".join(p.read_text() for p in tmp_path.glob("*.txt"))
    assert tally.done == inputs(name)
    assert name in ("pack", "pack_update", "report") or tally.refused > 0
    assert tally.peak_mib < TARGETS[name].memory_mib + 64  # a page here and there


@pytest.mark.parametrize("name", READERS)
def test_whole_files_are_read(name):
    """A seed that were refused would leave its reader untested."""
    target, read = TARGETS[name], 0
    with own_folder() as own:
        reader = target.reader(Path(own))
        for content in target.seeds():
            try:
                reader(content)
                read += content not in BOMBS
            except SqzkitError:
                continue
    assert read >= len(target.seeds()) / 3


def test_damaged_flags_are_taken_or_refused(tmp_path):
    """In processes of their own: the programs' flags have the same names."""
    result = call(f"--targets={','.join(FLAGS)}", "--inputs=800", f"--folder={tmp_path}")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "800 inputs in" in result.stdout
    assert ", 0 failed" in result.stdout


SMALL = ("net", "sqz", "tflite", "zip", "caffemodel", "onnx", "pth")
SEEDS = {name: TARGETS[name].seeds() for name in SMALL}
SEEDS["image"] = [content for content in TARGETS["image"].seeds() if len(content) < 1000]


@given(st.sampled_from(list(SEEDS)), st.data())
@settings(max_examples=300)
def test_what_hypothesis_changes_is_read_or_refused(name, data):
    content = data.draw(st.sampled_from(SEEDS[name]))
    start = data.draw(st.integers(0, len(content)))
    gap = data.draw(st.integers(0, 16))
    damaged = content[:start] + data.draw(st.binary(max_size=16)) + content[start + gap :]
    tally = worker.Tally()
    assert worker.read_one(TARGETS[name], TARGETS[name].reader(Path()), damaged, tally) is None


@pytest.mark.parametrize("name", ["zip", "spec", "run_folder", "train_flags"])
def test_an_input_is_the_same_whatever_was_made_before(name):
    target = TARGETS[name]
    made = [worker.make_input(target, target.seeds(), 3, number) for number in range(200)]
    again = [worker.make_input(target, target.seeds(), 3, number) for number in (199, 5)]
    assert again == [made[199], made[5]]
    assert len(set(made)) > 100


def test_mutators_change_and_bound_what_they_get():
    chance = random.Random(0)
    for mutate, content in (
        (mutators.damage_bytes, bytes(range(100))),
        (mutators.damage_json, b'{"a": [1, {"b": "c"}]}'),
        (mutators.damage_lines, b"--a=1\n--b=c"),
        (mutators.damage_archive, seeds.archives()[0]),
        (mutators.damage_image, seeds.images()[0]),
    ):
        made = [mutate([content], chance) for _ in range(300)]
        assert len(set(made)) > 100
        assert max(map(len, made)) <= 4 * mutators.LARGEST_INPUT


@pytest.fixture
def broken(monkeypatch):
    """A target that does what no reader may."""

    def read(content):
        raise ZeroDivisionError

    target = Target(lambda: [b"seed"], lambda folder: read, lambda s, c: b"input", 1.0)
    monkeypatch.setitem(TARGETS, "broken", target)


@pytest.mark.usefixtures("broken")
def test_another_exception_is_a_failure_and_its_input_is_kept(tmp_path):
    tally = worker.run("broken", 0, 30, 1, tmp_path, limits=False)
    assert (tally.done, tally.failed) == (30, 30)
    kept = sorted(path.name for path in tmp_path.glob("*.input"))
    assert len(kept) == worker.MOST_KEPT
    assert (tmp_path / kept[0]).read_bytes() == b"input"
    assert "ZeroDivisionError" in (tmp_path / kept[0]).with_suffix(".txt").read_text()


def test_a_slow_input_is_a_failure():
    def count(content):
        sum(range(200_000))

    target = Target(list, lambda folder: count, mutators.damage_bytes, 1.0, seconds=1e-4)
    tally = worker.Tally()
    assert "s of processor time, more than" in worker.read_one(target, count, b"", tally)
    assert tally.failed == 1


def test_a_process_that_dies_is_a_failure_and_the_next_goes_on(tmp_path, monkeypatch):
    """As a library's crash would: the process of each worker ends at input 5."""
    script = tmp_path / "python"
    script.write_text(
        f"#!{sys.executable}\nimport sys, os, json\n"
        f"sys.path.insert(0, {str(TOP)!r})\n"
        "from pathlib import Path\nfrom tests.fuzz.worker import Current\n"
        "given = dict(a[2:].split('=') for a in sys.argv[4:])\n"
        "first, last = int(given['first']), int(given['last'])\n"
        "current = Current(Path(given['folder']) / 'zip.current')\n"
        "for number in range(first, last):\n"
        "    current.set(number, b'input %d' % number)\n"
        "    if number == 5: os.kill(os.getpid(), 9)\n"
        "print(json.dumps({'done': last - first, 'refused': 0}))\n"
    )
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    tally = run.run_target("zip", 9, 1, tmp_path, run.Progress(9))
    assert (tally.done, tally.failed) == (9, 1)
    assert (tmp_path / "zip-1-5.input").read_bytes() == b"input 5"
    assert "the process ended with -9" in (tmp_path / "zip-1-5.txt").read_text()


def test_memory_beyond_what_is_stated_is_an_error():
    code = (
        "from tests.fuzz import worker\nworker.limit_memory(64)\nx = bytes(32 << 20)\n"
        "try: bytes(256 << 20)\nexcept MemoryError: print('refused')\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=TOP, capture_output=True, text=True, check=True
    )
    assert result.stdout == ("refused\n" if Path("/proc/self/statm").exists() else "")


def test_the_shares_add_up():
    counts = run.shares(1_000_000, list(TARGETS))
    assert sum(counts.values()) == 1_000_000
    assert min(counts.values()) > 100
    assert json.loads(json.dumps(counts)) == counts
