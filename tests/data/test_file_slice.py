import pytest

from sqzkit import preprocessing
from sqzkit.base.errors import RunError
from sqzkit.data.dataset import Example
from sqzkit.data.file_slice import FileSlice


def test_an_example_may_lie_inside_a_file(tmp_path, jpeg):
    record = preprocessing.default(32)
    path = tmp_path / "images"
    path.write_bytes(b"before" + jpeg(1) + b"after")
    example = Example(FileSlice(path, 6, len(jpeg(1))), 0)
    assert (example.load(record) == Example(jpeg(1), 0).load(record)).all()


def test_a_shortened_or_missing_file_is_named(tmp_path):
    path = tmp_path / "images"
    path.write_bytes(b"abc")
    with pytest.raises(RunError, match="images: shorter than"):
        FileSlice(path, 1, 3).read()
    with pytest.raises(RunError, match="absent: No such file"):
        FileSlice(tmp_path / "absent", 0, 1).read()
