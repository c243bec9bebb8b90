"""Accuracy of a Keras model on a split, and the mistakes worth looking at."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from sqzkit.base import files
from sqzkit.base.errors import RunError, UsageError
from sqzkit.base.keras import keras
from sqzkit.data.dataset import ImageDataset
from sqzkit.data.pipeline import evaluation_batches
from sqzkit.data.store import naming_failures
from sqzkit.preprocessing import Preprocessing
from sqzkit.runs.folder import RunFolder

TOP = 5
UNEQUAL = 1.5  # times as many examples in the largest class as in the smallest
EVALUATION_BATCH = 64
MAX_MISTAKES = 24


@dataclasses.dataclass(frozen=True)
class Metrics:
    """What a model reaches on one split.

    Attributes:
      top1, top5: share of examples whose label is the first, or among the
        first five answers, 0..1.
      loss: mean cross-entropy, natural logarithm.
      confusion: int64 [classes, classes], truth by answer.
      probabilities: float32 [N, classes], in the split's order.
      labels: int32 [N].
    """

    top1: float
    top5: float
    loss: float
    confusion: np.ndarray
    probabilities: np.ndarray
    labels: np.ndarray

    @property
    def balanced_accuracy(self) -> float:
        """Mean over the classes that have examples of the share answered right, 0..1."""
        counts = self.confusion.sum(axis=1)
        present = counts > 0
        return float(np.mean(self.confusion.diagonal()[present] / counts[present]))

    def judged(self, class_weights: str | None) -> tuple[float, float, float]:
        """Return the accuracy and loss by which epochs are compared, and on how many examples.

        "balanced": every class counts the same. The number of examples is then the one whose
        accuracy has the standard error of the balanced accuracy, roughly.
        """
        if class_weights is None:
            return self.top1, self.loss, self.examples
        loss = float(self.losses(class_weights).mean())
        counts = self.confusion.sum(axis=1)
        present = counts[counts > 0]
        return self.balanced_accuracy, loss, float(len(present) ** 2 / np.sum(1 / present))

    def losses(self, class_weights: str | None) -> np.ndarray:
        """Return the loss of each example, float [N]: their mean is that of `judged`."""
        truth = self.probabilities[np.arange(self.examples), self.labels]
        losses = -np.log(np.maximum(truth, np.finfo(np.float32).tiny))
        if class_weights is None:
            return losses
        counts = self.confusion.sum(axis=1)
        weights = 1 / counts[self.labels]
        return losses * weights / weights.mean()

    @property
    def is_unequal(self) -> bool:
        """Whether classes have so different numbers of examples that accuracy can mislead."""
        counts = self.confusion.sum(axis=1)
        return bool(counts.max() > UNEQUAL * counts.min())

    @property
    def examples(self) -> int:
        """How many examples were evaluated."""
        return len(self.labels)

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON-ready values."""
        return {
            "examples": self.examples,
            "top1": self.top1,
            "top5": self.top5,
            "loss": self.loss,
            **({"balanced_accuracy": self.balanced_accuracy} if self.is_unequal else {}),
            "confusion": self.confusion.tolist(),
        }


def difference(losses: np.ndarray, others: np.ndarray) -> tuple[float, float]:
    """Return by how much the mean of losses is higher, and the standard error of that.

    Both are of the same examples, of which there are more than one.
    """
    more = losses - others
    return float(more.mean()), float(more.std(ddof=1)) / math.sqrt(len(more))


class Evaluator:
    """Evaluates one model repeatedly, without tracing it each time."""

    def __init__(self, model: keras.Model) -> None:
        """Take a model from float32 [N, S, S, 3], preprocessed, to logits [N, classes]."""
        self.classes = model.output_shape[-1]
        batch = tf.TensorSpec(model.input_shape, tf.float32)
        self.logits = tf.function(lambda images: model(images, training=False), [batch])

    def __call__(
        self,
        dataset: ImageDataset,
        split: str,
        preprocessing: Preprocessing,
        batch_size: int = EVALUATION_BATCH,
    ) -> Metrics:
        """Return the metrics of a split.

        Args:
          dataset: has as many labels as the model has classes.
          split: "train", "validation" or "test".
          preprocessing: the record to follow.
          batch_size: examples at a time; the result does not depend on it.

        Raises:
          UsageError: classes and labels disagree, or the data set lacks the split.
          RunError: the split has no images.
        """
        if len(dataset.labels) != self.classes:
            raise UsageError(
                f"the network answers {self.classes} classes, {dataset.name} has "
                f"{len(dataset.labels)}; give the data it was trained on"
            )
        outputs, labels = [], []
        with naming_failures(dataset):
            for images, truth in evaluation_batches(dataset, split, preprocessing, batch_size):
                outputs.append(self.logits(images).numpy())
                labels.append(truth.numpy())
        if not outputs:
            raise RunError(f"{dataset.name}: split {split} has no images")
        return score(np.concatenate(outputs), np.concatenate(labels))


def score(logits: np.ndarray, labels: np.ndarray) -> Metrics:
    """Return the metrics of answers.

    Args:
      logits: float [N, classes].
      labels: int [N].
    """
    logits = logits.astype(np.float64)
    classes = logits.shape[1]
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    truth = log_probabilities[np.arange(len(labels)), labels]
    ranking = np.argsort(-logits, axis=1, kind="stable")[:, :TOP]
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (labels, ranking[:, 0]), 1)
    return Metrics(
        top1=float(np.mean(ranking[:, 0] == labels)),
        top5=float(np.mean(np.any(ranking == labels[:, None], axis=1))),
        loss=float(-truth.mean()),
        confusion=confusion,
        probabilities=np.exp(log_probabilities).astype(np.float32),
        labels=labels.astype(np.int32),
    )


def split_metrics(
    evaluator: Evaluator, dataset: ImageDataset, preprocessing: Preprocessing
) -> dict[str, float]:
    """Return top1, top5 and loss on the test split, and with "validation_" before on that.

    Also balanced_accuracy where the classes are unequal.
    """
    found = {}
    for split, prefix in (("validation", "validation_"), ("test", "")):
        measured = evaluator(dataset, split, preprocessing)
        found.update(named(measured, prefix))
    return found


def named(measured: Metrics, prefix: str) -> dict[str, float]:
    """Return top1, top5 and loss, and balanced_accuracy if classes are unequal, with a prefix."""
    names = ["top1", "top5", "loss"] + ["balanced_accuracy"] * measured.is_unequal
    return {f"{prefix}{name}": getattr(measured, name) for name in names}


def in_words(metrics: Mapping[str, float]) -> str:
    """Return top-1 accuracy, and balanced accuracy if it was recorded, as the programs print it."""
    text = f"top-1 {metrics['top1']:.2%}"
    if "balanced_accuracy" in metrics:
        text += f" (mean over the classes {metrics['balanced_accuracy']:.2%})"
    return text


def standard_error(accuracy: float, count: float) -> float:
    """Return that of an accuracy on `count` images; never 0, as no finite sample is certain."""
    expected = (accuracy * count + 1) / (count + 2)
    return math.sqrt(expected * (1 - expected) / max(count, 1))


def better_than_chance(
    accuracy: float, labels: Sequence[int] | np.ndarray, balanced_accuracy: float = 0.0
) -> bool:
    """Return whether answers exceed those that do not depend on the image.

    An accuracy exceeds that of always giving the most frequent label, or a balanced accuracy that
    of any such answers, by two standard errors: of labels drawn at random, one data set in twenty
    passes.

    Args:
      accuracy: share of right answers, 0..1.
      labels: of the images.
      balanced_accuracy: mean of the classes' accuracies. Of very unequal classes, a network may
        know the rare ones and still be right no more often than the most frequent label.
    """
    counts = np.bincount(np.asarray(labels))
    chance, counts = counts.max() / max(len(labels), 1), counts[counts > 0]
    # A class's accuracy p has the variance p (1 - p) / count, which is at most 1 / 4 / count.
    error = math.sqrt(np.sum(0.25 / counts)) / len(counts)
    return bool(
        accuracy > chance + 2 * standard_error(chance, len(labels))
        or balanced_accuracy > 1 / len(counts) + 2 * error
    )


def record_evaluation(
    folder: RunFolder, dataset: ImageDataset, split: str, metrics: Metrics
) -> None:
    """Store evaluation.json, and pictures of the most confident mistakes for the report."""
    answers = metrics.probabilities.argmax(axis=1)
    confidence = metrics.probabilities.max(axis=1)
    wrong = np.flatnonzero(answers != metrics.labels)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:MAX_MISTAKES]
    pictures = folder.path / "mistakes"
    mistakes: list[dict[str, Any]] = []
    for index in worst:
        # Named by the example, so that an older record never refers to another picture.
        name = f"{pictures.name}/{split}_{index:06d}.png"
        pixels = dataset.split(split).examples[index].load(folder.preprocessing)
        with files.atomic_path(folder.path / name) as temporary:
            Image.fromarray(pixels).save(temporary)
        mistakes.append(
            {
                "picture": name,
                "label": int(metrics.labels[index]),
                "predicted": int(answers[index]),
                "probability": float(confidence[index]),
            }
        )
    folder.write_record("evaluation", {"split": split, **metrics.to_json(), "mistakes": mistakes})
    kept = {folder.path / mistake["picture"] for mistake in mistakes}
    for path in set(pictures.glob("*")) - kept:
        path.unlink(missing_ok=True)
