"""A whole comparison of tiny networks, killed and gone on with."""

import csv
import dataclasses
import itertools
import signal
import subprocess
import sys

import pytest

from sqzkit.base.errors import UsageError
from sqzkit.data.source import DataSource
from sqzkit.paper import loop
from sqzkit.paper.config import FULL, QUICK, ROWS, CompareConfig, Effort, PaperSize
from sqzkit.paper.folder import Artefact, Row
from sqzkit.runs.folder import RunFolder
from tests import thorough
from tests.teaching.folders import save_photographs

TINY = Effort(**dict.fromkeys(
    ("alexnet_epochs", "svd_epochs", "pruned_epochs", "shared_epochs", "train_epochs",
     "prune_epochs", "cluster_epochs", "quantize_epochs", "generations", "population",
     "offspring_epochs"), 1), environment=0.7, final_epochs=0, test_examples=40)  # fmt: skip

# One row of each kind of network and of compression, and what it is made from.
MADE = thorough.pick(("alexnet", "svd", "squeezenet", "squeezenet_dc8", "evolved"), ROWS)
LAST = thorough.pick("squeezenet", "alexnet_dc")  # is not stored before the kill
SMALLER = (  # from left to right
    *(("alexnet", "pruned", "alexnet_dc"), ("squeezenet", "evolved", "evolved_dc")),
    ("squeezenet", "squeezenet_dc8"),
)

# Kills itself when the row named by the second argument is about to be stored.
CHILD = """
import os, signal, sys
from sqzkit.base import quiet
from sqzkit.paper import loop
from sqzkit.paper.folder import Comparison
from tests.paper import test_loop

def add_or_die(folder, row, add=Comparison.add):
    if row.name == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)
    add(folder, row)

Comparison.add = add_or_die
quiet.quiet_libraries()
loop.compare(test_loop.config(sys.argv[1], rows=test_loop.MADE))
"""


def config(path, **changes):
    base = CompareConfig(
        str(path),
        effort=TINY,
        model="tiny",
        svd_energy=0.5,
        paper=PaperSize(classes=30, image_size=67, fc_units=24),
    )
    return dataclasses.replace(base, **changes)


def table(folder):
    return {line["row"]: line for line in csv.DictReader((folder / "compare.csv").open())}


@pytest.mark.slow
def test_a_comparison_that_is_killed_goes_on_and_every_size_is_a_files(tmp_path):
    output = tmp_path / "out"
    call = [sys.executable, "-c", CHILD, str(output), LAST]
    child = subprocess.run(call, capture_output=True, text=True, check=False)
    assert child.returncode == -signal.SIGKILL, child.stderr
    finished = {path: path.stat().st_mtime_ns for path in (output / "rows").iterdir()}
    assert {path.stem for path in finished} == {*MADE[: MADE.index(LAST)]}

    rows = loop.compare(config(output, rows=MADE))
    assert [row.name for row in rows] == list(MADE)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    lines = table(output)
    for name, line in lines.items():
        for column in ("file", "paper_size_file"):
            size = (output / line[column]).stat().st_size
            assert str(size) == line[column.replace("file", "bytes")]
            assert (output / f"{line[column]}.json").exists()
        assert 0 <= float(line["top1"]) <= float(line["top5"]) <= 1
        assert float(line["latency_ms"]) > 0, name
    sizes = {name: int(line["bytes"]) for name, line in lines.items()}
    for names in SMALLER:
        for larger, smaller in itertools.pairwise(name for name in names if name in sizes):
            assert sizes[larger] > sizes[smaller], (larger, smaller)
    assert sizes["squeezenet_dc8"] >= sizes.get("squeezenet_dc6", 0)
    assert float(lines["svd"]["paper_size_ratio"]) < 5  # 24 units leave little to cut
    check_page(output)
    check_given_runs(output, tmp_path / "again")


def check_page(output):
    page = (output / "compare.html").read_text()
    assert page.count("<svg") == 2 and "ranks" in page
    assert "src=" not in page and "href=" not in page.replace('xlink:href="#', "")
    for words in (
        thorough.pick("AlexNet, SVD", "AlexNet, Deep Compression"),
        "SqueezeNet, evolved",
        "240",
        "sqzkit compare",
    ):
        assert words in page
    tables = 2 * (2 + len(MADE))  # yours and the paper's: names, a rule, and the rows
    assert (output / "compare.md").read_text().count("\n| ") == tables


def check_given_runs(output, again):
    """Runs of the user take the place of training."""
    given = config(
        again,
        model_dir=str(output / "runs" / "squeezenet"),
        evolved_dir=str(output / "evolution" / "generation_01"),
        rows=("alexnet",),
    )
    dataset, source = loop._open(given)
    assert dataset.name == "digits" and source == DataSource()
    row = loop.squeezenet.ancestor
    experiment = loop.Experiment(given, loop.Comparison(again, {}), dataset, source)
    assert row(experiment).path == (output / "runs" / "squeezenet").resolve()
    assert loop.squeezenet.descendant(experiment).path.name == "generation_01"
    alexnet = dataclasses.replace(given, model_dir=str(output / "runs" / "alexnet"))
    with pytest.raises(UsageError, match="is not a run of a SqueezeNet"):
        loop.compare(alexnet)
    assert not again.exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": DataSource(data_dir="/no/such/folder")}, "--data_dir /no/such/folder"),
        ({"model_dir": "/no/such/run"}, "--model_dir /no/such/run: not a run folder"),
        ({"evolved_dir": "/no/such/run"}, "--evolved_dir /no/such/run: not a run folder"),
    ],
)
def test_what_is_not_there_is_named_before_anything_is_written(tmp_path, changes, words):
    with pytest.raises(UsageError, match=words):
        loop.compare(config(tmp_path / "out", **changes))
    assert not (tmp_path / "out").exists()


def test_a_comparison_knows_its_photographs(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_make", lambda experiment, name, names: name)
    monkeypatch.setattr(loop.compare_page, "write_table", lambda *parts: "page")
    photographs = save_photographs(tmp_path / "photographs", dict.fromkeys("ab", 8))
    given = config(tmp_path / "out", data=DataSource(data_dir=str(photographs)))
    rows = loop.compare(given)
    moved = photographs.rename(tmp_path / "moved")
    given = config(tmp_path / "out", data=DataSource(data_dir=str(moved)))
    assert loop.compare(given) == rows
    (moved / "a" / "0.png").unlink()
    with pytest.raises(UsageError, match=r"1 removed: a/0\.png; .* with another --output_dir"):
        loop.compare(given)


def test_an_evolved_run_of_other_labels_is_refused(tmp_path):
    folder = RunFolder(tmp_path / "evolved")
    folder.write_labels(("cat", "dog"))
    folder.write_spec({})
    folder.write_record("data", DataSource(data_dir="pets").to_json())
    words = r"was trained on 2 classes.*give the run's data \(--data_dir=.*pets\), or another"
    with pytest.raises(UsageError, match=words):
        loop.compare(config(tmp_path / "out", evolved_dir=str(folder.path)))


def test_a_wrong_call_ends_with_exit_code_2():
    for arguments in (["--rows=vgg"], [], ["stray"], ["--output_dir=o", "--svd_energy=2"]):
        call = [sys.executable, "-m", "sqzkit.compare", *arguments]
        result = subprocess.run(call, capture_output=True, text=True, check=False)
        assert result.returncode == 2, result.stderr
        assert result.stderr.startswith("error: ") and "Traceback" not in result.stderr


def test_the_time_left_follows_what_was_measured():
    file = Artefact("files/a", 1, "", 227, 10)
    done = [Row("alexnet", "runs/alexnet", "train", 1, 1, 9, file, file, seconds=450.0)]
    work = loop.work("alexnet", QUICK)
    assert work == 4.5
    left = loop.work("svd", QUICK)
    expected = round(450 / work * left)
    names = ["alexnet", "svd"]
    text = f", about 0:{expected // 60:02d}:{expected % 60:02d} left"
    assert loop.time_left(done, names, QUICK) == text
    assert loop.time_left([], names, QUICK) == ""
    for row in ROWS:
        assert loop.work(row, QUICK) < loop.work(row, FULL)


def test_the_work_of_a_row_is_that_of_its_own_epochs():
    epochs = {"alexnet": 2, "svd": 3, "pruned": 5, "shared": 7, "train": 11, "prune": 13}
    epochs |= {"cluster": 17, "quantize": 19, "offspring": 23, "final": 29}
    effort = Effort(
        **{f"{name}_epochs": count for name, count in epochs.items()}, generations=31, population=37
    )
    # In epochs of AlexNet: one of SqueezeNet is 0.1 of it, with a teacher 0.15.
    expected = {
        "alexnet": 2,
        "svd": 3.5,
        "pruned": 5,
        "alexnet_dc": 2 * 7,
        "squeezenet": 11 * 0.1,
        "squeezenet_dc8": (13 + 17 + 19) * 0.15,
        "squeezenet_dc6": (17 + 19) * 0.15,  # its pruned network is the other's
        "evolved": (31 * 37 * 23 + 29) * 0.15,
        "evolved_dc": (13 + 17 + 19) * 0.15,
    }
    writing = 0.5
    found = {row: loop.work(row, effort) - writing for row in ROWS}
    assert found == pytest.approx(expected)
