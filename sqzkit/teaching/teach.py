"""What `sqzkit teach` does: from a folder of photographs to a head, measured, and its report."""

import dataclasses
import hashlib
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sqzkit.base import __version__, assembly, files
from sqzkit.base.errors import RunError, UsageError
from sqzkit.base.progress import Progress
from sqzkit.coding import sqz
from sqzkit.data.dataset import Example, ImageDataset
from sqzkit.data.folder import open_folder
from sqzkit.data.source import DataSource
from sqzkit.preprocessing import Preprocessing
from sqzkit.runs import lock
from sqzkit.runs.folder import RunFolder
from sqzkit.teaching import export, fitting, head_file, measure, page
from sqzkit.teaching.config import MergeConfig, TeachConfig
from sqzkit.teaching.features import FeatureReader
from sqzkit.teaching.fitting import Answers
from sqzkit.teaching.head import Head, Taught, refuse_other
from sqzkit.tflite.classifier import Classifier

PathLike = str | os.PathLike[str]
HEAD, MODEL, ARCHIVE = "taught.head", "taught.tflite", "taught.sqz"
RECORD, REPORT = "teaching.json", "report.html"
MAX_COMPARED = 50  # photographs of which the exported model's answer is compared


@dataclasses.dataclass(frozen=True)
class Photographs:
    """The photographs of one split that could be read: their features and classes."""

    examples: list[Example]
    features: np.ndarray
    labels: np.ndarray


@dataclasses.dataclass(frozen=True)
class TaughtModel:
    """What `teach` wrote. Usable as a path: that of the `.head` file.

    Attributes:
      path: of the `.head` file.
      model: the `.tflite` with the head as its last layer.
      archive: the same as `.sqz`.
      report: of the report page.
      photographs: how many were taught, by class name.
      top1: accuracy on the photographs measured on, 0..1; None if there are none.
      record: all figures, as in `teaching.json`.
    """

    path: Path
    model: Path
    archive: Path
    report: Path
    photographs: Mapping[str, int]
    top1: float | None
    record: Mapping[str, Any]

    def __fspath__(self) -> str:
        return str(self.path)


def teach(
    model: PathLike, data: PathLike, *, output_dir: PathLike = "taught", **changes: Any
) -> TaughtModel:
    """Teach a converted model new classes from a few photographs, in seconds, without TensorFlow.

    Args:
      model: `.tflite` or `.sqz` file whose features to use.
      data: folder of photographs with a folder for each class.
      output_dir: folder for the head, the model that it makes, their record and the report page.
      **changes: other settings: `sqzkit teach --help`.

    Raises:
      SqzkitError: an argument is wrong, or the model cannot be taught.

    Example:
      >>> taught = sqzkit.teach(model.archive, "photographs", output_dir="taught")
      >>> 0 <= taught.top1 <= 1
      True
    """
    values = {"model": model, "data_dir": data, "output_dir": output_dir, **changes}
    return teach_folder(assembly.build(TeachConfig, values))


def teach_folder(config: TeachConfig) -> TaughtModel:
    """Teach a head on a folder of photographs, measure it, and write it with its report.

    The test split of the folder is measured on if it has one, else its validation split, else
    the photographs that are taught, each left out in turn.

    Raises:
      UsageError: an output exists, the output folder is a run's or another process writes there,
        or model, head and folder do not fit each other.
      RunError: something cannot be read or written.
    """
    with lock.hold(config.output_dir, "--output_dir"):
        return _teach_folder(config)


def _teach_folder(config: TeachConfig) -> TaughtModel:
    start, folder = time.monotonic(), Path(config.output_dir)
    if RunFolder(folder).spec_path.exists():
        raise UsageError(f"--output_dir {folder}: is a run folder, with a report of its own; name "
                         "another")  # fmt: skip
    for name in (HEAD, MODEL, ARCHIVE, RECORD, REPORT):
        files.refuse_existing(folder / name, config.overwrite)
    reader = FeatureReader(config.model, preprocessing=config.preprocessing)
    export.check(reader.content, config.model)
    head = _begin(config.head, reader)
    source = DataSource(data_dir=config.data_dir, max_broken_share=config.max_broken_share)
    dataset = open_folder(source, cut=False)
    if note := dataset.account.sentence():
        print(note, file=sys.stderr)
    split = next((name for name in ("test", "validation") if name in dataset.splits), None)
    parts = {name: _read(reader, dataset, name) for name in dataset.splits}
    measured = parts.pop(split) if split else None
    compared = measured or parts["train"]
    for part in parts.values():
        for row, label in zip(part.features, part.labels, strict=True):
            head.add(dataset.labels[label], row)
    taught = head.teach()
    model = export.export(reader.content, head)
    seconds = time.monotonic() - start
    found = _measured(head, taught, measured, dataset.labels)
    record = {
        **_record(config, reader, head, taught),
        **_figures(config, head, taught, measured, found),
        "exported": _exported(model, reader.classifier.preprocessing, taught, compared),
        "measured_on": split or "the photographs taught, each left out in turn",
        "seconds": round(seconds, 2),
    }
    pictures = page.mistakes(reader, taught, measured.examples, found) if measured else []
    report = page.render(record, found, pictures)
    kept = head.without_photographs() if config.sums_only else head
    return _write(folder, kept, model, record, report)


def _write(
    folder: Path, head: Head, model: bytes, record: dict[str, Any], report: str
) -> TaughtModel:
    archive = sqz.pack(model)  # before the first file: a kill in between would leave a part
    head_file.write(folder / HEAD, head)
    files.write_bytes(folder / MODEL, model)
    files.write_bytes(folder / ARCHIVE, archive)
    files.write_json(folder / RECORD, record)
    files.write_text(folder / REPORT, report)
    return TaughtModel(
        folder / HEAD,
        folder / MODEL,
        folder / ARCHIVE,
        folder / REPORT,
        dict(zip(head.labels, head.counts, strict=True)),
        record.get("top1"),
        record,
    )


def _exported(
    model: bytes, preprocessing: Preprocessing, taught: Taught, compared: Photographs
) -> dict[str, Any]:
    """Return size and SHA-256 of the exported model, and how often it answers as the head does."""
    classifier = Classifier(model, preprocessing=preprocessing)
    examples, features = compared.examples[:MAX_COMPARED], compared.features[:MAX_COMPARED]
    images = np.stack([example.load(classifier.preprocessing) for example in examples])
    same = classifier.predict(images).argmax(1) == taught.probabilities(features).argmax(1)
    return {
        "bytes": len(model),
        "sha256": hashlib.sha256(model).hexdigest(),
        "compared": len(same),
        "same_first_answer": float(same.mean()),
    }


def merge(paths: list[str], config: MergeConfig) -> Head:
    """Write the head of all photographs of several heads; return it.

    Raises:
      UsageError: fewer than two heads, heads of different models, or the output exists.
      RunError: one cannot be read.
    """
    if len(paths) < 2:
        raise UsageError(f"merge {' '.join(paths)}: name two heads or more")
    for path in paths:
        if not os.path.exists(path):
            raise UsageError(f"merge {path}: no such file")
    files.refuse_existing(config.output_file, config.overwrite)
    merged, *others = [head_file.read(path) for path in paths]
    for path, other in zip(paths[1:], others, strict=True):
        refuse_other(other.digest, merged.digest, f"{paths[0]} and {path}")
        merged = merged.merge(other)
    merged.teach()
    kept = merged.without_photographs() if config.sums_only else merged
    head_file.write(config.output_file, kept)
    return merged


def _begin(path: str | None, reader: FeatureReader) -> Head:
    if path is None:
        return Head(reader.digest, reader.size)
    head = head_file.read(path)
    refuse_other(head.digest, reader.digest, path)
    return head


def _read(reader: FeatureReader, dataset: ImageDataset, split: str) -> Photographs:
    """Return the features of a split; those that cannot be decoded are dropped."""
    preprocessing, rows = reader.classifier.preprocessing, []
    examples, broken = dataset.split(split).examples, {}
    progress = Progress(f"features of split {split}", len(examples))
    for index, example in enumerate(examples):
        try:
            rows.append(reader.average(reader.map(example.load(preprocessing))))
        except RunError as error:
            broken[index] = str(error)
        progress.show(index + 1)
    if broken:
        dataset.drop_broken(split, broken)
    kept = dataset.split(split)
    features = np.stack(rows) if rows else np.empty((0, reader.size), np.int16)
    return Photographs(list(kept.examples), features, kept.labels.astype(np.int64))


def _measured(
    head: Head, taught: Taught, measured: Photographs | None, labels: tuple[str, ...]
) -> Answers | None:
    """Return the answers to measure: None if no photograph can be measured on."""
    if measured is not None and len(measured.labels):
        numbers = np.array([taught.labels.index(label) for label in labels])
        truth = numbers[measured.labels]
        return measure.answers(taught.discriminant, measured.features, truth)
    strength = fitting.STRENGTHS[taught.choice.strength]
    left = fitting.leave_one_out(head.sums(), *head.rows(), strength)
    return left if len(left.labels) else None


def _figures(
    config: TeachConfig,
    head: Head,
    taught: Taught,
    measured: Photographs | None,
    found: Answers | None,
) -> dict[str, Any]:
    if found is None:
        return {"examples": 0}
    rows = head.rows()
    on = (measured.features, found.labels) if measured else None
    curve = measure.curve(rows, on, config.seed) if len(rows[1]) and not head.absent else []
    unknown = measure.unknown_class(rows, on or rows) if on and not head.absent else None
    chances = fitting.probabilities(found.scores, taught.choice.temperature)
    right = chances[np.arange(len(found.labels)), found.labels]
    return {
        "examples": len(found.labels),
        "top1": found.top1,
        "mean_probability_of_truth": float(right.mean()),
        "mean_first_probability": float(chances.max(1).mean()),
        "false_alarms": float((found.evidence > taught.choice.threshold).mean()),
        "unknown_class_auroc": unknown,
        "curve": curve,
        "confusion": found.confusion().tolist(),
    }


def _record(
    config: TeachConfig, reader: FeatureReader, head: Head, taught: Taught
) -> dict[str, Any]:
    return {
        "model": config.model,
        "model_sha256": hashlib.sha256(reader.content).hexdigest(),
        "features": {"digest": head.digest.hex(), "size": head.size},
        "labels": list(head.labels),
        "photographs": list(head.counts),
        "strength": fitting.STRENGTHS[taught.choice.strength],
        "temperature": taught.choice.temperature,
        "false_alarm_rate": fitting.alarm_rate(_left_out(head)),
        "flags": config.to_json(),
        "versions": {"sqzkit": __version__, "numpy": np.__version__},
    }


def _left_out(head: Head) -> int:
    """Return how many photographs chose the threshold: those not alone in their class."""
    return int((np.array(head.counts)[head.rows()[1]] > 1).sum())


def summary(result: TaughtModel) -> str:
    """Return what to tell the user."""
    record = result.record
    lines = [
        f"taught {sum(record['photographs'])} photographs of {len(record['labels'])} classes "
        f"in {record['seconds']:.1f} s"
    ]
    if record["examples"]:
        lines.append(
            f"top-1 {record['top1']:.2%} of {record['examples']} photographs "
            f"({record['measured_on']}); {record['false_alarms']:.1%} taken for none of these"
        )
    exported = record["exported"]
    lines += [f"wrote {path}" for path in (result.path, result.model, result.archive)]
    lines.append(
        f"the model gives the head's first answer on {exported['same_first_answer']:.1%} of "
        f"{exported['compared']} photographs"
    )
    return "\n".join([*lines, f"report: {result.report}"])
