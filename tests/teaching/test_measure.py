import base64
import io

import numpy as np
import pytest
from PIL import Image

from sqzkit.data.dataset import Example
from sqzkit.teaching import measure, page
from sqzkit.teaching.features import FeatureReader
from sqzkit.teaching.fitting import Answers
from sqzkit.teaching.head import Head
from tests.reporting import pages
from tests.teaching.golden import photographs


def made(count=12, classes=4, seed=0):
    by_class = photographs(16, {f"c{i}": count for i in range(classes)}, seed)
    return np.concatenate([*by_class.values()]), np.repeat(np.arange(classes), count)


def halves(count):
    """Return photographs to teach, `count` of each class, and others of the same classes."""
    features, labels = made(2 * count)
    first = np.arange(len(labels)) % (2 * count) < count
    return (features[first], labels[first]), (features[~first], labels[~first])


def test_confusion_counts_answers_by_true_class():
    found = Answers(np.eye(3)[[0, 2, 1, 2]], np.array([0, 0, 1, 2]), np.zeros(4))
    assert found.confusion().tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 1]]
    assert found.top1 == 0.75


def test_a_class_that_is_neither_shown_nor_answered_has_its_row_and_column():
    found = Answers(np.eye(3)[[0, 1, 0]], np.array([0, 1, 1]), np.zeros(3))
    assert found.confusion().tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("known", "unknown", "expected"),
    [([1, 2], [3, 4], 1.0), ([3, 4], [1, 2], 0.0), ([1, 1], [1, 1], 0.5), ([1, 3], [2], 0.5)],
)
def test_auroc(known, unknown, expected):
    assert measure.auroc(np.array(known), np.array(unknown)) == expected


def test_curve_rises_and_depends_on_the_seed_alone():
    (features, labels), measured = halves(12)
    noise = np.random.default_rng(0).normal(0, 1500, features.shape)
    taught = np.clip(features + noise, -32767, 32767).astype(np.int16), labels
    rows = measure.curve(taught, measured, seed=1)
    assert [row["photographs"] for row in rows] == [1, 2, 5, 10]
    assert rows[-1]["top1"] > rows[0]["top1"]
    assert rows == measure.curve(taught, measured, seed=1)
    assert rows != measure.curve(taught, measured, seed=2)


@pytest.fixture
def drawn(monkeypatch):
    """Return the photographs that each head of a curve was taught and measured on."""
    fit, answers, found = measure.fit, measure.answers, []

    def noted_fit(features, labels, classes):
        found.append((features, labels))
        return fit(features, labels, classes)

    def noted_answers(discriminant, features, labels):
        found[-1] += (features, labels, answers(discriminant, features, labels))
        return found[-1][-1]

    monkeypatch.setattr(measure, "fit", noted_fit)
    monkeypatch.setattr(measure, "answers", noted_answers)
    return found


def test_curve_without_other_photographs_measures_on_those_not_drawn(drawn):
    features, labels = made(6)
    rows = measure.curve((features, labels), None, seed=0)
    assert [row["photographs"] for row in rows] == [1, 2, 5]
    assert len(drawn) == 3 * measure.DRAWS
    for taught, classes, others, truth, _ in drawn:
        each = len(taught) // 4
        assert np.bincount(classes).tolist() == [each] * 4
        assert np.bincount(truth).tolist() == [6 - each] * 4
        both = np.concatenate([taught, others])
        np.testing.assert_array_equal(np.unique(both, axis=0), np.unique(features, axis=0))


def test_curve_has_mean_and_spread_of_the_draws(drawn):
    features, labels = made(7)
    noise = np.random.default_rng(0).normal(0, 3000, features.shape)
    taught = np.clip(features + noise, -32767, 32767).astype(np.int16), labels
    rows = measure.curve(taught, None, seed=3)
    shares = np.array([answers.top1 for *_, answers in drawn]).reshape(len(rows), measure.DRAWS)
    assert [row["top1"] for row in rows] == pytest.approx(shares.mean(axis=1))
    deviations = np.sqrt(((shares.T - shares.mean(axis=1)) ** 2).sum(axis=0) / 2)  # of a sample
    assert deviations.max() > 0
    assert [row["spread"] for row in rows] == pytest.approx(deviations)


def test_unknown_class_is_told_from_the_others():
    taught, measured = halves(20)
    assert measure.unknown_class(taught, measured) > 0.9
    assert measure.unknown_class(made(5, 2), made(5, 2)) is None


@pytest.fixture(scope="module")
def noise_head(converted, noise_images):
    """Return a reader, what was taught, every second picture in another class, and the pictures."""
    reader = FeatureReader(converted["int8"])
    head = Head(reader.digest, reader.size)
    prepared = [reader.classifier.prepare(image) for image in noise_images]
    for index, image in enumerate(prepared):
        head.add("even odd".split()[index % 2], reader.average(reader.map(image)))
    return reader, head.teach(), prepared


def test_maps_mean_is_the_score(noise_head):
    reader, taught, prepared = noise_head
    for label in (0, 1):
        found = page.class_map(reader, taught, prepared[3], label)
        assert found.shape == (7, 7)
        score = taught.discriminant.scores(reader.average(reader.map(prepared[3]))[None])[0]
        half = 0.5 * np.abs(taught.discriminant.coefficients[label]).sum()
        assert abs(found.mean() - score[label]) <= half + 1e-9


def test_the_mistakes_of_which_the_head_was_most_certain_come_first(noise_head):
    """With the map of the class that was answered, not of the true one."""
    reader, taught, prepared = noise_head
    features = np.stack([reader.average(reader.map(image)) for image in prepared])
    chances = taught.probabilities(features)
    given = chances.argmax(axis=1)
    labels = np.where(np.arange(len(given)) < 5, 1 - given, given)  # five are wrong
    examples = [Example(image, label) for image, label in zip(prepared, labels, strict=True)]
    found = measure.answers(taught.discriminant, features, labels)
    order = sorted(range(5), key=lambda index: -chances[index].max())
    shown = page.mistakes(reader, taught, examples, found)
    assert [(one["answer"], one["truth"], one["probability"]) for one in shown] == [
        (taught.labels[given[i]], taught.labels[labels[i]], chances[i].max()) for i in order
    ]
    for one, index in zip(shown, order, strict=True):
        content = base64.b64decode(one["picture"].partition(",")[2])
        picture = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), int)
        image, errors = examples[index].load(reader.classifier.preprocessing), []
        for label in (given[index], labels[index]):
            seen = page.overlay(image, page.class_map(reader, taught, image, label))
            errors.append(np.abs(picture - np.asarray(seen, int)).mean())
        assert errors[0] < 5 < errors[1]


def test_only_the_worst_mistakes_are_shown(noise_head, monkeypatch):
    reader, taught, prepared = noise_head
    features = np.stack([reader.average(reader.map(image)) for image in prepared])
    wrong = 1 - taught.probabilities(features).argmax(axis=1)
    examples = [Example(image, label) for image, label in zip(prepared, wrong, strict=True)]
    found = measure.answers(taught.discriminant, features, wrong)
    monkeypatch.setattr(page, "MAX_MISTAKES", 2)
    shown = page.mistakes(reader, taught, examples, found)
    worst = taught.probabilities(features).max(axis=1)
    assert [one["probability"] for one in shown] == sorted(worst, reverse=True)[:2]
    assert page.mistakes(reader, taught, examples, None) == []


def record(labels, confusion):
    return {
        "model": "a <model>",
        "labels": labels,
        "photographs": [1_000 + number for number in range(len(labels))],
        "seconds": 0.25,
        "top1": 0.75,
        "examples": 1_234,
        "measured_on": "test",
        "false_alarms": 0.0625,
        "false_alarm_rate": 0.05,
        "unknown_class_auroc": 0.9124,
        "mean_first_probability": 0.5,
        "curve": [{"photographs": 2_000, "top1": 0.625, "spread": 0.015}],
        "confusion": confusion,
    }


def test_each_figure_of_the_page_stands_in_its_place():
    answers_ = Answers(np.eye(2), np.zeros(2, int), np.zeros(2))
    shown = pages.read(page.render(record(["cat", "dog"], [[7, 2], [0, 5]]), answers_, []))
    assert shown.headings[0] == "2 classes, taught on 2,001 photographs"
    assert shown.paragraphs[0].endswith("from the features of a <model> in 0.25 s.")
    figures = ["75.00 %", "6.25 %", "0.912", "50.00 %"]
    titles = ["of 1,234 photographs", "of them taken for", "AUROC of", "mean probability of"]
    assert list(shown.tiles.values()) == figures
    assert all(one.startswith(two) for one, two in zip(shown.tiles, titles, strict=True))
    assert [[list(row.items()) for row in table] for table in shown.tables] == [
        [[("photographs of each class", "2,000"), ("top-1", "62.50 %"), ("spread", "1.50 %")]],
        [
            [("class", "cat"), ("photographs taught", "1,000")],
            [("class", "dog"), ("photographs taught", "1,001")],
        ],
        [
            [("", "cat"), ("cat", "7"), ("dog", "2")],
            [("", "dog"), ("cat", ""), ("dog", "5")],
        ],
    ]


@pytest.mark.parametrize(("classes", "tables"), [(40, 3), (41, 2)])
def test_a_matrix_that_is_too_large_to_read_is_left_out(classes, tables):
    labels = [f"class {number}" for number in range(classes)]
    answers_ = Answers(np.eye(classes), np.arange(classes), np.zeros(classes))
    text = page.render(record(labels, answers_.confusion().tolist()), answers_, [])
    assert len(pages.read(text).tables) == tables


def test_overlay_is_red_where_the_class_is():
    image = np.full((32, 32, 3), 100, np.uint8)
    shares = np.zeros((2, 2))
    shares[0, 1] = 5.0
    shares[1, 0] = -5.0
    found = np.asarray(page.overlay(image, shares)).astype(int)
    assert found[10, -10, 0] > 150
    assert abs(found[-10, 10] - 100).max() <= 1
