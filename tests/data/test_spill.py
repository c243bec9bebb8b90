from pathlib import Path

import pytest

from sqzkit import preprocessing
from sqzkit.data.dataset import Example
from sqzkit.data.spill import FileSlice, Spill
from sqzkit.errors import RunError

FULL = Path("/dev/full")


def test_what_is_added_can_be_read_at_any_time(tmp_path):
    spill = Spill(tmp_path / "new" / "images")
    pieces = [spill.add(content) for content in (b"first", b"", b"third")]
    assert [piece.read() for piece in reversed(pieces)] == [b"third", b"", b"first"]


def test_an_example_may_lie_in_a_spill(tmp_path, jpeg):
    record = preprocessing.default(32)
    spill = Spill(tmp_path / "images")
    spill.add(b"before")
    example = Example(spill.add(jpeg(1)), 0)
    assert (example.load(record) == Example(jpeg(1), 0).load(record)).all()


def test_a_shortened_or_missing_file_is_named(tmp_path):
    path = tmp_path / "images"
    path.write_bytes(b"abc")
    with pytest.raises(RunError, match="images: shorter than"):
        FileSlice(path, 1, 3).read()
    with pytest.raises(RunError, match="absent: No such file"):
        FileSlice(tmp_path / "absent", 0, 1).read()


def test_an_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="cannot write .*--cache_dir"):
        Spill(tmp_path / "file" / "images")


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
def test_a_full_disk_is_a_run_error():
    with pytest.raises(RunError, match="No space left"):
        Spill(FULL).add(b"x" * 10)
