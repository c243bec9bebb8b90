"""What a network learns beside the labels: a teacher's answers, and photographs without a label."""

import dataclasses
import hashlib
import json
from typing import Any

import numpy as np

from sqzkit.base.errors import UsageError
from sqzkit.data import augmentation, identity
from sqzkit.data.dataset import ImageDataset, SoftTargets, Split
from sqzkit.data.folder import drop_unusable, open_unlabeled
from sqzkit.data.store import fingerprint, open_store
from sqzkit.runs.folder import RunFolder
from sqzkit.training import checkpoint, distribution
from sqzkit.training.evaluate import better_than_chance, standard_error
from sqzkit.training.options import TeacherOptions
from sqzkit.training.teacher import FLAG, Teacher, of_run, open_teacher

BATCH = 64
UNLABELLED_FLAG = "--unlabelled_dir"


@dataclasses.dataclass(frozen=True)
class Lessons:
    """What is learnt.

    Attributes:
      dataset: as it was opened, or with a teacher's answers as its `soft_targets` and with the
        unlabelled photographs at the end of its training split.
      settings: what of it decides the outcome of a stage, JSON-ready.
      records: of the run folder, by name.
    """

    dataset: ImageDataset
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    records: dict[str, Any] = dataclasses.field(default_factory=dict)


def prepare(
    options: TeacherOptions, dataset: ImageDataset, folder: RunFolder, augmenting: str
) -> Lessons:
    """Ask the teacher, if there is one, about the labelled and the unlabelled photographs.

    Its answers are kept in the run folder, so that they are computed once.

    Args:
      options: who teaches, and with what weight.
      dataset: of the run; photographs that cannot be decoded are dropped from it.
      folder: of the run.
      augmenting: the name of the augmentation, which may mirror images.

    Raises:
      UsageError: the teacher cannot be used, or answers as if at random; there are no unlabelled
        photographs, or not those with which the run was begun.
      RunError: too many photographs cannot be decoded, or a file is damaged.
    """
    if options.file is None:
        return Lessons(dataset)
    teacher = open_teacher(options, dataset.labels)
    mirror = dataset.flip and augmentation.preset(augmenting).flip
    taught = _ask(teacher, dataset, "train", mirror, folder)
    records = {"teacher": _examine(teacher, taught[:, 0], dataset, folder)}
    settings = {
        "teacher": teacher.identity,
        "teacher_weight": options.weight,
        "teacher_temperature": options.temperature,
    }
    unlabelled = None
    if options.unlabelled_dir:
        unlabelled = open_unlabelled(options.unlabelled_dir, dataset, folder)
        settings["unlabelled"] = unlabelled.split("train").num_examples
        records["unlabelled"] = identity.record(unlabelled)
    joined = _join(teacher, dataset, unlabelled, taught, options.weight, mirror, folder)
    return Lessons(joined, settings, records)


def for_compression(dataset: ImageDataset, folder: RunFolder, unlabelled_dir: str) -> ImageDataset:
    """Return a trained run's data with the unlabelled photographs, labelled by its network.

    Raises:
      UsageError: the photographs are not those with which the run was begun.
    """
    teacher = of_run(folder.path, dataset.labels, "train")
    unlabelled = open_unlabelled(unlabelled_dir, dataset, folder)
    nothing = np.zeros((dataset.split("train").num_examples, 2, dataset.num_classes), np.float32)
    joined = _join(teacher, dataset, unlabelled, nothing, 0.0, False, folder)
    return dataclasses.replace(joined, soft_targets=None)


def open_unlabelled(path: str, dataset: ImageDataset, folder: RunFolder) -> ImageDataset:
    """Return a folder's photographs as a split "train" of one class without a name.

    What has the content of a photograph in one of the splits of `dataset` is left out: else
    accuracy would be measured on photographs that were trained on. A run that was begun
    before uses the photographs it began with.

    Raises:
      UsageError: no such folder; nothing is left; photographs of the run are gone.
      RunError: too many are unreadable.
    """
    found = open_unlabeled(path, UNLABELLED_FLAG)
    drop_unusable(found)
    known = {
        example.digest: (split, example)
        for split, content in dataset.splits.items()
        for example in content.examples
        if example.digest
    }
    kept = []
    for example in found.splits.pop("all").examples:
        if example.digest not in known:
            kept.append(example)
            continue
        split, same = known[example.digest]
        found.account.leave_out(
            "copy" if split == "train" else "in two splits",
            f"{found.name_of(example)} = {dataset.name_of(same)}",
        )
    found.splits["train"] = Split(tuple(kept))
    sentence = found.account.sentence()
    recorded = folder.read_record("unlabelled")
    if recorded:
        changes = identity.restore(found, recorded, UNLABELLED_FLAG)
        if changes.lost:
            raise UsageError(
                f"{UNLABELLED_FLAG} {path}: {changes.sentence()}; restore the photographs, or "
                "begin a new run with another --model_dir"
            )
    if not kept:
        raise UsageError(
            f"{UNLABELLED_FLAG} {path}: nothing to learn from: {sentence}; name a folder of other "
            "photographs than those of --data_dir"
        )
    count = found.split("train").num_examples
    print(f"unlabelled: {found.name}, {count:,} photographs", flush=True)
    if sentence:
        print(sentence, flush=True)
    return found


def _join(
    teacher: Teacher,
    dataset: ImageDataset,
    unlabelled: ImageDataset | None,
    taught: np.ndarray,
    weight: float,
    mirror: bool,
    folder: RunFolder,
) -> ImageDataset:
    """Return the data with the unlabelled photographs in its training split, and the answers."""
    examples, found = dataset.split("train").examples, dataset.found
    if unlabelled:
        answers = _ask(teacher, unlabelled, "train", mirror, folder)
        more = zip(unlabelled.split("train").examples, answers[:, 0].argmax(axis=1), strict=True)
        examples += tuple(dataclasses.replace(example, label=int(best)) for example, best in more)
        found += unlabelled.found
        taught = np.concatenate([taught, answers])
    labelled = dataset.split("train").num_examples
    return dataclasses.replace(
        dataset,
        splits={**dataset.splits, "train": Split(examples)},
        stores={},
        found=found,
        soft_targets=SoftTargets(taught, labelled, weight),
    )


def _ask(
    teacher: Teacher, dataset: ImageDataset, split: str, mirror: bool, folder: RunFolder
) -> np.ndarray:
    """Return the answers to a split and to its mirror images, float32 [N, 2, classes].

    Without `mirror` both are the same. Photographs that cannot be decoded are dropped.
    """
    record, content = teacher.preprocessing, dataset.split(split)
    key = [fingerprint(content.examples, record), teacher.identity, teacher.columns, mirror]
    name = hashlib.sha256(json.dumps([key, record.to_json()]).encode()).hexdigest()[:16]
    path = folder.path / "features" / f"{name}.npz"
    if found := checkpoint.load(path):
        (answers,) = found[1]["answers"]
        # Fewer, if some could not be decoded: these must be dropped again.
        if len(answers) == content.num_examples:
            return answers
    # The decoded images are not kept: the student takes others.
    store = open_store(dataclasses.replace(dataset, stores={}), split, record)
    parts = []
    for start in range(0, len(store.labels), BATCH):
        images = store.take(np.arange(start, min(start + BATCH, len(store.labels))))
        plain = teacher.answers(images)
        turned = teacher.answers(np.ascontiguousarray(images[:, :, ::-1])) if mirror else plain
        parts.append(np.stack([plain, turned], axis=1))
    answers = np.concatenate(parts)
    if distribution.is_chief():
        checkpoint.save(path, {"teacher": teacher.identity}, {"answers": [answers]})
    return answers


def _examine(
    teacher: Teacher, taught: np.ndarray, dataset: ImageDataset, folder: RunFolder
) -> dict[str, Any]:
    """Return the teacher's record, with its accuracy on photographs whose label is known.

    Raises `UsageError` if it is not shown to be better than always giving the most frequent class.
    """
    others = _ask(teacher, dataset, "validation", False, folder)[:, 0]
    answers = np.concatenate([taught, others]).argmax(axis=1)
    labels = np.concatenate([dataset.split(name).labels for name in ("train", "validation")])
    right, count = int((answers == labels).sum()), len(labels)
    accuracy = right / count
    side = teacher.preprocessing.image_size
    print(
        f"teacher: {teacher.name}, {teacher.classes:,} classes, {side}x{side} pixels: right on "
        f"{accuracy:.1%} ± {standard_error(accuracy, count):.1%} of the {count:,} training and "
        "validation images",
        flush=True,
    )
    # A handful of images cannot show more than that all are answered rightly.
    if right < count and not better_than_chance(accuracy, labels):
        raise UsageError(
            f"{FLAG} {teacher.name}: right on {right:,} of {count:,} labelled images, which is no "
            "better than always giving the most frequent class; check --teacher_preprocessing, "
            "--teacher_labels and the folders of the classes, or give another teacher"
        )
    return {
        "identity": teacher.identity,
        "classes": teacher.classes,
        "image_size": side,
        "top1": accuracy,
        "examples": count,
    }
