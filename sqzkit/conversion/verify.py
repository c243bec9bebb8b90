"""Compare a converted file with its float model on the same photographs."""

import dataclasses
import math
from typing import Any

import numpy as np

from sqzkit.base.errors import RunError
from sqzkit.conversion.config import ConversionConfig
from sqzkit.models.answers import answerer
from sqzkit.preprocessing import Preprocessing
from sqzkit.tflite.classifier import Classifier

TOP = 5
# The largest difference of any probability that the number format explains.
_MAX_DIFFERENCE = {"none": 1e-3, "float16": 2e-2}
# Of integer files of foreign models: a mean over photographs, and a share of them in per cent.
_MAX_MEAN_DIFFERENCE = 0.1
_MAX_OTHER_ANSWERS = 2.0
MAX_CHANCE_DROP = 10.0  # percentage points: a larger drop is never put down to chance
SIGNIFICANCE = 0.05
_NOT_RECORDED = ("max_difference", "lost", "gained")


@dataclasses.dataclass(frozen=True)
class Verification:
    """How the answers of both compare.

    Attributes:
      examples: how many photographs.
      agreement: share of them on which both have the same first answer, 0..1.
      mean_difference: of the probability the float model gives its first
        answer, absolute.
      float_top1, float_top5, converted_top1, converted_top5: accuracies, 0..1;
        None where the photographs have no labels.
      where: which photographs.
      max_difference: of any probability on any photograph, absolute; not recorded.
      lost, gained: photographs that only the float model, or only the file, answers
        correctly; not recorded.
    """

    examples: int
    agreement: float
    mean_difference: float
    float_top1: float | None
    float_top5: float | None
    converted_top1: float | None
    converted_top5: float | None
    where: str
    max_difference: float
    lost: int
    gained: int

    @property
    def drop(self) -> float | None:
        """Percentage points of top-1 lost by the conversion; None without labels."""
        if self.float_top1 is None or self.converted_top1 is None:
            return None
        return 100 * (self.float_top1 - self.converted_top1)

    @property
    def chance(self) -> float:
        """Probability that a file as accurate as the float model loses as many or more, 0..1.

        The one-sided sign test (the exact form of McNemar's) on the photographs that one of
        both answers correctly.
        """
        count = self.lost + self.gained
        tails = sum(math.comb(count, wrong) for wrong in range(self.lost, count + 1))
        return tails / 2**count

    def lead(self, other: "Verification") -> float:
        """Return by how many points this file is better than another one of the same network.

        In top-1, or in agreement with the float model where the photographs have no labels.
        """
        if self.converted_top1 is None or other.converted_top1 is None:
            return 100 * (self.agreement - other.agreement)
        return 100 * (self.converted_top1 - other.converted_top1)

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON-ready values."""
        figures = {**dataclasses.asdict(self), "drop": self.drop}
        return {name: figures[name] for name in figures if name not in _NOT_RECORDED}


class Reference:
    """A float model's answers on photographs, with which files are compared.

    Args:
      model, preprocessing, foreign: as for `prepared.prepare`.
      images: uint8 [N, S, S, 3], RGB, prepared but not normalized.
      labels: int32 [N], or None where they are not known.
      where: names the photographs for the record.

    Raises:
      RunError: there are no photographs, or the model answers with values that are not finite.
    """

    def __init__(
        self,
        model: Any,
        preprocessing: Preprocessing,
        images: np.ndarray,
        labels: np.ndarray | None,
        where: str,
        foreign: bool = False,
    ) -> None:
        if not len(images):
            raise RunError(f"no photographs in {where}: nothing to verify the file on")
        self._images, self._labels, self._where = images, labels, where
        self._answers = answerer(model, preprocessing, foreign)(images)
        if not np.isfinite(self._answers).all():
            raise RunError(
                "the float model answers with values that are not finite; give other "
                "--preprocessing, or save the model as it was before its weights became so"
            )

    def compare(self, content: bytes) -> Verification:
        """Return how the answers of a converted file compare."""
        reference, labels = self._answers, self._labels
        ours = Classifier(content).predict(self._images)
        first = reference.argmax(axis=1)
        rows = np.arange(len(ours))
        right, still = first == labels, ours.argmax(axis=1) == labels
        return Verification(
            examples=len(ours),
            agreement=float((ours.argmax(axis=1) == first).mean()),
            mean_difference=float(np.abs(ours[rows, first] - reference[rows, first]).mean()),
            float_top1=_accuracy(reference, labels, 1),
            float_top5=_accuracy(reference, labels, TOP),
            converted_top1=_accuracy(ours, labels, 1),
            converted_top5=_accuracy(ours, labels, TOP),
            where=self._where,
            max_difference=float(np.abs(ours - reference).max()),
            lost=int(np.count_nonzero(right & ~still)),
            gained=int(np.count_nonzero(still & ~right)),
        )


def refuse_drop(verification: Verification, max_accuracy_drop: float, advice: str) -> str:
    """Raise `RunError` if a file loses more than `max_accuracy_drop` points, unless by chance.

    The error ends with `advice`. Chance explains a drop of at most `MAX_CHANCE_DROP` points with
    `Verification.chance` above `SIGNIFICANCE`. What to say of such a drop is returned; of one
    within the limit "".
    """
    drop, found = verification.drop, verification
    if drop is None or round(drop, 9) <= max_accuracy_drop:  # 2 of 400 are 0.5 points
        return ""
    counted = (
        f"{drop:.2f} points below the float model on {found.where} ({found.examples} "
        f"photographs: {found.lost} lost, {found.gained} gained), more than "
        f"--max_accuracy_drop={max_accuracy_drop:g}"
    )
    if drop <= MAX_CHANCE_DROP and found.chance > SIGNIFICANCE:
        return f"{counted}; so small a difference may be chance (sign test: p = {found.chance:.2f})"
    raise RunError(f"the converted file is {counted}: no file was written; {advice}")


def advice(config: ConversionConfig) -> str:
    """Return what else to try where a file of this configuration loses too much."""
    options, optimize = config.options, config.optimize
    last = "or accept it with a larger --max_accuracy_drop"
    if optimize:
        budgets = ("archive_budget_bytes", "update_budget_bytes")
        given = [f"a larger --{name}, " for name in budgets if getattr(optimize, name)]
        return f"give {''.join(given)}no --optimize_for, {last}"
    others = {
        "int8": "--quantization=int16x8 or float16, ",
        "int16x8": "--quantization=float16, ",
        "dynamic": "--quantization=int8 or float16, ",
        "float16": "--quantization=none, ",
    }
    more = "more representative photographs (--calibration_steps), "
    granular = options.has_integer_kernels and options.granularity == "per_tensor"
    return "".join(
        [
            "give ",
            more if options.needs_calibration else "",
            "--granularity=per_channel, " if granular else "",
            others.get(options.quantization, "another network, "),
            last,
        ]
    )


def refuse_difference(
    verification: Verification, quantization: str, max_accuracy_drop: float, foreign: bool
) -> None:
    """Raise `RunError` if the file's probabilities are not the float model's.

    Float files are judged by what `quantization` explains. Integer files are judged if the model
    is `foreign`: more photographs than `max_accuracy_drop` per cent may not get another answer.
    """
    where = f"on {verification.where} ({verification.examples} photographs)"
    limit = _MAX_DIFFERENCE.get(quantization)
    if limit is not None and not verification.max_difference <= limit:
        raise RunError(
            f"the converted file's probabilities differ from the float model's by up to "
            f"{verification.max_difference:.4f} {where}, more than {limit:g}, which "
            f"--quantization={quantization} does not explain: no file was written; TensorFlow "
            "Lite computes a layer of this model otherwise than Keras"
        )
    if limit is not None or not foreign:
        return
    others = 100 * (1 - verification.agreement)
    allowed = max(_MAX_OTHER_ANSWERS, max_accuracy_drop)
    if others > allowed or not verification.mean_difference <= _MAX_MEAN_DIFFERENCE:
        raise RunError(
            f"the converted file has another first answer than the float model for {others:.2f} % "
            "of the photographs, and its probabilities differ by "
            f"{verification.mean_difference:.3f} in the mean, {where}; at most {allowed:g} % and "
            f"{_MAX_MEAN_DIFFERENCE:g} are allowed: no file was written; give more "
            "representative photographs, another --quantization, or, if you accept other "
            "answers, a larger --max_accuracy_drop"
        )


def _accuracy(probabilities: np.ndarray, labels: np.ndarray | None, top: int) -> float | None:
    if labels is None:
        return None
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    return float((best == labels[:, None]).any(axis=1).mean())
