"""The head that is fitted at once: what it is in `conv10`, how it is chosen, what is kept."""

import dataclasses
from unittest import mock

import numpy as np
import pytest

from sqzkit.base.errors import UsageError
from sqzkit.data.dataset import Example, ImageDataset, Split
from sqzkit.preprocessing import caffe
from sqzkit.training import head
from sqzkit.training.evaluate import better_than_chance
from sqzkit.training.features import Features, compute
from sqzkit.training.fit import StageFit
from sqzkit.training.options import FitOptions
from tests.models.strategies import randomize

RECORD = caffe(32)


def drawn(labels, distance, channels=40, seed=0, mirrored=True):
    """Return features with one informative channel for each class."""
    generator = np.random.default_rng(seed)
    labels = np.asarray(labels, np.int32)
    noise = generator.normal(size=(2, len(labels), channels)).astype(np.float32)
    values = noise[0] + distance * np.eye(channels, dtype=np.float32)[labels]
    other = values + 0.1 * noise[1] if mirrored else values[:0]
    return Features(values, other, labels, 1.0)


def test_the_fitted_head_is_exactly_a_conv10(network, colours, folder):
    features = compute(network, colours, RECORD, folder, "v1_1")
    assert features.values.shape == features.mirrored.shape == (96, 32)
    fitted = head.fit(features, 4, seed=1)
    fitted.write(network)
    images = np.stack([pixels_of(example) for example in colours.split("train").examples[:8]])
    logits = network(images, training=False).numpy()
    wanted = features.values[:8] @ fitted.kernel + fitted.bias
    np.testing.assert_allclose(logits, wanted, rtol=1e-3, atol=1e-3)
    accuracy, count = fitted.accuracy(features.labels)
    assert accuracy > 0.8 and count == 96


def pixels_of(example):
    pixels = example.load(RECORD)[..., ::-1].astype(np.float32)
    return pixels - np.array(RECORD.mean, np.float32)


def test_what_differs_in_the_mirror_is_not_learnt():
    labels = np.arange(40, dtype=np.int32) % 2
    sign, noise = 2 * labels - 1, np.random.default_rng(0).normal(0, 0.1, (2, 40, 2))
    values, mirrored = (
        (np.stack([sign, turned * sign], axis=1) + drawn).astype(np.float32)
        for turned, drawn in zip((1, -1), noise, strict=True)
    )
    kernel = head.fit(Features(values, mirrored, labels, 1.0), 2, seed=1).kernel
    always, once = np.abs(kernel[:, 1] - kernel[:, 0])
    assert once < 0.1 * always


def test_balanced_weights_help_the_class_with_few_images():
    features = drawn([0] * 90 + [1] * 10, distance=1.0)
    rare = drawn([1] * 200, distance=1.0, seed=5)
    right = []
    for weights in (None, "balanced"):
        fitted = head.fit(features, 2, seed=1, class_weights=weights)
        answers = (rare.values @ fitted.kernel + fitted.bias).argmax(axis=1)
        right.append(answers.mean())
    assert right[1] > right[0] + 0.2


def test_balanced_weights_choose_the_penalty_by_classes_too(monkeypatch):
    """An image of the rare class counts as nine of the other where penalties are compared."""
    weighed = []
    average = np.average
    monkeypatch.setattr(head.np, "average", lambda values, weights: weighed.append(
        (len(values), weights)) or average(values, weights=weights))  # fmt: skip
    head.fit(drawn([0] * 90 + [1] * 10, distance=1.0), 2, seed=1, class_weights="balanced")
    for count, weights in weighed:
        assert count == len(weights) == 100
        assert sorted(weights) == pytest.approx([1 / 90] * 90 + [1 / 10] * 10)
    assert weighed


@pytest.mark.parametrize("classes", [2, 3])
def test_noise_is_not_learnt_and_the_folds_say_so(classes):
    """The fit itself answers every image rightly; so would an image whose mirror is fitted."""
    features = drawn(np.arange(60) % classes, distance=0.0, channels=200)
    fitted = head.fit(features, classes, seed=1)
    accuracy, count = fitted.accuracy(features.labels)
    assert count == 60 and accuracy < 0.75
    assert not better_than_chance(accuracy, features.labels)
    weak = head.fit(drawn(np.arange(60) % classes, distance=8.0), classes, seed=1)
    assert weak.strength > fitted.strength
    assert better_than_chance(weak.accuracy(features.labels)[0], features.labels)


def test_a_channel_of_another_size_changes_nothing_and_a_dead_one_does_no_harm():
    features = drawn(np.arange(40) % 2, distance=4.0)
    features.values[:, 5] = features.mirrored[:, 5] = 0.0
    plain = head.fit(features, 2, seed=1)
    larger = dataclasses.replace(
        features, values=features.values * 100 + 7, mirrored=features.mirrored * 100 + 7
    )
    scaled = head.fit(larger, 2, seed=1)
    np.testing.assert_allclose(plain.held_out, scaled.held_out, atol=1e-3)
    np.testing.assert_allclose(plain.kernel, scaled.kernel * 100, atol=1e-3)
    assert plain.strength == scaled.strength


@pytest.mark.parametrize(
    ("counts", "held_out"),
    [((2, 2), 4), ((1, 30), 30), ((3, 300), 303), ((1, 1), 0), ((0, 9), 9)],
)
def test_classes_with_few_images_are_fitted(counts, held_out):
    features = drawn(np.repeat([0, 1], counts), distance=12.0)
    fitted = head.fit(features, 2, seed=1)
    assert np.isfinite(fitted.kernel).all() and np.isfinite(fitted.bias).all()
    assert fitted.accuracy(features.labels)[1] == held_out
    answers = (features.values @ fitted.kernel + fitted.bias).argmax(axis=1)
    np.testing.assert_array_equal(answers, features.labels)


def test_identical_images_are_fitted_to_the_share_of_each_class():
    features = drawn(np.repeat([0, 1], [6, 18]), distance=0.0)
    features.values[:] = features.mirrored[:] = 1.0
    fitted = head.fit(features, 2, seed=1)
    logits = features.values[0] @ fitted.kernel + fitted.bias
    assert 1 / (1 + np.exp(logits[0] - logits[1])) == pytest.approx(0.75, abs=0.01)


def test_folds_spread_every_class_and_depend_on_the_seed():
    labels = np.repeat([0, 1, 2], [10, 4, 1])
    fold = head.folds(labels, 3)
    assert (np.bincount(fold[:10]) == 2).all() and len(set(fold[10:14])) == 4
    assert fold[14] == -1
    np.testing.assert_array_equal(fold, head.folds(labels, 3))
    assert not np.array_equal(fold, head.folds(labels, 4))


def test_the_stage_is_fitted_once_recorded_and_its_weights_come_back(
    network, colours, folder, monkeypatch, capsys
):
    options = FitOptions(epochs=1, seed=5, class_weights="balanced")
    stage = StageFit(folder, "head", colours, RECORD, options, config={"weights": "v1_1"})
    fitted = mock.Mock(wraps=head.fit)
    monkeypatch.setattr(head, "fit", fitted)
    head.fit_stage_head(network, stage)
    assert fitted.call_args.args[1:] == (4, 5, "balanced")
    (entry,) = folder.finished_stages()
    metrics = entry["metrics"]
    assert metrics["held_out_top1"] > 0.8 and metrics["top1"] > 0.8
    assert (metrics["held_out_examples"], metrics["epochs"]) == (96, 0)
    said = f"held out in 5 folds; top-1 {metrics['top1']:.2%} on the test split"
    assert said in capsys.readouterr().out
    kernel = network.get_layer("conv10").get_weights()[0]
    randomize(network, 1)
    monkeypatch.setattr(head, "fit", None)
    head.fit_stage_head(network, stage)
    np.testing.assert_array_equal(network.get_layer("conv10").get_weights()[0], kernel)
    other = dataclasses.replace(stage, config={"weights": "v1_0"})
    with pytest.raises(UsageError, match="weights: 'v1_1' there, 'v1_0' asked"):
        head.fit_stage_head(network, other)


def test_more_images_help_and_a_photograph_in_the_wrong_folder_is_named(tmp_path):
    labels = np.arange(60) % 2
    features = drawn(labels, distance=4.0, channels=20)
    wrong = labels.copy()
    wrong[[7, 30]] = 1 - wrong[[7, 30]]
    mistaken = dataclasses.replace(features, labels=wrong.astype(np.int32))
    examples = tuple(
        Example(tmp_path / f"{index}.jpg", int(label)) for index, label in enumerate(wrong)
    )
    data = ImageDataset("pets", ("cat", "dog"), {"train": Split(examples)}, root=tmp_path)
    advice = head.advice(head.fit(mistaken, 2, seed=1), mistaken, data, seed=1)
    named = {suspect["photograph"]: suspect for suspect in advice["suspects"]}
    assert {"7.jpg", "30.jpg"} <= named.keys() and len(named) <= 4
    assert (named["7.jpg"]["label"], named["7.jpg"]["looks_like"]) == (wrong[7], labels[7])
    assert named["7.jpg"]["probability"] > 0.9
    told = [suspect["probability"] for suspect in advice["suspects"]]
    assert told == sorted(told, reverse=True)
    clean = head.fit(features, 2, seed=1)
    hard = drawn(labels, distance=1.5, channels=60)
    fewest, most = (head.accuracy_of_share(hard, 2, 0.1, share, 1) for share in (0.1, 1.0))
    assert fewest < most
    assert head.accuracy_of_share(features, 2, clean.strength, 1.0, 1) == pytest.approx(
        clean.accuracy(features.labels)[0]
    )
    counts = [count for count, _ in advice["curve"]]
    assert counts == [15, 30, 60]


def test_labels_drawn_at_random_are_said_to_teach_nothing(network, colours, folder, capsys):
    draw = np.random.default_rng(5)
    shuffled = tuple(
        dataclasses.replace(example, label=int(draw.integers(4)))
        for example in colours.split("train").examples
    )
    splits = {**colours.splits, "train": Split(shuffled)}
    data = dataclasses.replace(colours, splits=splits, stores={})
    config = {"weights": "v1_1"}
    head.fit_stage_head(
        network, StageFit(folder, "head", data, RECORD, FitOptions(epochs=1), config=config)
    )
    assert "no better than always giving the most frequent one" in capsys.readouterr().out


def test_accuracies_are_of_the_images_that_were_held_out():
    """Of four classes: two images, none, one, and one that was the only one of its class."""
    held_out = np.eye(4)[[0, 1, 2, 0]]
    held_out[3] = np.nan
    fitted = head.FittedHead(np.zeros((1, 4)), np.zeros(4), 1.0, held_out)
    labels = np.array([0, 0, 2, 3])
    assert fitted.accuracy(labels) == (pytest.approx(2 / 3), 3)
    assert fitted.balanced_accuracy(labels) == pytest.approx((0.5 + 1) / 2)
    nothing = dataclasses.replace(fitted, held_out=np.full((4, 4), np.nan))
    assert (nothing.accuracy(labels), nothing.balanced_accuracy(labels)) == ((0.0, 0), 0.0)


@pytest.mark.parametrize(("seconds", "rate"), [(2.0, 48.0), (0.0, 96_000.0)])
def test_a_stage_without_epochs_records_its_times(
    network, colours, folder, monkeypatch, seconds, rate
):
    features = compute(network, colours, RECORD, folder, "x")
    features = dataclasses.replace(features, seconds=seconds)
    monkeypatch.setattr(head, "compute", lambda *_: features)
    clock = iter((100.0, 103.5))
    monkeypatch.setattr(head.time, "monotonic", lambda: next(clock, 200.0))
    stage = StageFit(folder, "head", colours, RECORD, FitOptions(epochs=1), config={"weights": "x"})
    head.fit_stage_head(network, stage)
    metrics = folder.finished_stages()[0]["metrics"]
    assert (metrics["train_seconds"], metrics["images_per_second"]) == (3.5, rate)
