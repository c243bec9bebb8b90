"""Begin a run folder, and load one: the network with its weights and all that belongs to it."""

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqzkit.base.errors import RunError, UsageError
from sqzkit.base.keras import keras
from sqzkit.base.settings import absolute
from sqzkit.data import identity
from sqzkit.data.dataset import ImageDataset
from sqzkit.data.open import open_dataset
from sqzkit.data.source import DataSource
from sqzkit.data.tree import some
from sqzkit.models.registry import build_from_json
from sqzkit.preprocessing import Preprocessing
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.weights import load_weights


@dataclasses.dataclass(frozen=True)
class LoadedRun:
    """A run, ready for use.

    Attributes:
      folder: the run folder.
      spec: the network's specification after `stage`, JSON values.
      stage: whose weights `model` has.
      model: float32 [N, S, S, 3], preprocessed, to logits [N, classes].
      preprocessing: the record the network was trained with.
      labels: class names in class order.
      source: where its data came from, or None if that is not recorded.
      contents: of its data as they were then (`sqzkit.data.identity.record`); may be empty.
    """

    folder: RunFolder
    spec: dict[str, Any]
    stage: str
    model: keras.Model
    preprocessing: Preprocessing
    labels: tuple[str, ...]
    source: DataSource | None
    contents: Mapping[str, Any]

    def open_data(self, cache_dir: str | None = None, data_dir: str | None = None) -> ImageDataset:
        """Open the run's data again, with the splits of the run.

        What was added, removed or changed since is printed, and not used.

        Args:
          cache_dir: as `open_dataset` takes it.
          data_dir: where the folder of photographs is now, if it was moved.

        Raises:
          UsageError: it is gone, its labels are not the run's, or none of a split is left.
        """
        if self.source is None:
            raise UsageError(f"{self.folder.path}: has no data.json, so its data are unknown")
        recorded = self.source.data_dir
        if data_dir is None and recorded is not None and not Path(recorded).exists():
            raise UsageError(
                f"{self.folder.path}: its photographs were in {recorded}: no such folder; put them "
                "back, or name their new place once: `sqzkit train --mode=eval "
                f"--model_dir={self.folder.path} --data_dir=NEW_PLACE`"
            )
        source = dataclasses.replace(self.source, data_dir=data_dir or recorded)
        dataset = open_dataset(source, cache_dir, alike=False)
        check_labels(self.folder, dataset)
        changes = identity.restore(dataset, self.contents).sentence()
        if changes:
            print(f"{self.folder.path}: {changes}", file=sys.stderr, flush=True)
        return dataset


def begin_run(
    folder: RunFolder,
    spec: Mapping[str, Any],
    model: keras.Model,
    preprocessing: Preprocessing,
    labels: Sequence[str],
    records: Mapping[str, Any],
) -> None:
    """Write what makes a folder a run folder, before its network is trained.

    Args:
      folder: to write to; made if it is missing.
      spec: of the network, JSON values.
      model: the network, for its table of layers.
      preprocessing: from photographs to its input.
      labels: class names in class order.
      records: by name: "data" (the source) and "flags" (the settings by program).

    Raises:
      WriteError: the folder cannot be written.
    """
    folder.write_preprocessing(preprocessing)
    folder.write_labels(tuple(labels))
    for name, record in records.items():
        folder.write_record(name, record)
    folder.write_record("layers", layer_table(model))
    # Last, because it makes the folder a run folder.
    folder.write_spec(dict(spec))


def layer_table(model: keras.Model) -> list[dict[str, Any]]:
    """Return name, kind, output shape and parameters of every layer but the input, in order."""
    return [
        {
            "name": layer.name,
            "kind": type(layer).__name__,
            "output_shape": list(layer.output_shape[1:]),
            "parameters": layer.count_params(),
        }
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer)
    ]


def load_run(model_dir: Path | str, stage: str | None = None) -> LoadedRun:
    """Load a run folder.

    Args:
      model_dir: made by `train.py`.
      stage: finished stage whose weights to take; default: the last.

    Raises:
      UsageError: it is not a run folder, or that stage is not finished.
      RunError: its files are missing, altered, or do not belong together.
    """
    folder = RunFolder.existing(model_dir)
    name, weights = folder.finished_weights(stage)
    spec, labels = folder.read_spec(name), folder.labels
    if spec.get("classes") != len(labels):
        raise RunError(
            f"{model_dir}: the network has {spec.get('classes')} classes, labels.txt "
            f"{len(labels)}; they do not belong together"
        )
    preprocessing = folder.preprocessing
    model = build_from_json(spec, preprocessing.image_size)
    load_weights(model, weights)
    source, contents = read_data(folder)
    return LoadedRun(folder, spec, name, model, preprocessing, labels, source, contents)


def data_record(source: DataSource, dataset: ImageDataset) -> dict[str, Any]:
    """Return data.json: where a run's data come from (absolute paths), and what they are."""
    return {**source.to_json(), **identity.record(dataset)}


def write_account(folder: RunFolder, dataset: ImageDataset) -> None:
    """Store anew which files are left out, since some are found while they are decoded."""
    record = folder.read_record("data")
    if record and record.get("account", {}) != dataset.account.to_json():
        folder.write_record("data", {**record, "account": dataset.account.to_json()})


def keep_place(folder: RunFolder, data_dir: str) -> None:
    """Note where a run's photographs are now, as an absolute path."""
    record, place = folder.read_record("data"), absolute(data_dir)
    if record and record.get("data_dir") != place:
        folder.write_record("data", {**record, "data_dir": place})


def read_data(folder: RunFolder) -> tuple[DataSource | None, dict[str, Any]]:
    """Return where a run's data come from, and their `identity.record`; (None, {}) if unknown.

    Raises:
      RunError: the record is damaged.
    """
    record = folder.read_record("data")
    if record is None:
        return None, {}
    contents = {name: record.pop(name) for name in identity.FIELDS if name in record}
    return DataSource.from_json(record), contents


def check_labels(folder: RunFolder, dataset: ImageDataset) -> None:
    """Raise `UsageError` unless the data set has the run's labels in the run's order."""
    if folder.labels == tuple(dataset.labels):
        return
    source, contents = read_data(folder)
    place = source and (source.data_dir or source.tfds_name)
    flag = "--data_dir" if source and source.data_dir else "--tfds_name"
    where = f" ({flag}={place})" if place else ""
    raise UsageError(
        f"{folder.path} was trained on {_shown(folder.labels)}, {dataset.name} has "
        f"{_shown(tuple(dataset.labels))}: {_differences(folder.labels, dataset, contents)}; give "
        f"the run's data{where}, or another --model_dir"
    )


def _differences(
    labels: tuple[str, ...], dataset: ImageDataset, contents: Mapping[str, Any]
) -> str:
    """Say which classes of a run a data set lacks, has besides, or has under another name."""
    renamed = identity.renamed(dataset, contents)
    lacks = [name for name in labels if name not in (*dataset.labels, *renamed.values())]
    new = [name for name in dataset.labels if name not in (*labels, *renamed)]
    parts = [f"{old!r} is called {now!r}" for now, old in sorted(renamed.items())]
    parts += [f"{some(lacks)} missing"] if lacks else []
    parts += [f"{some(new)} added"] if new else []
    return ", ".join(parts) or "the same in another order"


def _shown(labels: tuple[str, ...]) -> str:
    more = ", ..." if len(labels) > 4 else ""
    return f"{len(labels)} classes ({', '.join(labels[:4])}{more})"
