import hashlib

import numpy as np
import pytest

from sqzkit.base.errors import UsageError
from sqzkit.data import splitting
from sqzkit.data.dataset import Example
from sqzkit.data.source import DataSource

LABELS = np.repeat([0, 1, 2], [100, 40, 10])
NAMES = ("many", "some", "few")


def test_parts_are_disjoint_whole_and_stratified():
    parts = splitting.stratified(LABELS, (0.1, 0.2), 7, NAMES)
    assert sorted(np.concatenate(parts)) == list(range(150))
    assert [list(np.bincount(LABELS[part])) for part in parts] == [
        [70, 28, 7],
        [10, 4, 1],
        [20, 8, 2],
    ]
    assert all((np.diff(part) > 0).all() for part in parts)


def test_the_cut_depends_on_the_seed_alone():
    first, again, other = (splitting.stratified(LABELS, (0.2,), seed, NAMES) for seed in (1, 1, 2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[1], other[1])


def test_another_class_leaves_the_cut_of_the_first_alone():
    two = splitting.stratified(LABELS[:140], (0.2,), 1, NAMES[:2])
    three = splitting.stratified(LABELS, (0.2,), 1, NAMES)
    np.testing.assert_array_equal(two[1], three[1][three[1] < 140])


def test_the_cut_is_the_same_in_every_version():
    parts = splitting.stratified(LABELS, (0.1, 0.2), 7, NAMES)
    assert list(parts[1]) == [4, 24, 26, 32, 42, 50, 53, 54, 70, 88, 124, 125, 126, 127, 141]
    digest = hashlib.sha256(b"|".join(part.astype("<i8").tobytes() for part in parts))
    assert digest.hexdigest()[:16] == "43a204c8dc55e960"


def test_each_class_is_shuffled_in_its_own_way():
    labels = np.repeat([0, 1, 2], 40)
    _, part = splitting.stratified(labels, (0.5,), 3, NAMES)
    chosen = [tuple(part[labels[part] == label] - 40 * label) for label in range(3)]
    assert len(set(chosen)) == 3


@pytest.mark.parametrize("shares", [(0.01, 0.01), (0.9, 0.09), (0.5, 0.4)])
def test_every_part_has_every_class_however_odd_the_shares(shares):
    for part in splitting.stratified([0, 0, 0, 1, 1, 1, 1], shares, 0, ("a", "b")):
        assert set(part // 3 > 0) == {False, True}


@pytest.mark.parametrize(("shares", "minimum"), [((), 2), ((0.1,), 2), ((0.1, 0.1), 3)])
def test_a_class_with_too_few_is_named(shares, minimum):
    labels = [0] * 9 + [1] * (minimum - 1)
    with pytest.raises(UsageError, match=f"class 'rare' has {minimum - 1} .* at least {minimum}"):
        splitting.stratified(labels, shares, 0, ("usual", "rare"))
    splitting.stratified([*labels, 1], shares, 0, ("usual", "rare"))


def given(*splits):
    return {name: [Example(name.encode(), i % 2) for i in range(20)] for name in splits}


@pytest.mark.parametrize(
    ("splits", "origin"),
    [
        (("train",), ("train", "train", "train")),
        (("train", "test"), ("train", "train", "test")),
        (("train", "validation"), ("train", "train", "validation")),
        (("train", "validation", "test"), ("train", "validation", "test")),
    ],
)
def test_what_is_missing_is_cut_off_train(splits, origin):
    cut = splitting.three_splits(given(*splits), DataSource(), ("a", "b"))
    assert list(cut) == ["train", "validation", "test"]
    found = tuple({example.image.decode() for example in split.examples} for split in cut.values())
    assert found == tuple({name} for name in origin)
    assert sum(split.num_examples for split in cut.values()) == 20 * len(splits)


def test_no_more_is_cut_off_a_large_split_than_an_accuracy_needs(monkeypatch):
    monkeypatch.setattr(splitting, "MAX_CUT", 6)
    pool = [Example(b"", label) for label in LABELS]
    cut = splitting.three_splits({"train": pool, "test": pool[:5]}, DataSource(), NAMES)
    # 4 %: of 100, 40 and 10, and one of a class at least.
    assert list(np.bincount(cut["validation"].labels)) == [4, 2, 1]
    assert cut["train"].num_examples == 143
