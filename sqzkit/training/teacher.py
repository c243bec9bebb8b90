"""A trained classifier, of any file format, whose answers another network learns."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from sqzkit import preprocessing as rules
from sqzkit.base import files
from sqzkit.base.errors import FormatError, UsageError
from sqzkit.base.keras import keras
from sqzkit.models import published, registry, transfer, weight_files
from sqzkit.models.answers import answerer
from sqzkit.models.keras_file import SUFFIXES as KERAS_SUFFIXES
from sqzkit.models.keras_file import load_keras_file
from sqzkit.preprocessing import Preprocessing
from sqzkit.runs.loading import load_run
from sqzkit.tflite.classifier import Classifier
from sqzkit.tflite.metadata import read_labels
from sqzkit.training.options import TeacherOptions

FLAG = "--teacher"
CLASSIFIER_SUFFIXES = (".tflite", ".sqz")
_SHOWN_CLASSES = 3


@dataclasses.dataclass(frozen=True)
class Teacher:
    """A classifier that answers with the probabilities of a data set's classes.

    Attributes:
      name: of its file or run folder.
      identity: the name, and the SHA-256 of its weights or file.
      classes: how many it knows.
      preprocessing: how it takes photographs.
      probabilities: uint8 [N, S, S, 3], prepared -> float32 [N, classes].
      columns: which of its classes each class of the data is.
    """

    name: str
    identity: str
    classes: int
    preprocessing: Preprocessing
    probabilities: Callable[[np.ndarray], np.ndarray]
    columns: list[int]

    def answers(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities of the data's classes, float32 [N, classes], sum 1.

        What the teacher gives to other classes is left out.

        Raises:
          FormatError: it answers with values that are not finite.
        """
        found = self.probabilities(images)[:, self.columns].astype(np.float64)
        if not np.isfinite(found).all():
            raise FormatError(
                f"{FLAG} {self.name}: answers with values that are not finite; give another "
                "teacher, or another --teacher_preprocessing"
            )
        found = np.maximum(found, 1e-9)
        return np.asarray(found / found.sum(axis=1, keepdims=True), np.float32)


def open_teacher(options: TeacherOptions, labels: Sequence[str]) -> Teacher:
    """Open the teacher that `options` name, for data with some labels.

    Classes are matched by their names; case and spaces around them do not count.

    Args:
      options: with a file.
      labels: of the data.

    Raises:
      UsageError: there is no such file; the format is not supported; the file does not say how
        it takes photographs; the teacher does not know each class.
      RunError: the file is damaged, or is not a classifier.
    """
    path = Path(str(options.file))
    if not path.exists():
        raise UsageError(f"{FLAG} {path}: no such file or folder")
    names = read_labels(options.labels_file, "--teacher_labels") if options.labels_file else None
    if path.is_dir():
        return of_run(path, labels)
    if path.suffix in CLASSIFIER_SUFFIXES:
        return _of_classifier(path, options.preprocessing, names, labels)
    if path.suffix in KERAS_SUFFIXES:
        model, foreign = load_keras_file(path, FLAG), True
        if options.preprocessing is None:
            raise UsageError(
                f"{FLAG} {path}: a Keras file does not say how it takes photographs; give "
                f"--teacher_preprocessing, one of {', '.join(rules.NAMES)} or a preprocessing.json"
            )
        record = _named(options.preprocessing, model.input_shape[1])
    elif path.suffix in weight_files.SUFFIXES:
        pretrained, foreign = published.find(str(path)), False
        record = pretrained.preprocessing
        if options.preprocessing:
            record = _named(options.preprocessing, pretrained.image_size)
        model = registry.build(pretrained.spec, pretrained.image_size)
        transfer.load_weights(model, pretrained.load())
        names = names or pretrained.labels
    else:
        known = *CLASSIFIER_SUFFIXES, *KERAS_SUFFIXES, *weight_files.SUFFIXES
        raise UsageError(f"{FLAG} {path}: must be a run folder, or end in {', '.join(known)}")
    return _of_model(path.name, files.sha256(path), model, record, names, labels, foreign)


def of_run(path: Path, labels: Sequence[str], stage: str | None = None) -> Teacher:
    """Return a stage of a run (None: the last finished) as the teacher of data with some labels.

    Raises:
      UsageError: it is not a run folder, or it does not know each class.
      RunError: no stage is finished, or a file is missing or damaged.
    """
    if not (path / "spec.json").exists():
        raise UsageError(f"{FLAG} {path}: not a run folder; give one of sqzkit train, or a file")
    run = load_run(path, stage)
    sha256 = run.folder.finished_stage(run.stage)["weights_sha256"]
    name = path.resolve().name
    return _of_model(name, sha256, run.model, run.preprocessing, run.labels, labels, False)


def _of_classifier(
    path: Path, preprocessing: str | None, names: Sequence[str] | None, labels: Sequence[str]
) -> Teacher:
    try:
        classifier = Classifier(path, preprocessing=preprocessing, labels=names)
    except FormatError as error:
        hint = " (here --teacher_preprocessing)" if "--preprocessing" in str(error) else ""
        raise FormatError(f"{FLAG} {error}{hint}") from error
    named = names or (classifier.metadata.labels if classifier.metadata else None)
    count = len(classifier.labels)
    return Teacher(
        path.name,
        f"{path.name} sha256:{files.sha256(path)}",
        count,
        classifier.preprocessing,
        classifier.predict,
        _columns(path.name, named, count, labels),
    )


def _of_model(
    name: str,
    sha256: str,
    model: keras.Model,
    record: Preprocessing,
    names: Sequence[str] | None,
    labels: Sequence[str],
    foreign: bool,
) -> Teacher:
    count = int(model.output_shape[1])
    columns = _columns(name, names, count, labels)
    answer = answerer(model, record, foreign)
    return Teacher(name, f"{name} sha256:{sha256}", count, record, answer, columns)


def _named(name: str, image_size: int) -> Preprocessing:
    return rules.named(name, image_size, "--teacher_preprocessing")


def _columns(
    name: str, names: Sequence[str] | None, count: int, labels: Sequence[str]
) -> list[int]:
    """Return which class of the teacher each of the data's classes is."""
    if not names and count == len(labels):
        print(f"teacher: {name} does not name its classes; taken to be the data's, in their order")
        return list(range(count))
    if not names or len(names) != count:
        found = f"{len(names)} names for" if names else "no names for its"
        raise UsageError(
            f"{FLAG} {name}: has {found} {count} classes, and the data have {len(labels)}; "
            "give the names, one a line, as --teacher_labels"
        )
    places = {_plain(known): place for place, known in enumerate(names)}
    missing = [label for label in labels if _plain(label) not in places]
    if missing:
        raise UsageError(
            f"{FLAG} {name}: does not know {_some(missing)} of the data; it knows {_some(names)}; "
            "give a teacher of all classes, or its names for them as --teacher_labels"
        )
    return [places[_plain(label)] for label in labels]


def _plain(label: str) -> str:
    return label.strip().casefold()


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN_CLASSES:,} more" if len(names) > _SHOWN_CLASSES else ""
    kind = "the class" if len(names) == 1 else "the classes"
    return f"{kind} {', '.join(map(repr, names[:_SHOWN_CLASSES]))}{more}"
