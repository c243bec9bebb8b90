"""Run folders for a comparison: copied, prepared, and their recorded options read."""

import dataclasses
import shutil
import sys
from typing import Any

from sqzkit.base.keras import keras
from sqzkit.models import summary
from sqzkit.preprocessing import Preprocessing
from sqzkit.runs.folder import RunFolder
from sqzkit.training.options import FitOptions

RECORDS = ("preprocessing", "data", "flags", "layers")


def copy_run(source: RunFolder, target: RunFolder, stages: tuple[str, ...]) -> RunFolder:
    """Copy a run as it was after `stages`, unless it is there; return the copy.

    It appears as a whole: a killed copy leaves nothing that looks like a run.
    """
    if target.spec_path.exists():
        return target
    aside = RunFolder(target.path.with_name(f".{target.path.name}"))
    shutil.rmtree(aside.path, ignore_errors=True)
    aside.path.mkdir(parents=True)
    for name in RECORDS:
        record = source.read_record(name)
        if record is not None:
            aside.write_record(name, record)
    aside.write_labels(source.labels)
    kept = [entry for entry in source.finished_stages() if entry["stage"] in stages]
    for entry in kept:
        for path in (source.weights_path(entry["stage"]), source.stage_spec_path(entry["stage"])):
            if path.exists():
                shutil.copy2(path, aside.path / path.name)
    aside.write_record("stages", kept)
    aside.write_spec(source.read_spec())
    shutil.rmtree(target.path, ignore_errors=True)
    aside.path.rename(target.path)
    return target


def prepare_run(
    folder: RunFolder,
    spec: dict[str, Any],
    model: keras.Model,
    preprocessing: Preprocessing,
    labels: tuple[str, ...],
    records: dict[str, Any],
) -> None:
    """Write what makes a folder a run folder, before its network is trained.

    Args:
      folder: to write to.
      spec: of `model`, JSON values.
      model: the network.
      preprocessing: of the run.
      labels: of the run.
      records: by name: "data" and "flags".
    """
    folder.write_preprocessing(preprocessing)
    folder.write_labels(labels)
    for name, record in records.items():
        folder.write_record(name, record)
    rows = [dataclasses.asdict(row) for row in summary.layer_table(model)]
    folder.write_record("layers", rows)
    folder.add_command(sys.argv)
    folder.write_spec(spec)  # last, because it makes the folder a run folder


def recorded_options(folder: RunFolder, stage: str = "train") -> FitOptions:
    """Return how a finished stage was trained."""
    config = next(e["config"] for e in folder.finished_stages() if e["stage"] == stage)
    names = {field.name for field in dataclasses.fields(FitOptions)} & config.keys()
    return FitOptions(**{name: config[name] for name in names})
