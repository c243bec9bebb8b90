"""A converted file beside the float model it was made from, on the same photographs."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from sqzkit.base.errors import RunError
from sqzkit.base.keras import keras
from sqzkit.conversion.converter import ends_in_probabilities
from sqzkit.preprocessing import Preprocessing, photograph
from sqzkit.tflite.classifier import Classifier, softmax

BATCH_SIZE = 64
TOP = 5


@dataclasses.dataclass(frozen=True)
class Verification:
    """What both answered.

    Attributes:
      examples: how many photographs.
      agreement: share of them on which both have the same first answer, 0..1.
      mean_difference: of the probability the float model gives its first
        answer, absolute.
      float_top1, float_top5, converted_top1, converted_top5: accuracies, 0..1;
        None where the photographs have no labels.
      where: which photographs.
    """

    examples: int
    agreement: float
    mean_difference: float
    float_top1: float | None
    float_top5: float | None
    converted_top1: float | None
    converted_top5: float | None
    where: str

    @property
    def drop(self) -> float | None:
        """Percentage points of top-1 lost by the conversion; None without labels."""
        if self.float_top1 is None or self.converted_top1 is None:
            return None
        return 100 * (self.float_top1 - self.converted_top1)

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON-ready values."""
        return {**dataclasses.asdict(self), "drop": self.drop}


def verify(
    model: keras.Model,
    preprocessing: Preprocessing,
    content: bytes,
    images: np.ndarray,
    labels: np.ndarray | None,
    where: str,
) -> Verification:
    """Run both on the same photographs.

    Args:
      model: the float model, to logits or probabilities.
      preprocessing: what `model` expects of its input.
      content: the converted file.
      images: uint8 [N, S, S, 3], RGB, prepared but not normalized.
      labels: int32 [N], or None where they are not known.
      where: name of the photographs, for the record.

    Raises:
      RunError: there are no photographs.
    """
    if not len(images):
        raise RunError(f"no photographs in {where}: nothing to verify the file on")
    ours = Classifier(content).predict(images)
    reference = float_probabilities(model, preprocessing, images)
    first = reference.argmax(axis=1)
    rows = np.arange(len(images))
    return Verification(
        examples=len(images),
        agreement=float((ours.argmax(axis=1) == first).mean()),
        mean_difference=float(np.abs(ours[rows, first] - reference[rows, first]).mean()),
        float_top1=_accuracy(reference, labels, 1),
        float_top5=_accuracy(reference, labels, TOP),
        converted_top1=_accuracy(ours, labels, 1),
        converted_top5=_accuracy(ours, labels, TOP),
        where=where,
    )


def refuse_drop(verification: Verification, max_accuracy_drop: float) -> None:
    """Raise `RunError` if the file is more than `max_accuracy_drop` points below float."""
    drop = verification.drop
    if drop is not None and drop > max_accuracy_drop:
        raise RunError(
            f"the converted file is {drop:.2f} points below the float model on "
            f"{verification.where} ({verification.examples} photographs), more than "
            f"--max_accuracy_drop={max_accuracy_drop:g}: no file was written; give more "
            "representative photographs (--calibration_steps), --granularity=per_channel, "
            "or another --quantization"
        )


def float_probabilities(
    model: keras.Model, preprocessing: Preprocessing, images: np.ndarray
) -> np.ndarray:
    """Return the float model's probabilities, float32 [N, classes].

    Args:
      model: to logits or probabilities.
      preprocessing: what `model` expects of its input.
      images: uint8 [N, S, S, 3], RGB.
    """
    answer = tf.function(lambda batch: model(batch, training=False), reduce_retracing=True)
    batches = [
        answer(photograph.normalize(images[start : start + BATCH_SIZE], preprocessing)).numpy()
        for start in range(0, len(images), BATCH_SIZE)
    ]
    outputs = np.concatenate(batches).astype(np.float32)
    return outputs if ends_in_probabilities(model) else softmax(outputs)


def _accuracy(probabilities: np.ndarray, labels: np.ndarray | None, top: int) -> float | None:
    if labels is None:
        return None
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    return float((best == labels[:, None]).any(axis=1).mean())
