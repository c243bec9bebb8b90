"""One trial: train a network of the space and measure it.

Its run folder is named by the network, not by the trial, so that a network
whose process was killed goes on from its checkpoint.
"""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from sqzkit.base.keras import keras
from sqzkit.data import pipeline
from sqzkit.data.dataset import ImageDataset
from sqzkit.exploration.config import ExploreConfig
from sqzkit.exploration.objectives import OBJECTIVES, measure_converted, multiply_accumulates
from sqzkit.exploration.space import Candidate
from sqzkit.models import registry, summary
from sqzkit.preprocessing import Preprocessing, default
from sqzkit.runs.folder import RunFolder
from sqzkit.training.fit import StageFit, fit_stage

CALIBRATION_IMAGES = 100
Judge = Callable[[dict[str, Any], list[float]], bool]


class TrialStoppedError(Exception):
    """A trial is beaten by its like; its results so far are in `results`."""

    def __init__(self, results: dict[str, Any]) -> None:
        super().__init__("stopped early")
        self.results = results


@dataclasses.dataclass(frozen=True)
class Bench:
    """What all trials of this process share.

    Attributes:
      config: the exploration.
      dataset: what is learned.
      image_size: where the space leaves it open, pixels.
    """

    config: ExploreConfig
    dataset: ImageDataset
    image_size: int

    @property
    def trials_path(self) -> Path:
        """The folder of the run folders."""
        return Path(self.config.study_dir) / "trials"

    def folder(self, candidate: Candidate) -> RunFolder:
        """Return where the candidate's run is."""
        digest = hashlib.sha256(candidate.key.encode()).hexdigest()
        return RunFolder(self.trials_path / digest[:16])


def run_trial(bench: Bench, candidate: Candidate, judge: Judge) -> dict[str, Any]:
    """Train and measure a candidate.

    Args:
      bench: what the process shares.
      candidate: a valid network.
      judge: called after every epoch with the results known so far and the
        validation accuracy of each epoch; whether to stop.

    Returns:
      Results by name, JSON-ready; `values` picks the objectives from them.

    Raises:
      TrialStoppedError: `judge` said so.
      RunError: the training diverged or the network does not convert.
    """
    keras.backend.clear_session()
    keras.utils.set_random_seed(bench.config.training.seed)
    folder = bench.folder(candidate)
    spec = candidate.spec(bench.dataset.num_classes).to_json()
    record = default(candidate.image_size(bench.image_size))
    model = registry.build_from_json(spec, record.image_size)
    results: dict[str, Any] = {
        "folder": folder.path.name,
        "parameters": model.count_params(),
        "multiply_accumulates": multiply_accumulates(model),
    }
    _write_records(bench, folder, spec, record, model)
    watcher = _Watcher(folder, results, judge)
    stage = StageFit(
        folder, "train", bench.dataset, record, bench.config.options, callbacks=[watcher]
    )
    try:
        trained = fit_stage(model, stage)
    except TrialStoppedError:
        shutil.rmtree(folder.checkpoints_path, ignore_errors=True)
        raise
    metrics = trained.metrics
    results |= {
        "accuracy": metrics["validation_top1"],
        "test_top1": metrics["top1"],
        "test_top5": metrics["top5"],
        "train_seconds": metrics["train_seconds"],
        "curve": accuracies(folder),
    }
    chosen = [OBJECTIVES[name] for name in bench.config.objectives]
    if any(objective.converted for objective in chosen):
        results |= _convert(bench, trained.model, record)
    return results


def values(results: dict[str, Any], names: Sequence[str]) -> list[float]:
    """Return the objectives' values of a finished trial."""
    return [float(results[name]) for name in names]


def accuracies(folder: RunFolder) -> list[float]:
    """Return the validation accuracy of every epoch so far."""
    return [line["validation_accuracy"] for line in folder.metrics() if line["stage"] == "train"]


class _Watcher(keras.callbacks.Callback):
    """Asks after every epoch whether the trial is worth going on."""

    def __init__(self, folder: RunFolder, results: dict[str, Any], judge: Judge) -> None:
        super().__init__()
        self._folder, self._results, self._judge = folder, results, judge

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Raise `TrialStoppedError` if the trial is beaten."""
        assert logs is not None
        # This epoch's line is written after the callbacks.
        curve = [*accuracies(self._folder)[:epoch], float(logs["validation_accuracy"])]
        if self._judge(self._results, curve):
            best = {"accuracy": max(curve), "curve": curve}
            raise TrialStoppedError({**self._results, **best})


def _write_records(
    bench: Bench,
    folder: RunFolder,
    spec: dict[str, Any],
    record: Preprocessing,
    model: keras.Model,
) -> None:
    folder.write_preprocessing(record)
    folder.write_labels(bench.dataset.labels)
    folder.write_record("data", bench.config.data.to_json())
    folder.write_record("flags", {"explore": bench.config.to_json()})
    rows = [dataclasses.asdict(row) for row in summary.layer_table(model)]
    folder.write_record("layers", rows)
    folder.write_spec(json.loads(json.dumps(spec)))


def _convert(bench: Bench, model: keras.Model, record: Preprocessing) -> dict[str, Any]:
    images, _ = pipeline.raw_images(
        bench.dataset, "train", record, CALIBRATION_IMAGES, bench.config.training.seed
    )
    measured = measure_converted(
        model,
        record,
        bench.dataset.labels,
        np.asarray(images),
        "latency" in bench.config.objectives,
        Path(bench.config.study_dir) / "latency.lock",
    )
    found = dataclasses.asdict(measured)
    return {name: value for name, value in found.items() if value is not None}


def limit_threads(threads: int) -> None:
    """Let TensorFlow use that many threads in this process; 0 leaves it alone."""
    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
