"""One trial: train a network of the space and measure it.

Its run folder is named after the network, not after the trial, so that if its process
is killed the next trial of the same network resumes from the checkpoint.
"""

import dataclasses
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqzkit.base.keras import keras
from sqzkit.coding import sqz
from sqzkit.conversion.converter import convert_calibrated
from sqzkit.data.dataset import ImageDataset
from sqzkit.exploration.config import ExploreConfig
from sqzkit.exploration.objectives import OBJECTIVES
from sqzkit.exploration.space import Candidate
from sqzkit.exploration.storage import locked
from sqzkit.models import registry
from sqzkit.preprocessing import Preprocessing, default
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.loading import begin_run, data_record
from sqzkit.tflite.latency import measure
from sqzkit.training.fit import StageFit, fit_stage

CALIBRATION_IMAGES = 100
LATENCY_RUNS = 50
LATENCY_WARMUP = 10
StopRule = Callable[[dict[str, Any], list[float]], bool]


class TrialStoppedError(Exception):
    """A trial was stopped early; its results so far are in `results`."""

    def __init__(self, results: dict[str, Any]) -> None:
        super().__init__("stopped early")
        self.results = results


@dataclasses.dataclass(frozen=True)
class Experiment:
    """What all trials of this process share.

    `image_size` is the side of the input in pixels, for networks that do not say theirs.
    """

    config: ExploreConfig
    dataset: ImageDataset
    image_size: int

    def folder(self, candidate: Candidate) -> RunFolder:
        """Return the run folder of a candidate."""
        digest = hashlib.sha256(candidate.key.encode()).hexdigest()
        return RunFolder(Path(self.config.study_dir) / "trials" / digest[:16])


def run_trial(
    experiment: Experiment, candidate: Candidate, should_stop: StopRule
) -> dict[str, Any]:
    """Train and measure a valid network; return its results by name, JSON-ready.

    The objectives are among them. `should_stop` is called after every epoch with the results known
    so far and the validation accuracy of each epoch; it returns whether to stop the trial.

    Raises:
      TrialStoppedError: `should_stop` returned true.
      RunError: the training diverged or the network does not convert.
    """
    config, dataset = experiment.config, experiment.dataset
    keras.backend.clear_session()
    keras.utils.set_random_seed(config.training.seed)
    folder = experiment.folder(candidate)
    spec = candidate.spec(dataset.num_classes).to_json()
    record = default(candidate.image_size(experiment.image_size))
    model = registry.build_from_json(spec, record.image_size)
    results: dict[str, Any] = {
        "folder": folder.path.name,
        "parameters": model.count_params(),
        "multiply_accumulates": multiply_accumulates(model),
    }
    flags = {"explore": config.to_json()}
    records = {"data": data_record(config.data, dataset), "flags": flags}
    begin_run(folder, spec, model, record, dataset.labels, records)

    def stop(epoch: int, logs: dict[str, Any]) -> None:
        # The line of this epoch is written after the callbacks.
        curve = [*accuracies(folder)[:epoch], float(logs["validation_accuracy"])]
        if should_stop(results, curve):
            raise TrialStoppedError({**results, "accuracy": max(curve), "curve": curve})

    watcher = keras.callbacks.LambdaCallback(on_epoch_end=stop)
    stage = StageFit(folder, "train", dataset, record, config.options, callbacks=[watcher])
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
    if any(OBJECTIVES[name].converted for name in config.objectives):
        results |= measure_converted(experiment, trained.model, record)
    return results


def accuracies(folder: RunFolder) -> list[float]:
    """Return the validation accuracy of every epoch so far."""
    return [line["validation_accuracy"] for line in folder.metrics() if line["stage"] == "train"]


def multiply_accumulates(model: keras.Model) -> int:
    """Return the multiplications of one inference's convolutions."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            _, height, width, _ = layer.output_shape
            total += height * width * layer.kernel.shape.num_elements()
    return total


def measure_converted(
    experiment: Experiment, model: keras.Model, record: Preprocessing
) -> dict[str, Any]:
    """Convert to int8 per tensor, which gives the smallest archive, and measure that file.

    Returns:
      "tflite_bytes", "sqz_bytes" and, if it is an objective, "latency": the fastest of
      `LATENCY_RUNS` inferences on one thread, ms. The fastest, because other processes of the
      study may use the machine at the same time; of those that measure one does at a time.
    """
    config, dataset = experiment.config, experiment.dataset
    what = (model, record, dataset.labels, dataset)
    content = convert_calibrated(*what, CALIBRATION_IMAGES, config.training.seed)
    results = {"tflite_bytes": len(content), "sqz_bytes": len(sqz.pack(content))}
    if "latency" not in config.objectives:
        return results
    with locked(Path(config.study_dir) / "latency.lock"):
        latency = measure(content, 1, LATENCY_RUNS, LATENCY_WARMUP).minimum_ms
    return {**results, "latency": round(latency, 6)}
