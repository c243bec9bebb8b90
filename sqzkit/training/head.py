"""A new head on a frozen network: logistic regression of its features.

`conv10` is a 1x1 convolution followed by the average over the map, and without a ReLU the two
can be exchanged: logits = average(features) @ kernel + bias. So a linear classifier of averaged
features is exactly a `conv10`. Its optimum is found in seconds, without a learning rate.
"""

import dataclasses
import math
import time
import warnings
from typing import Any

import numpy as np

from sqzkit.base.keras import keras
from sqzkit.data.dataset import ImageDataset
from sqzkit.models.transfer import HEAD
from sqzkit.runs.weights import load_weights, save_weights
from sqzkit.tflite.classifier import softmax
from sqzkit.training import distribution
from sqzkit.training.evaluate import (
    Evaluator,
    better_than_chance,
    split_metrics,
    standard_error,
)
from sqzkit.training.features import Features, compute
from sqzkit.training.fit import StageFit, finished

FOLDS = 5
# Inverse strengths of the L2 penalty, for scikit-learn; the fold loss has one minimum.
STRENGTHS = tuple(10.0 ** (power / 2) for power in range(-6, 5))
UNKNOWN_STRENGTH = 0.1  # where no class has two images to choose by
MAX_MIRRORED = 1_000
CURVE_SHARES = (0.25, 0.5)
SUSPICIOUS = 0.1  # probability of the own label below which a photograph is worth a look
MAX_SUSPECTS = 12


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

    def balanced_accuracy(self, labels: np.ndarray) -> float:
        """Return the mean over the classes of the accuracy on those held out, 0..1."""
        known = ~np.isnan(self.held_out[:, 0])
        truth = labels[known]
        right = np.bincount(truth, self.held_out[known].argmax(axis=1) == truth)
        counts = np.bincount(truth)
        return float((right[counts > 0] / counts[counts > 0]).mean()) if len(truth) else 0.0

    def write(self, model: keras.Model) -> None:
        """Set `conv10` of a network without a ReLU after it."""
        layer = model.get_layer(HEAD)
        layer.set_weights([self.kernel.reshape(layer.kernel.shape), self.bias])


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
    held = features.labels[fold >= 0]
    shares = 1 / np.bincount(held)[held] if class_weights else None
    best = (math.inf, UNKNOWN_STRENGTH, np.full((len(fold), classes), np.nan))
    for strength in STRENGTHS if parts else ():
        held_out = np.full((len(fold), classes), np.nan)
        for part, regression in zip(parts, fits, strict=True):
            held_out[~part] = regression.probabilities(strength, features.values[~part])
        loss = float(np.average(_losses(held_out, features.labels), weights=shares))
        if not loss < best[0]:
            break
        best = (loss, strength, held_out)
    kernel, bias = _Regression(features, fold >= -1, classes, class_weights).solve(best[1])
    return FittedHead(kernel.astype(np.float32), bias.astype(np.float32), best[1], best[2])


def in_words(fitted: FittedHead, features: Features) -> str:
    """Return the accuracy on images held out, with its standard error."""
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
    if finished(folder, stage.stage, settings):
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
        f"head: {in_words(fitted, features)}; top-1 {metrics['top1']:.2%} on the test split",
        flush=True,
    )
    if not better_than_chance(accuracy, features.labels, fitted.balanced_accuracy(features.labels)):
        print(
            "head: the features tell the classes apart no better than always giving the most "
            "frequent one; check that the photographs lie in the folders of their classes",
            flush=True,
        )
    chief = distribution.is_chief()
    save_weights(model, folder.weights_path(stage.stage), write=chief)
    if chief:
        folder.write_record("head", advice(fitted, features, dataset, stage.options.seed))
        folder.finish_stage(stage.stage, metrics, settings)


def advice(
    fitted: FittedHead, features: Features, dataset: ImageDataset, seed: int
) -> dict[str, Any]:
    """Return what the images held out say of the data, as JSON-ready values for the report.

    Returns:
      `curve`: [number of training images, accuracy on those held out], fewest first.
      `suspects`: training photographs whose label the head finds least likely, with the class
      that they look like; only of classes' folders that were used as a whole.
    """
    labels, curve = features.labels, []
    for share in CURVE_SHARES:
        accuracy = accuracy_of_share(*(features, dataset.num_classes, fitted.strength, share, seed))
        curve.append([round(share * len(labels)), accuracy])
    curve.append([len(labels), fitted.accuracy(labels)[0]])
    truth = fitted.held_out[np.arange(len(labels)), labels]
    whole = len(labels) == dataset.split("train").num_examples
    unlikely = np.flatnonzero(truth < SUSPICIOUS) if whole else np.zeros(0, np.int64)
    if dataset.soft_targets:  # nobody said what the others show
        unlikely = unlikely[unlikely < dataset.soft_targets.labelled]
    suspects = [
        {
            "photograph": dataset.name_of(dataset.split("train").examples[index]) or f"#{index}",
            "label": int(labels[index]),
            "looks_like": int(fitted.held_out[index].argmax()),
            "probability": float(fitted.held_out[index].max()),
        }
        for index in unlikely[np.argsort(truth[unlikely], kind="stable")][:MAX_SUSPECTS]
    ]
    return {"curve": curve, "suspects": suspects}


def accuracy_of_share(
    features: Features, classes: int, strength: float, share: float, seed: int
) -> float:
    """Return the accuracy on held-out images of heads fitted to a share of the others, 0..1."""
    fold = folds(features.labels, seed)
    order = np.random.Generator(np.random.PCG64([seed, FOLDS])).permutation(len(fold))
    right = 0
    for number in range(FOLDS):
        held_out = fold == number
        others = order[~held_out[order]]
        few = np.zeros(len(fold), bool)
        for label in np.unique(features.labels):
            members = others[features.labels[others] == label]
            few[members[: max(1, round(share * len(members)))]] = True
        if held_out.any():
            regression = _Regression(features, few, classes)
            answers = regression.probabilities(strength, features.values[held_out]).argmax(axis=1)
            right += int((answers == features.labels[held_out]).sum())
    return right / max(1, int((fold >= 0).sum()))


def folds(labels: np.ndarray, seed: int, count: int = FOLDS) -> np.ndarray:
    """Return the fold of each example, from 0, every class spread over as many as it can be.

    The only example of a class is in fold -1: it is never held out, because a head fitted
    without it would not know the class.
    """
    chosen = np.full(len(labels), -1)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) > 1:
            generator = np.random.Generator(np.random.PCG64([seed, int(label)]))
            start = generator.integers(count)
            chosen[generator.permutation(members)] = (start + np.arange(len(members))) % count
    return chosen


def _losses(held_out: np.ndarray, labels: np.ndarray) -> np.ndarray:
    truth = held_out[np.arange(len(labels)), labels]
    return -np.log(np.maximum(truth[~np.isnan(truth)], 1e-12))


class _Regression:
    """Multinomial logistic regression of some of the images, for falling penalties."""

    def __init__(
        self, features: Features, part: np.ndarray, classes: int, weights: str | None = None
    ) -> None:
        from sklearn.linear_model import LogisticRegression

        # Of many images, the mirrored ones cost more time than they are worth.
        doubled = 0 < len(features.mirrored) <= MAX_MIRRORED
        mirrored = features.mirrored[part if doubled else slice(0)]
        values = np.concatenate([features.values[part], mirrored]).astype(np.float64)
        self.labels = np.resize(features.labels[part], len(values))
        self.classes = classes
        self.mean, deviation = values.mean(axis=0), values.std(axis=0)
        # A channel that hardly ever responds must not be blown up to the others' size.
        self.scale = 1 / (deviation + max(float(deviation.mean()), 1e-6))
        self.values = (values - self.mean) * self.scale
        # Started from the solution of the stronger penalty before it.
        self.model = LogisticRegression(
            tol=1e-3, max_iter=200, warm_start=True, class_weight=weights
        )

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
        return softmax(values @ kernel + bias)
