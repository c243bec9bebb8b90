"""A head that stays near an older one."""

import numpy as np
import pytest

from sqzkit.training import sticky_head
from tests.training.test_head import drawn

CHANNELS = 40


def head_of(classes, factor=2.0):
    """Return a head that reads each class's own channel of `drawn`."""
    kernel = np.zeros((CHANNELS, classes), np.float32)
    kernel[np.arange(classes), np.arange(classes)] = factor
    kernel += np.random.default_rng(5).normal(0, 0.02, kernel.shape).astype(np.float32)
    return kernel, np.zeros(classes, np.float32)


@pytest.fixture(scope="module")
def grown():
    """Features of four classes, and a head that knows three of them."""
    labels = np.arange(200) % 4
    kernel, bias = head_of(4)
    kernel[:, 3] = 0
    train, held_out = drawn(labels, 4.0), drawn(labels, 4.0, seed=1, mirrored=False)
    return train, held_out, kernel, bias, np.array([False, False, False, True])


def accuracy(features, kernel, bias):
    return np.mean((features.values @ kernel + bias).argmax(axis=1) == features.labels)


def test_a_new_class_is_learnt_while_most_old_weights_stay_exactly(grown):
    train, held_out, kernel, bias, new = grown
    assert accuracy(held_out, kernel, bias) < 0.8
    found, offset, pull = sticky_head.choose(train, held_out, kernel, bias, new)
    assert accuracy(held_out, found, offset) > 0.95
    assert np.mean(found[:, :3] == kernel[:, :3]) > 0.9
    assert pull in sticky_head.PULLS
    assert found.dtype == offset.dtype == np.float32


def test_a_weaker_pull_moves_more_and_fits_better(grown):
    train, _, kernel, bias, new = grown
    problem = sticky_head._Problem(train, kernel, bias, new)
    moved, losses = [], []
    for pull in (10.0, 1e-2, 1e-4):
        found, offset = problem.solve(pull)
        moved.append(np.count_nonzero(found != kernel))
        losses.append(sticky_head._losses(train.values @ found + offset, train.labels).mean())
    assert moved[0] == 0  # only the bias fits the classes' shares
    assert moved[1] < moved[2]
    assert losses[0] > losses[1] > losses[2]


def test_weights_that_were_pruned_away_stay_zero(grown):
    train, _, kernel, bias, new = grown
    pruned = np.where(np.abs(kernel) > 0.03, kernel, 0)
    found = sticky_head._Problem(train, pruned, bias, new).solve(1e-5)[0]
    assert (found[:, :3][pruned[:, :3] == 0] == 0).all()
    assert np.count_nonzero(found[:, 3]) > 10
