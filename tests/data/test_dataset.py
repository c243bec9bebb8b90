import pytest

from sqzkit import preprocessing
from sqzkit.base.errors import RunError
from sqzkit.data import dataset
from sqzkit.data.dataset import Example, FileSlice


def test_counts(coloured):
    data = coloured(train=20, validation=6, test=9)
    assert (data.num_classes, data.num_examples, data.found) == (3, 35, 35)
    assert list(data.split("validation").labels) == [0, 1, 2, 0, 1, 2]
    assert 0 < dataset.default_memory_budget() <= 4 << 30


def test_pixels_are_prepared_by_the_record(coloured):
    image = coloured().split("train").examples[5].load(preprocessing.default(40))
    assert image.shape == (40, 40, 3)
    assert (image == (5, 2, 7)).all()


def test_dropping_keeps_the_order_and_counts(coloured):
    data = coloured(train=5, validation=3, test=3, max_broken_share=0.2)
    data.drop_broken("train", {1: "one: x", 3: "three: y"})
    assert [e.label for e in data.split("train").examples] == [0, 2, 1]
    assert data.broken == ["one: x", "three: y"]
    with pytest.raises(RunError, match="3 of 11 photographs"):
        data.drop_broken("test", {0: "zero: z"})


@pytest.mark.parametrize(("broken", "found", "share"), [(0, 10, 0.0), (1, 20, 0.05), (9, 9, 1.0)])
def test_what_the_share_allows(broken, found, share):
    dataset.check_broken(["x"] * broken, found, share)


@pytest.mark.parametrize(("broken", "found", "share"), [(1, 10, 0.0), (2, 20, 0.05)])
def test_what_the_share_forbids(broken, found, share):
    with pytest.raises(RunError, match="max_broken_share"):
        dataset.check_broken(["x"] * broken, found, share)


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
