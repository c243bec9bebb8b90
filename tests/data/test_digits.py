import hashlib

import numpy as np

from sqzkit.data.open import open_dataset
from sqzkit.data.source import DataSource


def test_the_digits_are_whole_grey_and_split_for_good():
    dataset = open_dataset(DataSource())
    assert (dataset.name, dataset.labels) == ("digits", tuple("0123456789"))
    assert {n: s.num_examples for n, s in dataset.splits.items()} == {
        "train": 1259,
        "validation": 179,
        "test": 359,
    }
    images = np.stack([e.image for s in dataset.splits.values() for e in s.examples])
    assert images.shape == (1797, 8, 8, 3)
    assert images.dtype == np.uint8
    assert (images.min(), images.max()) == (0, 255)
    assert (images[..., 0] == images[..., 2]).all()
    assert not dataset.flip
    assert all((np.bincount(s.labels) > 10).all() for s in dataset.splits.values())


def test_the_cut_and_the_pixels_are_the_same_in_every_version():
    dataset = open_dataset(DataSource())
    digests = {}
    for name, split in dataset.splits.items():
        pixels = np.stack([example.image for example in split.examples])
        digests[name] = hashlib.sha256(pixels.tobytes() + split.labels.tobytes()).hexdigest()[:16]
    assert digests == {
        "train": "c1fe8552151b0919",
        "validation": "0e8624578a8949c2",
        "test": "81c36e64f33bbeda",
    }


def test_the_seed_of_a_run_does_not_move_the_split():
    one, other = (open_dataset(DataSource(seed=seed)) for seed in (0, 5))
    for split in one.splits:
        for a, b in zip(one.split(split).examples, other.split(split).examples, strict=True):
            assert a.label == b.label
            assert (a.image == b.image).all()


def test_the_user_may_ask_for_flips():
    assert open_dataset(DataSource(flip="on")).flip
