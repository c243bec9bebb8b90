"""What convert.py converts: a run folder, published weights, or a Keras file."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sqzkit import preprocessing
from sqzkit.base import files
from sqzkit.base.errors import UsageError
from sqzkit.conversion.config import ConversionConfig
from sqzkit.conversion.prepared import probe_images
from sqzkit.data import folder, identity
from sqzkit.data.dataset import Split
from sqzkit.data.pipeline import raw_images
from sqzkit.data.tree import some
from sqzkit.models import channel_order, published, registry, transfer
from sqzkit.models.keras_file import load_keras_file
from sqzkit.preprocessing import Preprocessing
from sqzkit.runs.loading import load_run
from sqzkit.tflite import metadata

Images = tuple[np.ndarray, np.ndarray | None]
_MAX_UNLABELED = 1000


@dataclasses.dataclass(frozen=True)
class Source:
    """One float classifier with all that conversion needs.

    Attributes:
      model: float32 [N, S, S, 3], preprocessed, to logits; if `foreign`, to
        logits or probabilities.
      provenance: JSON-ready; where the model came from.
      licence: of the weights.
      clustered: whether its kernels have few distinct values.
      training: limit -> uint8 [N, S, S, 3] from its training split; None if it has none.
      test: () -> its test split and labels; None if it has none.
      validation: the same of its validation split.
      contents: of a run's data (`sqzkit.data.identity.record`); else empty.
      foreign: whether the model is of another maker, and so of any layers.
      equalizable: whether channels are scaled against each other before int8 rounding: not in
        runs, where that gained nothing, nor where kernels share values.
    """

    name: str
    model: Any
    preprocessing: Preprocessing
    labels: tuple[str, ...]
    provenance: dict[str, Any]
    licence: str
    clustered: bool = False
    training: Callable[[int], np.ndarray] | None = None
    test: Callable[[], Images] | None = None
    validation: Callable[[], Images] | None = None
    contents: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    foreign: bool = False
    equalizable: bool = False


def open_source(config: ConversionConfig) -> Source:
    """Return the source that the configuration names."""
    if config.model_dir is not None:
        return from_run(config.model_dir, config.stage, config.seed, config.data_dir)
    if config.weights is not None:
        return from_weights(config)
    return from_keras_file(
        str(config.keras_model_file), str(config.preprocessing), str(config.labels_file)
    )


def from_run(model_dir: str, stage: str | None, seed: int, data_dir: str | None = None) -> Source:
    """Return a stage of a run (None: the last finished), with its data to measure on."""
    run = load_run(model_dir, stage)
    finished = run.folder.finished_stages()
    names = [entry["stage"] for entry in finished]
    stages = finished[: names.index(run.stage) + 1]

    taught = run.folder.read_record("teacher")
    opened = functools.cache(lambda: run.open_data(data_dir=data_dir))

    def training(limit: int) -> np.ndarray:
        return raw_images(opened(), "train", run.preprocessing, limit, seed)[0]

    def photographs(split: str) -> Images:
        return raw_images(opened(), split, run.preprocessing)

    return Source(
        name=run.folder.path.resolve().name,
        model=run.model,
        preprocessing=run.preprocessing,
        labels=run.labels,
        provenance={
            "run": run.folder.path.resolve().name,
            "stages": [entry["stage"] for entry in stages],
            "weights_sha256": stages[-1]["weights_sha256"],
            **({"teacher": taught["identity"]} if taught else {}),
        },
        licence="",
        clustered=any(entry["stage"] == "cluster" for entry in stages),
        training=training,
        test=functools.partial(photographs, "test"),
        validation=functools.partial(photographs, "validation"),
        contents=run.contents,
    )


def from_weights(config: ConversionConfig) -> Source:
    """Return published weights, or a file's, as a model of the chosen or their own input size."""
    pretrained = published.find(str(config.weights), config.model)
    if pretrained.assumed:
        print(pretrained.assumed, flush=True)
    size = config.image_size or pretrained.image_size
    rule, labels = pretrained.preprocessing_at(size), pretrained.labels
    classes = pretrained.spec.classes
    if config.preprocessing:
        rule = preprocessing.named(config.preprocessing, size)
    if config.labels_file:
        labels = _labels(config.labels_file, classes)
    if labels is None:
        raise UsageError(f"--weights {config.weights}: give its {classes} labels as --labels_file")
    model = registry.build(pretrained.spec, size)
    transfer.load_weights(model, pretrained.load(config.weights_dir))
    channel_order.order_channels(model)
    return Source(
        name=pretrained.name,
        model=model,
        preprocessing=rule,
        labels=labels,
        provenance={**pretrained.provenance, **({"model": config.model} if config.model else {})},
        licence=pretrained.licence,
        equalizable=not pretrained.file.name.endswith(".net"),
    )


def _labels(path: str, classes: int) -> tuple[str, ...]:
    labels = metadata.read_labels(path)
    if len(labels) != classes:
        raise UsageError(
            f"--labels_file {path}: {len(labels)} labels for a model of {classes} classes"
        )
    return labels


def from_keras_file(path: str, record: str, labels_file: str) -> Source:
    """Return a model file of any maker; see `load_keras_file`."""
    model = load_keras_file(path)
    rule = preprocessing.named(record, model.input_shape[1])
    labels = _labels(labels_file, model.output_shape[1])
    provenance = {"keras_model_file": Path(path).name, "sha256": files.sha256(path)}
    return Source(Path(path).stem, model, rule, labels, provenance, licence="", foreign=True)


def representative_images(source: Source, config: ConversionConfig) -> np.ndarray | None:
    """Return uint8 [N, S, S, 3] to calibrate on, or None if the format needs no calibration.

    They are of `--representative_dataset_dir` or of the run's own training split; if neither is
    there, `UsageError` is raised.
    """
    if not config.options.needs_calibration:
        return None
    if config.representative_dataset_dir is not None:
        return _load(source, config, "calibration")
    if source.training is not None:
        return source.training(config.calibration_steps)
    raise UsageError(
        f"--quantization={config.options.quantization} needs photographs to calibrate on and "
        f"{source.name} comes without any: give --representative_dataset_dir"
    )


def verification_images(source: Source, config: ConversionConfig) -> tuple[Images, str] | None:
    """Return (images, labels or None) and their name, or None if there are none.

    The run's test split; else photographs of `--representative_dataset_dir`
    that were not calibrated on, whose labels are not known; else, for a model
    of another maker, random pictures.
    """
    if source.test is not None:
        return source.test(), "the test split"
    if config.representative_dataset_dir is None:
        drawn = probe_images(source.preprocessing.image_size)
        return ((drawn, None), "random pictures") if source.foreign else None
    where = f"{config.representative_dataset_dir} (photographs not calibrated on, labels unknown)"
    return (_load(source, config, "verification"), None), where


def _calibrated_on(config: ConversionConfig, photographs: int) -> int:
    """Return how many photographs to calibrate on where there is no test split.

    Half; three quarters if they decide the weights too; all if nothing is verified.
    """
    if not config.verify:
        return photographs
    kept = photographs // (4 if config.optimize else 2)
    return max(2, photographs - kept)


def _load(source: Source, config: ConversionConfig, part: str) -> np.ndarray:
    """Return uint8 [N, S, S, 3], the photographs of the folder to calibrate or to verify on.

    They come in the seed's random order. Broken ones and copies are dropped.
    """
    flag = "--representative_dataset_dir"
    dataset = folder.open_unlabeled(str(config.representative_dataset_dir), flag)
    every = dataset.split("all").examples
    order = np.random.default_rng(config.seed).permutation(len(every))
    chosen = [every[i] for i in order]
    count = len(chosen) if source.test else _calibrated_on(config, len(chosen))
    parts = {"calibration": chosen[: min(count, config.calibration_steps)]}
    if part == "verification":
        others = chosen[count : count + _MAX_UNLABELED]
        parts = {**parts, part: others} if others else {part: chosen[:_MAX_UNLABELED]}
    dataset.splits = {name: Split(tuple(examples)) for name, examples in parts.items()}
    folder.drop_unusable(dataset)
    measured = identity.exclude_measured(dataset, source.contents, part)
    if measured:
        print(f"{flag}: left out {len(measured):,} photographs that the file is measured on "
              f"({some(measured)})", flush=True)  # fmt: skip
    images = raw_images(dataset, part, source.preprocessing)[0]
    if dataset.account.left_out:
        print(f"{flag}: {dataset.account.sentence()}", flush=True)
    return images
