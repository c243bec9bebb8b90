"""How much of a fine-tuning is kept."""

import dataclasses

import numpy as np
import pytest

from sqzkit.data.dataset import Example, Split
from sqzkit.training import fine_tuning, head
from sqzkit.training.config import TrainingConfig
from sqzkit.training.features import compute
from sqzkit.training.fit import StageFit
from sqzkit.training.options import FitOptions
from tests.training.test_head import RECORD


@pytest.fixture
def settled(network, colours, folder):
    """Return what `settle` makes of a start and an end: factors of a good conv10, and noise."""
    stage = StageFit(folder, "train", colours, RECORD, FitOptions(epochs=1))
    layer = network.get_layer("conv10")
    head.fit(compute(network, colours, RECORD, folder, "v1_1"), 4, seed=1).write(network)
    good, bias = layer.get_weights()
    noise = np.random.default_rng(1).normal(scale=good.std(), size=good.shape)

    def call(start, tuned, dataset=colours):
        layer.set_weights([start[0] * good + start[1] * noise, bias])
        before = [variable.numpy() for variable in network.trainable_variables]
        layer.set_weights([tuned[0] * good + tuned[1] * noise, bias])
        judged = dataclasses.replace(stage, dataset=dataset)
        return fine_tuning.settle(network, judged, before), layer.get_weights()[0] - good

    return call


@pytest.mark.parametrize(
    ("start", "tuned", "share"),
    [((0, 0), (1, 0), 1.0), ((1, 20), (1, -20), 0.5), ((1, 15), (1, -5), 0.75)],
)
def test_weights_go_as_far_from_the_start_as_the_validation_split_says(
    settled, start, tuned, share, colours
):
    # What the training split says is the contrary.
    wrong = [Example(e.image, (e.label + 1) % 4) for e in colours.split("train").examples]
    splits = {**colours.splits, "train": Split(tuple(wrong))}
    turned = dataclasses.replace(colours, splits=splits, stores={})
    recorded, rest = settled(start, tuned, turned)
    assert recorded == {"share": share}
    np.testing.assert_allclose(rest, 0, atol=1e-5)


def test_where_training_did_not_help_the_head_is_fitted_to_both_splits(
    settled, network, colours, folder
):
    recorded, rest = settled((1, 0), (-1, 0))
    assert (recorded["best_epoch"], recorded["share"]) == (0, 0.0)
    assert recorded["validation_top1"] > 0.8  # of the start, which has not seen that split
    assert np.abs(rest).max() > 1e-3
    both = [example for name in ("train", "validation") for example in colours.split(name).examples]
    data = dataclasses.replace(colours, splits={"train": Split(tuple(both))}, stores={})
    wanted = head.fit(compute(network, data, RECORD, folder, "v1_1"), 4, seed=1)
    kernel = network.get_layer("conv10").get_weights()[0][0, 0]
    np.testing.assert_allclose(kernel, wanted.kernel, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "folds", "validation", "train", "none"),
    [
        ({}, 0, 9, 96, True),
        ({}, 0, 10, 96, False),
        ({}, 3, 9, 30, True),
        ({}, 3, 9, 31, False),
        ({"min_train_steps": 0}, 0, 9, 96, False),  # as where --train_epochs is given
        ({"weights": None}, 0, 9, 96, False),
    ],
)
def test_a_fine_tuning_needs_images_that_judge_it(
    colours, capsys, changes, folds, validation, train, none
):
    (example,) = colours.split("train").examples[:1]
    splits = {"train": Split((example,) * train), "validation": Split((example,) * validation)}
    dataset = dataclasses.replace(colours, splits=splits)
    config = TrainingConfig("run", **{"weights": "v1_1", "min_train_steps": 90, **changes})
    assert fine_tuning.cannot_be_judged(config, dataset, folds) is none
    assert ("fine-tuning: none" in capsys.readouterr().out) == none


@pytest.mark.parametrize(
    ("steps", "counted"), [(1, 1), (3, 1), (120, 40), (300, 100), (10**6, 100)]
)
def test_the_average_is_of_a_third_of_the_steps_and_of_a_hundred_at_most(steps, counted):
    assert fine_tuning.average_decay(steps) == pytest.approx(1 - 1 / counted)
