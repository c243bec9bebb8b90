"""What the comparison with frozen heads draws, writes, and makes of its results."""

import types

import numpy as np
import pytest

from benchmarks import few_photographs, small_sets
from sqzkit.base.errors import UsageError
from sqzkit.data.dataset import Example, FileSlice, ImageDataset, Split
from tests.teaching.folders import save_photographs

LABELS = ("ant", "bee")


@pytest.fixture
def photographs(tmp_path):
    """Twelve files of two classes, nine to train and three to validate."""
    examples = []
    for index in range(12):
        path = tmp_path / f"{index}.png"
        path.write_bytes(b"photograph %d" % index)
        examples.append(Example(path, index % 2))
    splits = {"train": Split(tuple(examples[:9])), "validation": Split(tuple(examples[9:]))}
    return ImageDataset("pets", LABELS, splits)


def test_a_draw_is_of_all_photographs_and_depends_on_its_number(photographs):
    first = few_photographs.draw(photographs, 3, 0)
    assert np.bincount([example.label for example in first]).tolist() == [3, 3]
    assert len({example.image for example in first}) == 6
    assert few_photographs.draw(photographs, 3, 0) == first
    assert few_photographs.draw(photographs, 3, 1) != first
    everything = few_photographs.draw(photographs, 6, 0)
    assert len({example.image for example in everything}) == 12
    with pytest.raises(UsageError, match="--per_class 7: class 'ant' has only 6"):
        few_photographs.draw(photographs, 7, 0)


@pytest.mark.parametrize(("asked", "found"), [(6, [2, 4]), (100, [4, 8])])
def test_some_of_the_test_images_are_of_all_classes(tmp_path, asked, found):
    for seed, part in enumerate(("train", "test")):
        save_photographs(tmp_path / part, {"ant": 4, "bee": 8}, seed)
    options = types.SimpleNamespace(
        data_dir=str(tmp_path), tfds_name=None, tfds_data_dir=None, test_images=asked
    )
    examples = small_sets.open_data(options).split("test").examples
    assert np.bincount([example.label for example in examples]).tolist() == found


def test_photographs_are_written_with_the_bytes_they_had(photographs, tmp_path):
    archive = tmp_path / "archive"
    archive.write_bytes(b"..slice..")
    examples = [
        photographs.split("train").examples[1],
        Example(FileSlice(archive, 2, 5), 0),
        Example(b"jpeg", 1),
    ]
    few_photographs.write(examples, LABELS, tmp_path / "out")
    written = {
        path.relative_to(tmp_path / "out").as_posix(): path.read_bytes()
        for path in (tmp_path / "out").rglob("*.*")
    }
    assert written == {
        "bee/000000.png": b"photograph 1",
        "ant/000001.jpg": b"slice",
        "bee/000002.jpg": b"jpeg",
    }


def test_the_best_frozen_size_is_that_of_the_best_mean_over_draws():
    results = [
        {"per_class": 5, "draw": 0, "trained": 0.9, "frozen": {"96": 0.9, "160": 0.8}},
        {"per_class": 5, "draw": 1, "trained": 0.9, "frozen": {"96": 0.6, "160": 0.8}},
        {"per_class": 50, "draw": 0, "trained": 0.95, "frozen": {"96": 0.9, "160": 0.97}},
    ]
    lines = few_photographs.summary(results).splitlines()
    assert lines[2] == "| 5 | 2 | 80.00 \u00b1 0.00 (160) | 90.00 \u00b1 0.00 | 10.00 \u00b1 0.00 |"
    assert lines[3].startswith("| 50 | 1 | 97.00") and "| -2.00" in lines[3]
