"""Data that teach little or nothing, through whole runs of transfer learning."""

import numpy as np
import pytest
from PIL import Image

from sqzkit.base.errors import UsageError
from sqzkit.data.source import DataSource
from sqzkit.training import loop
from tests.training.test_loop import published_tiny, transferring

__all__ = ["published_tiny"]


def write(folder, count, brightness=0, identical=False):
    """Write noisy photographs of 16x16 pixels, or the same one `count` times."""
    draw = np.random.default_rng([brightness, count])
    folder.mkdir(parents=True)
    for index in range(count):
        if not (identical and index):
            pixels = (draw.integers(0, 128, (16, 16, 3)) + brightness).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")


def test_two_photographs_a_class_give_a_head(published_tiny, tmp_path, capsys):
    for split, count in (("train", 2), ("test", 20)):
        write(tmp_path / "data" / split / "dark", count)
        write(tmp_path / "data" / split / "bright", count, brightness=127)
    run = loop.train(transferring(tmp_path / "run", tmp_path / "data", min_train_steps=8))
    metrics = run.folder.finished_stage("train")["metrics"]
    assert (metrics["epochs"], metrics["top1"]) == (0, 1.0)
    assert loop.NOT_SHOWN not in capsys.readouterr().out


@pytest.mark.parametrize("many", [40, pytest.param(3_000, marks=pytest.mark.slow)])
def test_one_test_photograph_of_a_class_of_three_shows_nothing(
    many, published_tiny, tmp_path, capsys
):
    write(tmp_path / "data" / "dark", many)
    write(tmp_path / "data" / "bright", 3, brightness=127)
    changes = {"train_epochs": 1, "train_batch_size": 64, "class_weights": "balanced"}
    run = loop.train(transferring(tmp_path / "run", tmp_path / "data", **changes))
    metrics = run.folder.finished_stage("train")["metrics"]
    assert metrics["balanced_accuracy"] == 1.0
    assert loop.NOT_SHOWN in capsys.readouterr().out


def test_a_class_of_one_photograph_many_times_is_said_to_have_copies(tmp_path):
    write(tmp_path / "data" / "dark", 20)
    write(tmp_path / "data" / "bright", 20, brightness=127, identical=True)
    source = DataSource(data_dir=str(tmp_path / "data"))
    with pytest.raises(UsageError, match=r"'bright' has 1 image.*left out 19 of 40 files: 19 copy"):
        loop.open_dataset(source)
