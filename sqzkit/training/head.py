"""A new head on a frozen network: features computed once, then logistic regression.

`conv10` is a 1x1 convolution followed by the average over the map, and without a ReLU the two
can be exchanged: logits = average(features) @ kernel + bias. So a linear classifier of averaged
features is exactly a `conv10`. Its optimum is found in seconds, without a learning rate.
"""

import dataclasses
import hashlib
import json
import math
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from sqzkit.base.keras import keras
from sqzkit.data.dataset import ImageDataset, Split
from sqzkit.data.pipeline import epoch_order, evaluation_batches
from sqzkit.data.store import fingerprint, naming_failures
from sqzkit.data.tree import Account
from sqzkit.models.transfer import HEAD
from sqzkit.preprocessing import Preprocessing
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.settings import refuse_other
from sqzkit.runs.weights import load_weights, save_weights
from sqzkit.training import checkpoint, distribution
from sqzkit.training.evaluate import Evaluator, split_metrics
from sqzkit.training.fit import StageFit

FOLDS = 5
MAX_PHOTOGRAPHS = 10_000  # features of more change a linear head by less than noise does
# Inverse strengths of the L2 penalty, for scikit-learn; the fold loss has one minimum.
STRENGTHS = tuple(10.0 ** (power / 2) for power in range(-6, 5))
UNKNOWN_STRENGTH = 0.1  # where no class has two images to choose by
BATCH = 32
SIZES = (96, 160, 227, 288)  # pixels
MAX_TRIED = 1_000  # photographs on which sizes are compared
# What training may take: this many images of 227x227 pixels, half an hour to an hour on two cores.
MAX_WORK = 100_000


@dataclasses.dataclass(frozen=True)
class Features:
    """Averaged inputs of `conv10`.

    Attributes:
      values: float32 [N, channels].
      mirrored: the same of the mirrored images; [0, channels] where mirroring changes meaning.
      labels: int32 [N].
      seconds: that computing them took.
    """

    values: np.ndarray
    mirrored: np.ndarray
    labels: np.ndarray
    seconds: float


@dataclasses.dataclass(frozen=True)
class FittedHead:
    """A linear classifier of averaged features.

    Attributes:
      kernel: float32 [channels, classes].
      bias: float32 [classes].
      strength: the inverse strength of the L2 penalty.
      held_out: float64 [N, classes]: probabilities of each training image from a head that was
        fitted without it; NaN for the only image of its class.
    """

    kernel: np.ndarray
    bias: np.ndarray
    strength: float
    held_out: np.ndarray

    def losses(self, labels: np.ndarray) -> np.ndarray:
        """Return the cross-entropy of every image that was held out."""
        return _losses(self.held_out, labels)

    def accuracy(self, labels: np.ndarray) -> tuple[float, int]:
        """Return (share of right answers, 0..1; number of images) among those held out."""
        known = ~np.isnan(self.held_out[:, 0])
        right = self.held_out[known].argmax(axis=1) == labels[known]
        return (float(right.mean()) if len(right) else 0.0), len(right)

    def write(self, model: keras.Model) -> None:
        """Set `conv10` of a network without a ReLU after it."""
        layer = model.get_layer(HEAD)
        layer.set_weights([self.kernel.reshape(layer.kernel.shape), self.bias])


def compute(
    model: keras.Model,
    dataset: ImageDataset,
    preprocessing: Preprocessing,
    folder: RunFolder,
    weights: str,
    limit: int = MAX_PHOTOGRAPHS,
) -> Features:
    """Return the features of the training split, from the run folder if they are there.

    Args:
      model: with the published weights.
      dataset: its split "train" is used.
      preprocessing: the record to follow.
      folder: keeps them under a name made from the images' content, the record and `weights`.
      weights: the name of the published weights.
      limit: use at most this many images, chosen at random but always the same.

    Raises:
      RunError: too many photographs cannot be decoded, or the folder cannot be written.
      FormatError: the kept file is damaged.
    """
    examples = dataset.split("train").examples
    if len(examples) > limit:
        chosen = np.sort(epoch_order(len(examples), 0, 0)[:limit])
        part = Split(tuple(examples[i] for i in chosen))
        # Its own account: what is unreadable is noted once, when the whole split is opened.
        dataset = dataclasses.replace(
            dataset, splits={"train": part}, stores={}, broken=[], account=Account()
        )
    key = [fingerprint(dataset.split("train").examples, preprocessing), weights, dataset.flip]
    name = hashlib.sha256(json.dumps([key, preprocessing.to_json()]).encode()).hexdigest()[:16]
    path = folder.path / "features" / f"{name}.npz"
    if found := checkpoint.load(path):
        record, groups = found
        values, mirrored, labels = groups["features"]
        return Features(values, mirrored, labels, float(record["seconds"]))
    features = _compute(model, dataset, preprocessing)
    if distribution.is_chief():
        arrays = [features.values, features.mirrored, features.labels]
        record = {"seconds": features.seconds, "image_size": preprocessing.image_size}
        checkpoint.save(path, record, {"features": arrays})
    return features


def _compute(model: keras.Model, dataset: ImageDataset, preprocessing: Preprocessing) -> Features:
    maps = model.get_layer(HEAD).input
    average = keras.layers.GlobalAveragePooling2D(dtype="float32")(maps)
    extract = tf.function(
        keras.Model(model.input, average), [tf.TensorSpec(model.input_shape, tf.float32)]
    )
    started = time.monotonic()
    values, labels = [], []
    mirrored = [np.zeros((0, maps.shape[-1]), np.float32)]
    with naming_failures(dataset):
        for images, truth in evaluation_batches(dataset, "train", preprocessing, BATCH):
            values.append(extract(images).numpy())
            if dataset.flip:
                mirrored.append(extract(images[:, :, ::-1]).numpy())
            labels.append(truth.numpy())
    seconds = time.monotonic() - started
    return Features(
        np.concatenate(values), np.concatenate(mirrored), np.concatenate(labels), seconds
    )


def fit(
    features: Features, classes: int, seed: int, class_weights: str | None = None
) -> FittedHead:
    """Return the head whose penalty has the lowest loss over folds.

    An image and its mirror image are always in the same fold.

    Args:
      features: of the training split.
      classes: 2 or more.
      seed: decides the folds.
      class_weights: scikit-learn's class_weight: "balanced" or None.
    """
    fold = folds(features.labels, seed)
    parts = [fold != number for number in range(FOLDS) if (fold == number).any()]
    fits = [_Regression(features, part, classes, class_weights) for part in parts]
    best = (math.inf, UNKNOWN_STRENGTH, np.full((len(fold), classes), np.nan))
    for strength in STRENGTHS if parts else ():
        held_out = np.full((len(fold), classes), np.nan)
        for part, regression in zip(parts, fits, strict=True):
            held_out[~part] = regression.probabilities(strength, features.values[~part])
        loss = float(_losses(held_out, features.labels).mean())
        if not loss < best[0]:
            break
        best = (loss, strength, held_out)
    kernel, bias = _Regression(features, fold >= -1, classes, class_weights).solve(best[1])
    return FittedHead(kernel.astype(np.float32), bias.astype(np.float32), best[1], best[2])


def choose_size(
    build: Callable[[int], tuple[keras.Model, Preprocessing]],
    dataset: ImageDataset,
    folder: RunFolder,
    weights: str,
    images: int,
    seed: int,
) -> int:
    """Return the image size with the lowest fold loss of the head, printing each one's accuracy.

    Args:
      build: makes the network, with the published weights, for an image size, and its record.
      dataset: at most `MAX_TRIED` of its training images are looked at.
      folder: keeps the features.
      weights: the name of the published weights.
      images: that the whole training takes, counted in each epoch; sizes at which that is too
        much work are left out.
      seed: decides the folds.
    """
    affordable = [size for size in SIZES if images * (size / 227) ** 2 <= MAX_WORK]
    losses = {}
    for size in affordable[-3:] or SIZES[:1]:
        model, record = build(size)
        features = compute(model, dataset, record, folder, weights, MAX_TRIED)
        fitted = fit(features, dataset.num_classes, seed)
        losses[size] = fitted.losses(features.labels).mean()
        print(f"head on frozen features, {size} px: {_in_words(fitted, features)}", flush=True)
    return min(losses, key=lambda size: losses[size])


def _in_words(fitted: FittedHead, features: Features) -> str:
    accuracy, count = fitted.accuracy(features.labels)
    error = standard_error(accuracy, count)
    return f"{accuracy:.1%} ± {error:.1%} of {count:,} images held out in {FOLDS} folds"


def fit_stage_head(model: keras.Model, stage: StageFit) -> None:
    """Fit `conv10` to the data of a stage "head" and record it; load it if that was done.

    Raises:
      UsageError: the stage was finished with other settings.
      RunError: a file cannot be written, or too many photographs cannot be decoded.
    """
    folder, dataset = stage.folder, stage.dataset
    seed, weights = stage.options.seed, stage.options.class_weights
    settings = {**stage.config, "seed": seed, "folds": FOLDS, "class_weights": weights}
    entry = next((e for e in folder.finished_stages() if e["stage"] == stage.stage), None)
    if entry:
        refuse_other(f"stage {stage.stage!r} of {folder.path}", entry["config"], settings)
        load_weights(model, folder.weights_path(stage.stage))
        return
    started = time.monotonic()
    features = compute(model, dataset, stage.preprocessing, folder, str(settings["weights"]))
    fitted = fit(features, dataset.num_classes, seed, weights)
    fitted.write(model)
    seconds = time.monotonic() - started
    accuracy, count = fitted.accuracy(features.labels)
    metrics: dict[str, Any] = {
        "epochs": 0,
        "best_epoch": 0,
        "train_seconds": round(seconds, 1),
        "images_per_second": round(len(features.labels) / max(features.seconds, 1e-3), 1),
        "strength": fitted.strength,
        "held_out_top1": accuracy,
        "held_out_examples": count,
        **split_metrics(Evaluator(model), dataset, stage.preprocessing),
    }
    print(
        f"head: {_in_words(fitted, features)}; top-1 {metrics['top1']:.2%} on the test split",
        flush=True,
    )
    if not better_than_chance(accuracy, features.labels):
        print(
            "head: the features tell the classes apart no better than always giving the most "
            "frequent one; check that the photographs lie in the folders of their classes",
            flush=True,
        )
    chief = distribution.is_chief()
    save_weights(model, folder.weights_path(stage.stage), write=chief)
    if chief:
        folder.finish_stage(stage.stage, metrics, settings)


def folds(labels: np.ndarray, seed: int) -> np.ndarray:
    """Return the fold of each example, 0..4, every class spread over as many as it can be.

    The only example of a class is in fold -1: it is never held out, because a head fitted
    without it would not know the class.
    """
    chosen = np.full(len(labels), -1)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) > 1:
            generator = np.random.Generator(np.random.PCG64([seed, int(label)]))
            start = generator.integers(FOLDS)
            chosen[generator.permutation(members)] = (start + np.arange(len(members))) % FOLDS
    return chosen


def _losses(held_out: np.ndarray, labels: np.ndarray) -> np.ndarray:
    truth = held_out[np.arange(len(labels)), labels]
    return -np.log(np.maximum(truth[~np.isnan(truth)], 1e-12))


class _Regression:
    """Multinomial logistic regression of some of the images, for falling penalties."""

    def __init__(self, features: Features, part: np.ndarray, classes: int, weights: Any) -> None:
        from sklearn.linear_model import LogisticRegression

        mirrored = features.mirrored[part] if len(features.mirrored) else features.mirrored
        values = np.concatenate([features.values[part], mirrored]).astype(np.float64)
        self.labels = np.resize(features.labels[part], len(values))
        self.classes = classes
        self.mean, deviation = values.mean(axis=0), values.std(axis=0)
        # A channel that hardly ever responds must not be blown up to the others' size.
        self.scale = 1 / (deviation + max(float(deviation.mean()), 1e-6))
        self.values = (values - self.mean) * self.scale
        # Started from the solution of the stronger penalty before it.
        self.model = LogisticRegression(max_iter=1000, warm_start=True, class_weight=weights)

    def solve(self, strength: float) -> tuple[np.ndarray, np.ndarray]:
        """Return kernel [channels, classes] and bias [classes] for features as they come."""
        kernel = np.zeros((self.values.shape[1], self.classes))
        bias = np.full(self.classes, -30.0)  # of a class that has no images here
        present = np.unique(self.labels)
        if len(present) == 1:
            bias[present] = 0.0
            return kernel, bias
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # lbfgs at its last iteration is near enough
            self.model.set_params(C=strength).fit(self.values, self.labels)
        found, offset = self.model.coef_.T, self.model.intercept_
        if len(present) == 2:  # scikit-learn gives the log odds of the second class
            found, offset = found * [[-0.5, 0.5]], offset * [-0.5, 0.5]
        kernel[:, present] = found * self.scale[:, np.newaxis]
        bias[present] = offset - self.mean @ kernel[:, present]
        return kernel, bias

    def probabilities(self, strength: float, values: np.ndarray) -> np.ndarray:
        """Return float64 [N, classes] for features of other images."""
        kernel, bias = self.solve(strength)
        logits = values @ kernel + bias
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def standard_error(accuracy: float, count: int) -> float:
    """Return that of an accuracy on `count` images; never 0, as no finite sample is certain."""
    expected = (accuracy * count + 1) / (count + 2)
    return math.sqrt(expected * (1 - expected) / max(count, 1))


def better_than_chance(accuracy: float, labels: Sequence[int] | np.ndarray) -> bool:
    """Return whether an accuracy exceeds that of always giving the most frequent label.

    By two standard errors: of labels drawn at random, one data set in forty passes.
    """
    chance = np.bincount(np.asarray(labels)).max() / max(len(labels), 1)
    return bool(accuracy > chance + 2 * standard_error(chance, len(labels)))
