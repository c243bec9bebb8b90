import json

import pytest

from sqzkit.base.errors import RunError, UsageError
from sqzkit.base.files import sha256
from sqzkit.paper.config import CompareConfig, PaperSize
from sqzkit.paper.folder import Comparison, Row


def identity(**changes):
    return CompareConfig("out", **changes).identity()


def finished(folder, name="alexnet", size=4000):
    """Store a row with files of `size` and a tenth of it, and return it."""
    record = {"image_size": 64, "classes": 10, "latency_ms": 1.5}
    yours = folder.write(f"{name}.yours.tflite", bytes(size), record)
    larger = {**record, "classes": 1000, "latency_ms": None}
    paper = folder.write(f"{name}.paper.layers", bytes(size // 10), larger)
    row = Row(name, f"runs/{name}", "train", 0.9, 1.0, 360, yours, paper, ("a note",), 12.0)
    folder.add(row)
    return row


def test_rows_come_back_and_have_sidecars(tmp_path):
    folder = Comparison(tmp_path / "out", identity())
    assert folder.row("alexnet") is None
    folder.begin()
    row = finished(folder)
    again = Comparison(tmp_path / "out", identity())
    assert again.row("alexnet") == row
    assert row.yours.bytes == (tmp_path / "out" / row.yours.file).stat().st_size == 4000
    sidecar = json.loads((tmp_path / "out" / f"{row.yours.file}.json").read_text())
    assert sidecar["sha256"] == sha256(tmp_path / "out" / row.yours.file)
    assert sidecar["made_by"]["compare"]["effort"]["alexnet_epochs"] == 30


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_file_that_is_not_what_was_measured_is_named(tmp_path, damage):
    folder = Comparison(tmp_path / "out", identity())
    file = tmp_path / "out" / finished(folder).paper.file
    file.write_bytes(b"other") if damage == "changed" else file.unlink()
    with pytest.raises(RunError, match="alexnet.paper.layers: missing or altered .*alexnet.json"):
        folder.row("alexnet")


def test_a_record_that_is_no_row_is_named(tmp_path):
    folder = Comparison(tmp_path / "out", identity())
    finished(folder)
    (tmp_path / "out" / "rows" / "alexnet.json").write_text('{"name": "alexnet"}')
    with pytest.raises(RunError, match="not a row of a comparison"):
        folder.row("alexnet")


def test_a_comparison_of_other_flags_is_refused(tmp_path):
    Comparison(tmp_path / "out", identity()).begin()
    for changes, words in (
        ({"seed": 2}, "seed: 1 there, 2 asked"),
        ({"svd_energy": 0.5}, "svd_energy: None there, 0.5 asked"),
        ({"paper": PaperSize(fc_units=8)}, "fc_units: 4096 there, 8 asked"),
    ):
        with pytest.raises(UsageError, match=words):
            Comparison(tmp_path / "out", identity(**changes))


def test_other_things_are_not_written_over(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="exists and does not hold a comparison"):
        Comparison(tmp_path, identity())
    with pytest.raises(UsageError, match="exists and does not hold a comparison"):
        Comparison(tmp_path / "notes.txt", identity())
    assert (tmp_path / "notes.txt").read_text() == "mine"
