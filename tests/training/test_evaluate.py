import math

import numpy as np
import pytest
from PIL import Image

from sqzkit.base.errors import RunError, UsageError
from sqzkit.data.dataset import ImageDataset, Split
from sqzkit.models import spec, squeezenet
from sqzkit.runs.folder import RunFolder
from sqzkit.training import evaluate
from sqzkit.training.evaluate import (
    Evaluator,
    better_than_chance,
    difference,
    in_words,
    record_evaluation,
    score,
    standard_error,
)


def test_score_of_answers_worked_out_by_hand():
    logits = np.log(np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.6, 0.3, 0.1]]))
    metrics = score(logits, np.array([0, 2, 0]))
    assert metrics.top1 == pytest.approx(2 / 3)
    assert metrics.top5 == 1.0
    assert metrics.loss == pytest.approx(-np.log([0.7, 0.3, 0.6]).mean())
    assert metrics.confusion.tolist() == [[2, 0, 0], [0, 0, 0], [0, 1, 0]]
    np.testing.assert_allclose(metrics.probabilities, np.exp(logits), rtol=1e-6)


def test_a_difference_of_losses_worked_out_by_hand():
    mean, error = difference(np.array([1.0, 2.0, 6.0]), np.array([1.0, 1.0, 1.0]))
    assert mean == pytest.approx(2)
    assert error == pytest.approx(math.sqrt(7 / 3))  # of 0, 1 and 5


def test_unequal_classes_have_a_balanced_accuracy_too():
    always_first = np.eye(4)[np.zeros(10, int)]
    unequal = score(always_first, np.array([0] * 8 + [1, 2]))
    assert unequal.balanced_accuracy == pytest.approx(1 / 3)  # class 3 has no examples
    assert unequal.to_json()["balanced_accuracy"] == unequal.balanced_accuracy
    assert in_words(unequal.to_json()) == "top-1 80.00% (mean over the classes 33.33%)"
    accuracy, loss, examples = unequal.judged("balanced")
    assert accuracy == unequal.balanced_accuracy
    each = -np.log(np.exp([1, 0, 0]) / (np.e + 3))
    assert loss == pytest.approx(each.mean())
    assert examples == pytest.approx(9 / (1 / 8 + 1 + 1))
    np.testing.assert_allclose(unequal.losses("balanced")[[0, 9]], each[:2] * [10 / 24, 10 / 3])
    assert unequal.judged(None) == (0.8, unequal.loss, 10)
    np.testing.assert_allclose(unequal.losses(None)[[0, 9]], each[:2])
    equal = score(always_first, np.array([0, 0, 0, 1, 1, 2, 2, 3, 3, 3]))
    assert "balanced_accuracy" not in equal.to_json()
    assert in_words(equal.to_json()) == "top-1 30.00%"


def test_top5_looks_at_five_answers():
    logits = -np.arange(10.0)[None].repeat(10, axis=0)
    metrics = score(logits, np.arange(10))
    assert (metrics.top1, metrics.top5) == (0.1, 0.5)


def test_huge_logits_do_not_overflow():
    metrics = score(np.array([[1e6, 0.0], [0.0, -1e6]]), np.array([0, 0]))
    assert metrics.loss == 0.0


def test_evaluation_does_not_depend_on_the_batch_size(colours, record):
    model = squeezenet.build(spec.tiny(4), 32)
    results = [Evaluator(model)(colours, "test", record, size) for size in (1, 7, 64)]
    assert results[0].examples == 18
    for other in results[1:]:
        np.testing.assert_allclose(other.probabilities, results[0].probabilities, atol=1e-5)
        assert other.labels.tolist() == results[0].labels.tolist()


def test_another_number_of_classes_is_refused(colours, record):
    model = squeezenet.build(spec.tiny(3), 32)
    with pytest.raises(UsageError, match="answers 3 classes, colours has 4"):
        Evaluator(model)(colours, "test", record, 8)


@pytest.fixture
def guesses(colours):
    """Return what a network gives that is wrong on examples 2, 5, 7, 11: the surest on 7."""
    truth = colours.split("test").labels
    logits = np.full((len(truth), 4), 0.0)
    logits[np.arange(len(truth)), truth] = 4.0
    for index, surety in {2: 5.0, 5: 6.5, 7: 8.0, 11: 4.5}.items():
        logits[index, (truth[index] + 1) % 4] = surety
    return score(logits, truth)


@pytest.fixture
def folder(tmp_path, record):
    folder = RunFolder(tmp_path / "run")
    folder.write_preprocessing(record)
    return folder


def test_the_most_confident_mistakes_come_first(colours, record, folder, guesses):
    record_evaluation(folder, colours, "test", guesses)
    stored = folder.read_record("evaluation")
    assert (stored["split"], stored["examples"]) == ("test", 18)
    assert stored["top1"] == pytest.approx(14 / 18)
    assert stored["confusion"] == guesses.confusion.tolist()
    mistakes = stored["mistakes"]
    places = [7, 5, 2, 11]
    assert [m["picture"] for m in mistakes] == [f"mistakes/test_{n:06d}.png" for n in places]
    labels = colours.split("test").labels
    assert [m["label"] for m in mistakes] == [labels[n] for n in places]
    assert [m["predicted"] for m in mistakes] == [(labels[n] + 1) % 4 for n in places]
    surest = np.exp(8.0) / (np.exp(8.0) + np.exp(4.0) + 2)
    assert mistakes[0]["probability"] == pytest.approx(surest)
    for place, mistake in zip(places, mistakes, strict=True):
        with Image.open(folder.path / mistake["picture"]) as picture:
            shown = np.asarray(picture)
        np.testing.assert_array_equal(shown, colours.split("test").examples[place].load(record))


def test_of_many_mistakes_the_most_confident_are_kept(colours, folder, monkeypatch, guesses):
    monkeypatch.setattr(evaluate, "MAX_MISTAKES", 2)
    record_evaluation(folder, colours, "test", guesses)
    pictures = [m["picture"] for m in folder.read_record("evaluation")["mistakes"]]
    assert pictures == ["mistakes/test_000007.png", "mistakes/test_000005.png"]


def test_another_evaluation_replaces_the_pictures(colours, folder, guesses):
    record_evaluation(folder, colours, "test", guesses)
    truth = colours.split("validation").labels
    logits = np.eye(4)[truth]
    logits[3] = np.roll(logits[3], 1)
    record_evaluation(folder, colours, "validation", score(logits, truth))
    assert [path.name for path in (folder.path / "mistakes").iterdir()] == ["validation_000003.png"]
    (mistake,) = folder.read_record("evaluation")["mistakes"]
    assert mistake["picture"] == "mistakes/validation_000003.png"


def test_a_split_without_images_is_named(record):
    empty = ImageDataset("nothing", ("a", "b"), {"test": Split(())})
    with pytest.raises(RunError, match="nothing: split test has no images"):
        Evaluator(squeezenet.build(spec.tiny(2), 32))(empty, "test", record, 8)


def test_no_dropout_at_work_in_an_evaluation(colours, record):
    model = squeezenet.build(spec.tiny(4, dropout=0.9), 32)
    once, again = (Evaluator(model)(colours, "test", record, 18) for _ in range(2))
    np.testing.assert_array_equal(once.probabilities, again.probabilities)


@pytest.mark.parametrize(
    ("accuracy", "counts", "better"),
    [
        (0.75, (20, 20), True),
        (0.60, (20, 20), False),  # 24 of 40: one coin in eight does as well
        (0.655, (20, 20), False),  # two standard errors of a coin's share, 0.158, are not reached
        (0.660, (20, 20), True),
        (0.91, (90, 10), False),
        (0.99, (90, 10), True),
        (0.60, (2000, 2000), True),
    ],
)
def test_chance_is_the_most_frequent_class_and_needs_more_examples_to_exceed(
    accuracy, counts, better
):
    assert better_than_chance(accuracy, np.repeat([0, 1], counts)) is better


@pytest.mark.parametrize(
    ("balanced_accuracy", "counts", "better"),
    [
        (0.95, (600, 20), True),  # right on 95 % of both, where the accuracy of one answer is 97 %
        (1.0, (600, 1), False),
        (0.55, (600, 20), False),
        (0.60, (600, 600), True),
        (0.35, (600, 600, 600), False),
        (0.40, (600, 600, 600), True),
    ],
)
def test_a_balanced_accuracy_shows_learning_where_the_accuracy_cannot(
    balanced_accuracy, counts, better
):
    labels = np.repeat(np.arange(len(counts)), counts)
    assert better_than_chance(0.0, labels, balanced_accuracy) is better


def test_no_accuracy_of_a_finite_sample_is_certain():
    assert standard_error(0.5, 100) == pytest.approx(0.05, rel=1e-3)
    assert standard_error(1.0, 10) > standard_error(1.0, 1000) > 0
