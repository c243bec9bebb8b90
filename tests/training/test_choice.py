"""The image size and resize rule are those at which a head answers held-out images best."""

import dataclasses
import types

import numpy as np
import pytest

from sqzkit.preprocessing import caffe
from sqzkit.runs.folder import RunFolder
from sqzkit.training import choice
from sqzkit.training.config import TrainingConfig
from tests.training import test_head


@pytest.mark.parametrize(("images", "tried"), [(100, [160, 227, 288, 227]), (300_000, [96, 96])])
def test_the_record_under_which_the_head_is_best_is_chosen(
    images, tried, colours, tmp_path, monkeypatch, capsys
):
    informative = {96: 0.5, 160: 1.0, 227: 3.0, 288: 2.0}
    labels = np.arange(40) % 4

    def compute(model, dataset, record, folder, weights, limit):
        assert model == record.image_size
        return test_head.drawn(labels, informative[model] * (1 + (record.resize == "shorter_side")))

    monkeypatch.setattr(choice, "compute", compute)
    trial = choice.Trial(lambda size: size, colours, RunFolder(tmp_path), "v1_1", seed=1)
    chosen = choice.choose_preprocessing(trial, caffe, images)
    assert chosen == dataclasses.replace(caffe(tried[-1]), resize="shorter_side")
    lines = capsys.readouterr().out.splitlines()
    assert [int(line.split(" px")[0].split()[-1]) for line in lines] == tried
    assert "of 40 images held out in 5 folds" in lines[0]


def test_sizes_are_chosen_for_the_whole_training(colours, tmp_path, monkeypatch):
    """A given size, a begun run and weights whose classes are ours leave nothing to choose."""
    weights = types.SimpleNamespace(
        assumed="", identity="x", image_size=227, preprocessing_at=lambda size: f"at {size}"
    )
    monkeypatch.setattr(choice, "choose_preprocessing", lambda trial, at, images: images)
    folder = RunFolder(tmp_path / "run")

    def chosen(keeps_head=False, **changes):
        monkeypatch.setattr(choice.transfer, "keeps_head", lambda *_: keeps_head)
        config = TrainingConfig("run", weights="v1_1", **changes)
        return choice.transfer_preprocessing(folder, colours, None, config, weights, 7)

    assert chosen() == 7 * colours.split("train").num_examples
    assert chosen(image_size=96) == "at 96"
    assert chosen(keeps_head=True) == "at 227"
    folder.write_preprocessing(caffe(64))
    folder.write_spec({})
    assert chosen() == caffe(64)
