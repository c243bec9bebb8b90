import hashlib
import itertools
import tracemalloc

import numpy as np
import pytest

from sqzkit.base.errors import FormatError, UsageError
from sqzkit.teaching import head as head_module
from sqzkit.teaching import head_file
from sqzkit.teaching.head import Head
from tests.teaching.golden import DIGEST, head_of, photographs

COUNTS = {"ant": 5, "bee": 7, "cat": 3}


@pytest.fixture
def by_class():
    return photographs(10, COUNTS, 1)


@pytest.fixture
def head(by_class):
    return head_of(by_class)


def same(first, second):
    return head_file.to_bytes(first) == head_file.to_bytes(second)


def coefficients(head):
    return head.teach().discriminant.coefficients


def test_order_does_not_matter(by_class, head):
    pairs = [(name, row) for name, rows in by_class.items() for row in rows]
    other = Head(DIGEST, 10)
    for name, row in pairs[::-1]:
        other.add(name, row)
    assert np.array_equal(coefficients(head), coefficients(other))
    assert same(head, other)


def test_removed_photograph_leaves_no_trace(head, by_class):
    before = coefficients(head)
    extra = by_class["ant"][0] + np.int16(5)
    assert head.add("bee", extra)
    assert not np.array_equal(coefficients(head), before)
    head.remove("bee", extra)
    assert np.array_equal(coefficients(head), before)
    with pytest.raises(UsageError, match="'bee' does not hold"):
        head.remove("bee", extra)
    with pytest.raises(UsageError, match="'new' does not hold"):
        head.remove("new", extra)


def test_class_goes_with_its_last_photograph(head, by_class):
    for row in by_class["cat"]:
        head.remove("cat", row)
    assert head.labels == ("ant", "bee")


def test_same_photograph_a_hundred_times_counts_once(by_class):
    head = Head(DIGEST, 10)
    assert [head.add("ant", by_class["ant"][0]) for _ in range(100)] == [True] + 99 * [False]
    assert head.counts == (1,)


def test_one_photograph_in_all_answers_and_never_says_none(by_class):
    head = Head(DIGEST, 10)
    head.add("ant", by_class["ant"][0])
    taught = head.teach()
    assert taught.probabilities(by_class["bee"]).tolist() == [[1.0]] * 7
    assert not taught.is_none(by_class["bee"]).any()


def test_two_classes_with_the_same_photographs_are_a_toss_up(by_class):
    head = head_of({"one": by_class["ant"], "two": by_class["ant"]})
    found = head.teach().probabilities(by_class["ant"])
    np.testing.assert_allclose(found, 0.5, atol=1e-6)


def test_rename_and_merge_of_classes(head, by_class):
    head.rename("ant", "zebra")
    assert head.labels == ("bee", "cat", "zebra")
    assert head.counts == (7, 3, 5)
    head.rename("zebra", "bee")
    joined = head_of({"bee": np.concatenate([by_class["bee"], by_class["ant"]]),
                      "cat": by_class["cat"]})  # fmt: skip
    assert same(head, joined)
    head.rename("bee", "bee")
    assert same(head, joined)
    with pytest.raises(UsageError, match="no class 'ant': there are bee, cat"):
        head.rename("ant", "x")


def test_an_empty_head_is_refused():
    empty = Head(DIGEST, 10)
    for use in (empty.teach, empty.without_photographs):
        with pytest.raises(UsageError, match="nothing was taught"):
            use()
    with pytest.raises(UsageError, match="a head of 11 features and one of 10: not merged"):
        empty.merge(Head(DIGEST, 11))


@pytest.mark.parametrize("change", [
    lambda head, row: head.add("ant", row + np.int16(1)),
    lambda head, row: head.remove("ant", row),
    lambda head, row: head.rename("ant", "x"),
])  # fmt: skip
def test_a_change_voids_the_choice(head, by_class, change):
    head.teach()
    assert head.choice is not None
    change(head, by_class["ant"][0])
    assert head.choice is None


def parts_of(by_class):
    first = {name: rows[::2] for name, rows in by_class.items()}
    second = {name: rows[1::2] for name, rows in by_class.items()}
    return head_of(first), head_of(second)


def test_merged_head_is_the_pooled_one(head, by_class):
    first, second = parts_of(by_class)
    first.teach()
    second.teach()
    assert same(first.merge(second), head)
    assert same(second.merge(first), head)
    assert same(head.merge(first), head)  # what both hold counts once


def test_sums_alone_merge_to_the_pooled_head(head, by_class):
    first, second = parts_of(by_class)
    taught = head.teach()
    for one, two in itertools.product(
        (first, first.without_photographs()), (second, second.without_photographs())
    ):
        both = one.merge(two)
        assert both.counts == head.counts
        both.choice = taught.choice
        assert np.array_equal(coefficients(both), taught.discriminant.coefficients)


def test_sums_alone_keep_the_choice_and_the_more_cautious_one(by_class):
    first, second = parts_of(by_class)
    sums = first.without_photographs()
    assert sums.choice == first.teach().choice
    other = second.without_photographs()
    both = sums.merge(other).choice
    assert both.threshold == max(sums.choice.threshold, other.choice.threshold)
    assert both.strength == max(sums.choice.strength, other.choice.strength)
    other.choice = None
    assert sums.merge(other).choice is None


def test_photographs_beside_sums_choose(by_class):
    first, second = parts_of(by_class)
    both = first.merge(second.without_photographs())
    assert both.choice is None
    assert both.teach().choice.threshold < np.inf


def test_absent_photographs_can_be_renamed(head):
    sums = head.without_photographs()
    sums.rename("ant", "bee")
    assert sums.labels == ("bee", "cat")
    assert sums.counts == (12, 3)
    head.rename("ant", "bee")
    assert np.array_equal(sums.sums().sums, head.sums().sums)


def test_head_of_another_model_is_refused(head):
    with pytest.raises(UsageError, match="use the model it was taught on"):
        head.merge(Head(b"\1" * 32, 10))


def test_limits(head, by_class, monkeypatch):
    row = by_class["ant"][0] + np.int16(9)
    monkeypatch.setattr(head_module, "MAX_CLASSES", 3)
    with pytest.raises(UsageError, match="at most 3 classes"):
        head.add("dog", row)
    assert head.add("ant", row)
    monkeypatch.setattr(head_module, "MAX_PHOTOGRAPHS", 16)
    with pytest.raises(UsageError, match="at most 16 photographs"):
        head.add("ant", row + np.int16(1))
    with pytest.raises(UsageError, match="4 classes and 17 photographs together"):
        head.merge(head_of({"dog": by_class["cat"][:1]}))


def test_a_thousand_classes():
    rows = np.random.default_rng(0).integers(0, 9999, (1000, 6)).astype(np.int16)
    head = head_of({f"class {i}": rows[i : i + 1] for i in range(1000)})
    answers = head.teach().probabilities(rows).argmax(1)
    assert [head.labels[i] for i in answers] == [f"class {i}" for i in range(1000)]
    with pytest.raises(UsageError, match="at most 1000 classes"):
        head.add("one more", rows[0])


@pytest.mark.parametrize("name", ["", " ", " ant", "ant ", "a\nb", "a\tb", "a\u2028b", "\ud800"])
def test_names_that_cannot_be_stored(head, by_class, name):
    with pytest.raises(UsageError, match="class name"):
        head.add(name, by_class["ant"][0])
    with pytest.raises(UsageError, match="class name"):
        head.rename("ant", name)


def test_long_names(head, by_class):
    head.rename("ant", "ö" * 127)
    with pytest.raises(UsageError, match="at most 255 bytes"):
        head.rename("bee", "ö" * 128)


@pytest.mark.parametrize(
    "features",
    [
        *(np.zeros(9, np.int16), np.zeros(11, np.int16), np.zeros((2, 10), np.int16)),
        *(np.zeros(10, np.int32), np.full(10, -32768, np.int16)),
    ],
)
def test_other_features_are_refused(head, features):
    with pytest.raises(UsageError, match="must be int16"):
        head.add("ant", features)


def test_a_short_file_that_states_many_features_takes_no_room():
    stated = head_file._START.pack(head_file.MAGIC, bytes(32), 2160, 0, 0, 1, 0, 1.0, 0.5)
    tracemalloc.start()
    with pytest.raises(FormatError, match="it ends 18671040 bytes too early"):
        head_file.from_bytes(stated + hashlib.sha256(stated).digest())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
