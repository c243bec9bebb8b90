"""What the comparison of regularizers changes about batches, and what it makes of its results."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import regularizers
from sqzkit.data.dataset import Example, ImageDataset, Split

SIDE = 16


@pytest.fixture
def generator():
    return np.random.Generator(np.random.PCG64(1))


def test_a_tenth_of_each_class_validates_and_the_test_split_stays():
    examples = tuple(Example(bytes([number]), number % 2) for number in range(60))
    test = Split((Example(b"test", 0),))
    splits = {"train": Split(examples[:50]), "validation": Split(examples[50:]), "test": test}
    drawn = regularizers.part(ImageDataset("pets", ("ant", "bee"), splits), 20, 0)
    assert np.bincount(drawn.split("train").labels).tolist() == [18, 18]
    assert np.bincount(drawn.split("validation").labels).tolist() == [2, 2]
    assert drawn.split("test") is test
    train, validation = (set(drawn.split(s).examples) for s in ("train", "validation"))
    assert not train & validation


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_a_batch_is_mixed_as_its_shares_say(kind, generator):
    """Of images that are all 0 or 1, the mean is the share of the ones."""
    labels = tf.constant([0, 1, 0, 1])
    images = tf.ones((4, SIDE, SIDE, 3)) * tf.cast(labels, tf.float32)[:, None, None, None]
    shares = []
    for _ in range(20):
        result, (own, others, share) = regularizers.mixed(images, labels, kind, generator)
        wanted = share * tf.cast(own, tf.float32) + (1 - share) * tf.cast(others, tf.float32)
        np.testing.assert_allclose(tf.reduce_mean(result, [1, 2, 3]), wanted, atol=1e-5)
        np.testing.assert_array_equal(own, labels)
        np.testing.assert_array_equal(others, [1, 0, 1, 0])
        shares.append(float(share[0]))
    assert 5 <= shares.count(1.0) < 20 and min(shares) < 0.9


def test_half_of_the_images_lose_a_rectangle(generator):
    gone = np.concatenate(
        [
            tf.reduce_mean(
                1 - regularizers.erased(tf.ones((8, SIDE, SIDE, 3)), generator), [1, 2, 3]
            )
            for _ in range(20)
        ]
    )
    assert 0.3 < np.mean(gone > 0) < 0.7
    assert 0.01 < gone[gone > 0].min() and gone.max() < 0.25


def shares(*rows):
    return [
        {"share": number, "validation": list(validation), "test": list(test)}
        for number, (validation, test) in enumerate(rows)
    ]


def test_the_table_compares_with_the_default_of_the_same_draw():
    better, worse = ((0.9, 0.3), (0.80, 0.5)), ((0.9, 0.4), (0.60, 0.9))
    results = [
        {"recipe": "default", "draw": 0, "shares": shares(better, worse)},
        {"recipe": "default", "draw": 1, "shares": shares(worse, ((1.0, 2.0), (0.90, 0.2)))},
        {"recipe": "erasing", "draw": 0, "shares": shares(worse, better)},
        {"recipe": "mixup", "draw": 7, "shares": shares(worse, better)},
    ]
    lines = regularizers.summary(results).splitlines()
    assert lines[2] == "| default | 2 | 85.00% | +0.00 ± 0.00 | 0.350 | 75.00% | 0.550 |"
    assert lines[3] == "| erasing | 1 | 80.00% | +0.00 ± 0.00 | 0.500 | 80.00% | 0.500 |"
    assert lines[4].startswith("| mixup | 0 |")  # its draw has no default to compare with
