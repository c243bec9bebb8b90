import numpy as np
import pytest

from sqzkit.base.errors import RunError, UsageError
from sqzkit.data.open import open_dataset
from sqzkit.data.source import DataSource


def opened(path, **changes):
    return open_dataset(DataSource(data_dir=str(path), **changes))


def paths(dataset):
    return {name: {e.image for e in split.examples} for name, split in dataset.splits.items()}


def test_class_folders_are_cut_into_three(photo_folder):
    dataset = opened(photo_folder({"cat": 20, "dog": 10}))
    assert dataset.labels == ("cat", "dog")
    counts = {name: list(np.bincount(s.labels)) for name, s in dataset.splits.items()}
    assert counts == {"train": [14, 7], "validation": [2, 1], "test": [4, 2]}
    assert len(set.union(*paths(dataset).values())) == 30
    assert dataset.name == "photos"
    assert dataset.flip
    for split in dataset.splits.values():
        for example in split.examples:
            assert example.image.parent.name == dataset.labels[example.label]


def test_the_seed_decides_the_cut(photo_folder):
    top = photo_folder({"cat": 20, "dog": 10})
    assert paths(opened(top)) == paths(opened(top))
    assert paths(opened(top)) != paths(opened(top, seed=1))


def test_three_given_splits_are_kept(photo_folder):
    top = photo_folder(
        {"Train/b": 3, "Train/a": 4, "valid/a": 2, "valid/b": 1, "test/a": 1, "test/b": 1}
    )
    dataset = opened(top)
    assert [split.num_examples for split in dataset.splits.values()] == [7, 3, 2]
    assert dataset.labels == ("a", "b")


def test_validation_is_cut_off_train_where_only_test_is_given(photo_folder):
    dataset = opened(photo_folder({"train/a": 10, "train/b": 10, "test/a": 3, "test/b": 3}))
    assert [split.num_examples for split in dataset.splits.values()] == [18, 2, 6]
    assert all(path.parents[1].name == "test" for path in paths(dataset)["test"])


def test_hidden_and_other_files_are_left_out_and_subfolders_are_read(photo_folder, jpeg):
    top = photo_folder({"a": 3, "b": 3, ".cache": 5})
    (top / "a" / ".hidden.jpg").write_bytes(b"x")
    (top / "a" / "notes.txt").write_text("x")
    (top / "a" / "more").mkdir()
    (top / "a" / "more" / "deep.JPG").write_bytes(jpeg(99))
    dataset = opened(top)
    assert dataset.labels == ("a", "b")
    assert dataset.num_examples == 7


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({}, "no such folder"),
        ({"a": 0, "b": 0}, "no photographs"),
        ({"train/a": 0, "test/a": 0}, "no photographs"),
        ({"a": 9}, "only one class \\('a'\\)"),
        ({"train/a": 9, "test/a": 3}, "only one class"),
        ({"a": 9, "b": 1}, "class 'b' has 1 image"),
        ({"train/a": 9, "train/b": 1, "test/a": 1, "test/b": 1}, "class 'b' has 1 image"),
        ({"a": 9, "b": 0}, "no photographs of class 'b'"),
        ({"train/a": 9, "train/b": 9, "test/a": 1}, "class 'b' is not in both train and test"),
        ({"train/a": 9, "train/b": 9, "test/a": 1, "test/b": 0}, "class 'b' in split test"),
        ({"train/a": 9, "train/b": 9, "extra/a": 1}, "'extra' stands beside 'train'"),
        ({"train/a": 9, "training/a": 9}, "the same split"),
    ],
)
def test_unusable_folders_are_refused(counts, message, photo_folder):
    with pytest.raises(UsageError, match=message):
        opened(photo_folder(counts))


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(UsageError, match="a file, where a folder"):
        opened(tmp_path / "photo.jpg")


def test_broken_photographs_are_counted_and_left_out(photo_folder, jpeg):
    top = photo_folder({"a": 20, "b": 20})
    (top / "a" / "000.jpg").write_text("not a photograph")
    (top / "b" / "001.jpg").write_bytes(jpeg(5)[:300])
    dataset = opened(top)
    assert dataset.num_examples == 38
    assert dataset.found == 40
    assert len(dataset.broken) == 2
    assert "a/000.jpg: not an image" in dataset.broken[0]
    assert "b/001.jpg: damaged or truncated" in dataset.broken[1]


def test_too_many_broken_photographs_stop_the_run(photo_folder):
    top = photo_folder({"a": 20, "b": 20})
    for number in range(12):
        (top / "a" / f"{number:03}.jpg").write_text("no")
    with pytest.raises(
        RunError, match=r"12 of 40 .*--max_broken_share=0\.05[^\n]*\n.*000\.jpg"
    ) as e:
        opened(top)
    assert "and 2 more" in str(e.value)
    assert opened(top, max_broken_share=0.3).num_examples == 28


def test_sign_language_digits_are_read_as_their_page_says(shared_dir):
    dataset = opened(shared_dir / "data" / "sign_language_digits")
    assert dataset.labels == tuple("0123456789")
    assert [split.num_examples for split in dataset.splits.values()] == [1480, 164, 418]
    assert dataset.broken == []
