"""What a record of seeded runs notices, and what it leaves out."""

import json
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from benchmarks import seeded_runs

WEIGHTS = np.arange(6, dtype=np.float32).reshape(2, 3)


def hashes(path, content):
    path.write_text(content, encoding="utf-8")
    return seeded_runs.hashes(path, path.parent)


def write_h5(path, array, name="conv1/kernel", **options):
    with h5py.File(path, "w") as store:
        store.create_dataset(name, data=array, **options)


def write_safetensors(path, array, name="conv1/kernel"):
    entry = {"dtype": "F32", "shape": array.shape, "data_offsets": [0, array.nbytes]}
    header = json.dumps({"__metadata__": {"made": "today"}, name: entry}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + array.tobytes())


@pytest.mark.parametrize(
    ("name", "first", "same", "other"),
    [
        ("a.json", '{"a": [{"top1": 1, "seconds": 2}]}', '{"a":[{"top1":1}]}', '{"a": [{}]}'),
        (
            "a.jsonl",
            '{"loss": 1, "x": 2}',
            '{"x": 2, "seconds": 3, "loss": 1}',
            '{"loss": 2, "x": 2}',
        ),
        ("a.csv", "top1,latency_ms\n1,2\n", "top1,latency_ms\n1,3\n", "top1,latency_ms\n2,2\n"),
        ("a.md", "| zeros |\n| 91.9 % |", "| sparsity |\n| 91.9 % |", "| zeros |\n| 91.8 % |"),
        ("a.html", '<b x="1">2 of 3</b>', "<i>2 &#47; 3</i><svg>4</svg>", "<b>2 of 4</b>"),
        ("a.stdout", "72.66%  7", "72.66 %: 7", "72.66%  8"),
    ],
)
def test_only_results_count(tmp_path, name, first, same, other):
    path = tmp_path / name
    assert hashes(path, first) == hashes(path, same)
    assert hashes(path, first) != hashes(path, other)


def test_every_byte_of_another_file_counts(tmp_path):
    assert hashes(tmp_path / "a.tflite", "1 a") != hashes(tmp_path / "a.tflite", "1 b")


def test_weights_are_compared_as_numbers_over_formats(tmp_path):
    old, new = tmp_path / "old" / "train.weights.h5", tmp_path / "new" / "train.weights.safetensors"
    for path in (old, new):
        path.parent.mkdir()
    write_h5(old, WEIGHTS)
    write_safetensors(new, WEIGHTS)
    before = seeded_runs.record(old.parent)
    assert before.keys() == {"train.weights"}
    assert seeded_runs.differences(before, seeded_runs.record(new.parent)) == []

    write_h5(old, WEIGHTS, chunks=(1, 3))
    assert seeded_runs.differences(before, seeded_runs.record(old.parent)) == [
        "different: train.weights (bytes of .h5)"
    ]
    for array, name in ((WEIGHTS + 1, "conv1/kernel"), (WEIGHTS, "conv2/kernel"),
                        (WEIGHTS.reshape(3, 2), "conv1/kernel")):  # fmt: skip
        write_safetensors(new, array, name)
        assert seeded_runs.differences(before, seeded_runs.record(new.parent)) == [
            "different: train.weights (numbers)"
        ]


def test_a_record_holds_outputs_by_relative_path(tmp_path):
    for name in ("inputs/a.txt", "run/labels.txt", "run/commands.json", "study/winner.lock"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
    assert seeded_runs.record(tmp_path).keys() == {"run/labels.txt"}


def test_the_place_of_the_output_folder_does_not_count(tmp_path):
    found = []
    for name in ("old", "new"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "flags.json").write_text(json.dumps({"model_dir": f"{folder}/runs/a"}))
        found.append(seeded_runs.record(folder))
    assert found[0] == found[1]
    (folder / "flags.json").write_text(json.dumps({"model_dir": f"{folder}/runs/b"}))
    assert seeded_runs.record(folder) != found[0]


def test_differences_name_missing_new_and_changed_files():
    before = {"a": {"bytes": "1"}, "b": {"bytes": "1"}, "c": {"bytes": "1"}, "d": {"bytes": "1"}}
    after = {"b": {"bytes": "1"}, "c": {"bytes": "2"}, "d": {"fields": "1"}, "e": {"bytes": "1"}}
    assert seeded_runs.differences(before, after) == [
        "missing: a",
        "new: e",
        "different: c (bytes)",
        "different: d (another kind of file)",
    ]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A working tree with two programs that say how they were called."""
    (tmp_path / "sqzkit").mkdir()
    for name in ("train.py", "sqzkit/classify.py"):
        (tmp_path / name).write_text("import os, sys; print(os.getcwd(), sys.argv[1:])")
    (tmp_path / "commands.txt").write_text("# all\n\ntrain.py --a=1\n-m sqzkit.classify b\n")
    monkeypatch.setattr(seeded_runs, "COMMANDS", tmp_path / "commands.txt")
    monkeypatch.setattr(seeded_runs, "KERAS_MODEL", "open('model.h5', 'w')")
    (tmp_path / "out").mkdir()
    return tmp_path


def test_programs_of_the_checkout_run_in_the_output_folder(checkout):
    out = checkout / "out"
    seeded_runs.run_programs(checkout, Path(sys.executable), out)
    assert {path.name for path in out.iterdir()} == {"model.h5", "02.stdout"}
    assert (out / "02.stdout").read_text() == f"{out.resolve()} ['b']\n"
    assert not list((checkout / "sqzkit").glob("__pycache__"))


def test_a_program_that_fails_ends_the_run(checkout):
    (checkout / "train.py").write_text("raise SystemExit('error: no data')")
    with pytest.raises(SystemExit, match=r"(?s)train\.py --a=1: exit code 1.*error: no data"):
        seeded_runs.run_programs(checkout, Path(sys.executable), checkout / "out")
