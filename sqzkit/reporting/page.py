"""The report page of a run: one HTML file that needs nothing else."""

import base64
import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sqzkit.base import files
from sqzkit.base.errors import RunError, UsageError
from sqzkit.reporting import compression, figures, templates
from sqzkit.runs.folder import RunFolder

TEMPLATE = Path(__file__).with_name("page.html")
MAX_CLASSES = 30  # of which all are listed and labelled; of more, the worst are listed
# What Python, NumPy, Matplotlib and the template raise for values of another kind.
_ODD_VALUES = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)


def write_report(folder: RunFolder, retrained: RunFolder | None = None) -> Path:
    """Write `report.html` of the run from what its folder holds; return its path.

    Sections without records yet (conversions, compression) are left out.

    Args:
      folder: of the run.
      retrained: of a run on the same photographs that no older one bounds, to compare with.

    Raises:
      RunError: the records are damaged.
      UsageError: `retrained` cannot be compared with the run.
    """
    try:
        page = render(folder, _comparable(folder, retrained) if retrained else None)
    except _ODD_VALUES as error:
        raise RunError(
            f"{folder.path}: a record does not hold what it should: {error}; restore the folder "
            "from a copy, or train again in a new one"
        ) from error
    files.write_text(folder.report_path, page)
    return folder.report_path


def _comparable(folder: RunFolder, retrained: RunFolder) -> dict[str, Any]:
    """Return name and accuracy of a run that was measured on as many photographs."""
    if folder.read_record("base") is None:
        raise UsageError(f"--retrained: {folder.path} has no older version (train --base)")
    own, other = (each.read_record("evaluation") for each in (folder, retrained))
    if own is None or other is None:
        raise UsageError(f"--retrained {retrained.path}: both runs must have been evaluated")
    sides = [(sorted(each.labels), found["examples"]) for each, found in
             ((folder, own), (retrained, other))]  # fmt: skip
    if sides[0] != sides[1]:
        raise UsageError(
            f"--retrained {retrained.path}: tells {len(sides[1][0])} classes apart and was "
            f"measured on {sides[1][1]} photographs, this run {len(sides[0][0])} on "
            f"{sides[0][1]}; train it on the same --data_dir"
        )
    return {"name": retrained.path.resolve().name, "top1": other["top1"]}


def render(folder: RunFolder, retrained: dict[str, Any] | None = None) -> str:
    """Return the report page as HTML text."""
    evaluation = folder.read_record("evaluation")
    lines = folder.metrics()
    layers = folder.read_record("layers") or []
    converted = conversions(folder)
    classes = class_rows(evaluation["confusion"], folder.labels) if evaluation else []
    return templates.render(
        TEMPLATE,
        name=folder.path.resolve().name,
        spec=folder.read_spec(),
        preprocessing=folder.preprocessing,
        labels=folder.labels,
        stages=folder.finished_stages(),
        left_out=accounted(folder, "left_out"),
        alike=accounted(folder, "alike"),
        teacher=folder.read_record("teacher"),
        base=folder.read_record("base"),
        moved=moved_weights(folder),
        retrained=retrained,
        unlabelled=sum(
            (folder.read_record("unlabelled") or {}).get("counts", {}).get("train", {}).values()
        ),
        layers=layers,
        parameters=sum(layer["parameters"] for layer in layers),
        evaluation=evaluation,
        interval=evaluation and interval(evaluation["top1"], evaluation["examples"]),
        head=head(folder),
        fine_tuning=folder.read_record("fine_tuning"),
        balanced=balanced_accuracy(classes),
        classes=classes if len(classes) <= MAX_CLASSES else worst_classes(classes),
        curves=[figures.curve(lines, name) for name in ("loss", "accuracy")] if lines else [],
        confusion=evaluation
        and figures.confusion(evaluation["confusion"], folder.labels, MAX_CLASSES),
        mistakes=mistakes(folder, evaluation) if evaluation else [],
        conversions=converted,
        sizes=figures.sizes(size_rows(converted)) if converted else None,
        compression=compression.render(folder),
        commands=folder.read_record("commands") or [],
    )


def moved_weights(folder: RunFolder) -> int | None:
    """Return how many weights the last stage that counted them moved; None if none did."""
    counts = [stage["metrics"].get("moved_weights") for stage in folder.finished_stages()]
    return next((int(count) for count in reversed(counts) if count is not None), None)


@dataclasses.dataclass(frozen=True)
class ClassRow:
    """How one class was answered: how many of its images, and how many of them correctly.

    `mistaken_for` is the most frequent wrong answer, or "" if there is none.
    """

    label: str
    examples: int
    correct: int
    mistaken_for: str

    @property
    def accuracy(self) -> float | None:
        """Share of its images that were answered correctly, 0..1; None without images."""
        return self.correct / self.examples if self.examples else None


def class_rows(confusion: Sequence[Sequence[int]], labels: Sequence[str]) -> list[ClassRow]:
    """Return one row for each class; `confusion[i][j]` counts class i answered as class j."""
    rows = []
    for index, (label, counts) in enumerate(zip(labels, np.array(confusion), strict=True)):
        wrong = np.where(np.arange(len(counts)) == index, 0, counts)
        mistaken_for = labels[int(wrong.argmax())] if wrong.any() else ""
        rows.append(ClassRow(label, int(counts.sum()), int(counts[index]), mistaken_for))
    return rows


def balanced_accuracy(rows: Sequence[ClassRow]) -> float | None:
    """Return the mean of the classes' accuracies, 0..1; None if no class has images."""
    shares = [row.accuracy for row in rows if row.accuracy is not None]
    return sum(shares) / len(shares) if shares else None


def interval(share: float, examples: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share of some examples (Wilson, 1927), 0..1."""
    z = 1.96
    middle = (share + z * z / (2 * examples)) / (1 + z * z / examples)
    spread = math.sqrt(share * (1 - share) / examples + (z / (2 * examples)) ** 2)
    half = spread * z / (1 + z * z / examples)
    return max(0.0, middle - half), min(1.0, middle + half)


MAX_INTERVAL = 0.1  # width up to which an accuracy shows whether more images helped


@dataclasses.dataclass(frozen=True)
class Head:
    """What the images held out from a fitted head say of the data.

    Attributes:
      curve: (number of training images, accuracy on those held out, 0..1), fewest first.
      twice: the accuracy expected of twice as many images, 0..1; None if more do not help.
      suspects: (photograph, its class, the class it looks like, how much so, 0..1).
    """

    curve: list[tuple[int, float]]
    twice: float | None
    suspects: list[tuple[str, str, str, float]]

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval of the last accuracy, 0..1."""
        count, accuracy = self.curve[-1]
        return interval(accuracy, count)

    @property
    def is_uncertain(self) -> bool:
        """Whether chance may hide what more images would bring."""
        lowest, highest = self.interval
        return highest - lowest > MAX_INTERVAL


def head(folder: RunFolder) -> Head | None:
    """Return what `head.json` holds, or None if there is none."""
    record = folder.read_record("head")
    if not record:
        return None
    curve = [(int(count), float(accuracy)) for count, accuracy in record["curve"]]
    (_, before), (_, now) = curve[-2:]
    # Errors fall by the same factor each time that the number of images doubles.
    twice = 1 - (1 - now) ** 2 / (1 - before) if before < now else None
    labels = folder.labels
    suspects = [
        (s["photograph"], labels[s["label"]], labels[s["looks_like"]], float(s["probability"]))
        for s in record["suspects"]
    ]
    return Head(curve, twice, suspects)


def worst_classes(rows: Sequence[ClassRow]) -> list[ClassRow]:
    """Return the `MAX_CLASSES` classes with the lowest accuracy, lowest first."""
    known = [row for row in rows if row.examples]
    return sorted(known, key=lambda row: row.correct / row.examples)[:MAX_CLASSES]


def accounted(folder: RunFolder, kind: Literal["left_out", "alike"]) -> list[dict[str, Any]]:
    """Return how many files the data reader noted for each reason, and their names."""
    record = folder.read_record("data") or {}
    reasons = (record.get("account") or {}).get(kind) or {}
    return [
        {"reason": reason, "count": int(entry["count"]), "names": list(entry["names"])}
        for reason, entry in sorted(reasons.items())
    ]


def mistakes(folder: RunFolder, evaluation: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the worst mistakes, each with the picture that the network saw, as a data URL."""
    labels = folder.labels
    return [
        {
            "picture": _data_url(folder.path, entry["picture"]),
            "truth": labels[entry["label"]],
            "answer": labels[entry["predicted"]],
            "probability": entry["probability"],
        }
        for entry in evaluation.get("mistakes", [])
    ]


def _data_url(folder: Path, name: str) -> str:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise RunError(f"{folder}: the picture {name!r} lies outside the run folder")
    try:
        return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from error


@dataclasses.dataclass(frozen=True)
class Conversion:
    """A converted file: its name, and its sidecar JSON."""

    name: str
    record: dict[str, Any]

    @property
    def bytes(self) -> int:
        """Size of the `.tflite`, in bytes."""
        return int(self.record["sizes"]["tflite"])

    @property
    def archive_bytes(self) -> int | None:
        """Size of its `.sqz`, in bytes, if there is one."""
        size = self.record["sizes"].get("sqz")
        return int(size) if size else None

    @property
    def update_bytes(self) -> int | None:
        """Size of the update of an older file, in bytes, if there is one."""
        size = self.record["sizes"].get("update")
        return int(size) if size else None

    def verified(self, name: str) -> float | None:
        """Return "float_top1", "converted_top1" or "agreement", 0..1, if it was verified."""
        return (self.record.get("verification") or {}).get(name)


def conversions(folder: RunFolder) -> list[Conversion]:
    """Return everything that was converted from the run, largest first."""
    found = [
        _conversion(path)
        for path in sorted(folder.conversions_path.glob("*.tflite.json"))
        if path.with_suffix("").exists()  # the file is written after its record
    ]
    return sorted(found, key=lambda conversion: -conversion.bytes)


def size_rows(converted: Sequence[Conversion]) -> list[tuple[str, int]]:
    """Return (name, bytes) of every file and archive."""
    rows = []
    for conversion in converted:
        rows.append((conversion.name, conversion.bytes))
        if conversion.archive_bytes:
            rows.append((f"{conversion.name} as .sqz", conversion.archive_bytes))
    return rows


def _conversion(path: Path) -> Conversion:
    record = files.read_json(path)
    sizes = record.get("sizes") if isinstance(record, dict) else None
    size = sizes.get("tflite") if isinstance(sizes, dict) else None
    verification = record.get("verification") if isinstance(record, dict) else None
    if not isinstance(size, int) or not isinstance(verification or {}, dict):
        raise RunError(
            f"{path}: not the record of a converted file; convert again with --overwrite"
        )
    return Conversion(path.name.removesuffix(".json"), record)
