"""The image size and resize rule are those at which a head answers held-out images best."""

import dataclasses
import types

import numpy as np
import pytest

from sqzkit.data.dataset import Example
from sqzkit.preprocessing import caffe
from sqzkit.runs.folder import RunFolder
from sqzkit.training import choice
from sqzkit.training.config import TrainingConfig
from tests.training import test_head


def losses_of(means, noise, gain=-0.01, gain_noise=0.0, side=100.0):
    """Return a stand-in for a trial with these mean losses by size, and noise of its own each.

    The losses are lower by `gain`, with a noise of its own, if the image is squashed.
    """
    spread = noise * np.random.default_rng(1).normal(size=(4, 50))
    spread -= spread.mean(axis=1, keepdims=True)

    class Trial:
        def shorter_side(self):
            return side

        def losses(self, record):
            own = spread[choice.SIZES.index(record.image_size)]
            if record.resize == "shorter_side":
                return means[record.image_size] + own
            return (
                means[record.image_size] + own - gain - gain_noise * np.cos(np.pi * np.arange(50))
            )

    return Trial()


@pytest.mark.parametrize(
    ("means", "noise", "size"),
    [
        ({160: 0.5, 227: 0.52, 288: 0.54}, 1.0, 288),  # which the images do not tell from 0.5
        ({160: 0.5, 227: 0.52, 288: 0.54}, 0.01, 160),
        ({160: 0.5, 227: 0.4, 288: 0.45}, 0.01, 227),
        ({160: 0.5, 227: 1.5, 288: 0.4}, 1.0, 288),  # compared with the best so far
    ],
)
def test_a_larger_size_is_taken_unless_it_is_shown_to_be_worse(means, noise, size):
    chosen = choice.choose_preprocessing(losses_of(means, noise), caffe, 100)
    assert chosen == dataclasses.replace(caffe(size), resize="shorter_side")


@pytest.mark.parametrize(("side", "size"), [(324.0, 160), (325.0, 288)])
def test_a_size_that_photographs_have_has_to_be_worse_by_two_errors(side, size):
    """288 px are cut from 325, and these losses are higher by 1.5 standard errors."""
    noise = np.random.default_rng(1).normal(size=(4, 50))
    own = noise[choice.SIZES.index(288)] - noise[choice.SIZES.index(160)]
    higher = 1.5 * 0.1 * own.std(ddof=1) / np.sqrt(50)
    means = {160: 0.5, 227: 9.0, 288: 0.5 + higher}
    chosen = choice.choose_preprocessing(losses_of(means, 0.1, side=side), caffe, 100)
    assert chosen.image_size == size


def test_the_own_size_of_photographs_is_the_median_of_those_that_can_be_read(tmp_path):
    images = [np.zeros((side, 400, 3), np.uint8) for side in range(101, 221)]
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photograph")
    examples = tuple(Example(image, 0) for image in [*images, broken])

    def trial(split):
        dataset = types.SimpleNamespace(split=lambda name: types.SimpleNamespace(examples=split))
        return choice.Trial(print, dataset, RunFolder(tmp_path), "v1_1", seed=1)

    assert trial(examples).shorter_side() == 159.5  # every third: 101, 104, ... 218
    assert trial(examples[-1:]).shorter_side() == 0


@pytest.mark.parametrize(
    ("gain", "noise", "rule"),
    [
        (0.2, 1.0, "squash"),
        (0.1, 1.0, "shorter_side"),
        (-0.2, 0.0, "shorter_side"),
        (0.0, 0.0, "shorter_side"),
    ],
)
def test_photographs_are_squashed_only_if_that_is_shown_to_be_better(gain, noise, rule):
    """The standard error of 50 differences of 1 or -1 is 0.14."""
    trial = losses_of({160: 0.5, 227: 0.4, 288: 0.3}, 0.01, gain, noise)
    chosen = choice.choose_preprocessing(trial, caffe, 100)
    assert chosen == dataclasses.replace(caffe(288), resize=rule)


def test_one_image_of_each_class_tells_nothing_of_sizes():
    class Trial:
        def shorter_side(self):
            return 100.0

        def losses(self, record):
            return np.zeros(0)

    wanted = dataclasses.replace(caffe(288), resize="shorter_side")
    assert choice.choose_preprocessing(Trial(), caffe, 100) == wanted


@pytest.mark.parametrize(
    ("images", "tried"),
    [
        (62_125, [160, 227, 288, 227]),  # times (288 / 227) ** 2 are just 100,000
        (62_126, [96, 160, 227, 227]),
        (300_000, [96, 96]),
    ],
)
def test_the_record_under_which_the_head_is_best_is_chosen(
    images, tried, colours, tmp_path, monkeypatch, capsys
):
    informative = {96: 0.5, 160: 1.0, 227: 3.0, 288: 2.0}
    labels = np.arange(40) % 4

    def compute(model, dataset, record, folder, weights, limit):
        assert model == record.image_size
        return test_head.drawn(labels, informative[model] * (1 + (record.resize == "squash")))

    monkeypatch.setattr(choice, "compute", compute)
    trial = choice.Trial(lambda size: size, colours, RunFolder(tmp_path), "v1_1", seed=1)
    chosen = choice.choose_preprocessing(trial, caffe, images)
    assert chosen == caffe(tried[-1])
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
