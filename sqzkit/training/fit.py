"""One resumable stage of training, for `train.py` and for every compression stage."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from sqzkit.base import files
from sqzkit.base.keras import keras
from sqzkit.data.dataset import ImageDataset
from sqzkit.preprocessing import Preprocessing
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.weights import load_weights, save_weights
from sqzkit.training import cluster, optimizers, randomness, steps, strategies
from sqzkit.training.epochs import EpochRunner
from sqzkit.training.options import FitOptions
from sqzkit.training.state import StageState, refuse_other


@dataclasses.dataclass(frozen=True)
class StageResult:
    """How a stage ended.

    Attributes:
      model: what `export` gave (or the model itself), with the kept weights.
      metrics: JSON-ready, as recorded by `RunFolder.finish_stage`.
      resumed_from_epoch: finished epochs that were found; 0 for a fresh start.
    """

    model: keras.Model
    metrics: dict[str, Any]
    resumed_from_epoch: int


@dataclasses.dataclass(frozen=True)
class StageFit:
    """One stage to be trained: on what, how, and where to.

    Attributes:
      folder: where checkpoint, metrics and weights go.
      stage: its name.
      dataset: trained on "train", judged by "validation", measured on "test".
      preprocessing: the record to follow.
      options: what decides the outcome.
      callbacks: Keras callbacks, called as by `Model.fit` (`set_model` with
        `model.optimizer` set; `on_train_begin` after the state was restored).
      export: makes the model whose weights are stored as STAGE.weights.h5
        (e.g. without TF-MOT's wrappers); None: what was trained.
      loss: (images, labels int32 [B], logits) -> float32 [B]; None:
        cross-entropy with `options.label_smoothing`.
      config: further settings of the stage (JSON-ready): stored, and compared
        when the stage is resumed.
      strategy: where to run; None: the current one.
    """

    folder: RunFolder
    stage: str
    dataset: ImageDataset
    preprocessing: Preprocessing
    options: FitOptions
    callbacks: Sequence[keras.callbacks.Callback] = ()
    export: Callable[[keras.Model], keras.Model] | None = None
    loss: steps.Loss | None = None
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    strategy: tf.distribute.Strategy | None = None

    @property
    def record(self) -> dict[str, Any]:
        """Everything that decides the outcome, as it is read back from JSON."""
        return json.loads(json.dumps({**self.options.to_json(), **self.config}))

    def exported(self, trained: keras.Model) -> keras.Model:
        """Return the model whose weights are kept."""
        return self.export(trained) if self.export else trained

    def effective_loss(self) -> steps.Loss:
        """Return the loss that is minimized."""
        classes, smoothing = len(self.dataset.labels), self.options.label_smoothing
        return self.loss or steps.smoothed_cross_entropy(classes, smoothing)


def fit_stage(model: keras.Model, fit: StageFit) -> StageResult:
    """Train `model` for one stage; resume it if its checkpoint is there.

    Killed at any moment, the same call goes on from the last finished epoch
    and ends with the same weights as an undisturbed one.
    Args:
      model: flat Keras model, logits out; TF-MOT wrappers are welcome. All its
        variables (masks, thresholds, pruning steps, quantization ranges) and
        the optimizer's are in the checkpoint. Made in the strategy's scope.
      fit: what to do with it.

    Returns:
      the result, after `folder.finish_stage(stage, ...)`. A stage that is already
      finished with the same options is not trained again: its weights are loaded.

    Raises:
      UsageError: the stage was begun or finished with other settings.
      RunError: the training diverged or stayed at chance, a file cannot be written, or
        another process of the cluster is gone.
    """
    folder, stage = fit.folder, fit.stage
    found = _finished(folder, stage, fit.record)
    if found:
        exported = fit.exported(model)
        load_weights(exported, folder.weights_path(stage))
        return StageResult(exported, found, found["epochs"])
    runner = _runner(model, fit)
    first = runner.state.progress.epoch
    with strategies.lost_processes():
        runner.epochs(list(fit.callbacks))
    if fit.options.keep == "best":
        runner.state.restore_best()
    exported = fit.exported(model)
    metrics = runner.final_metrics(exported)
    chief = cluster.is_chief()
    save_weights(exported, folder.weights_path(stage), write=chief)
    if chief:
        folder.finish_stage(stage, metrics, fit.record)
        remove_checkpoint(folder, stage)
    strategies.barrier(runner.stepper.strategy)
    return StageResult(exported, metrics, first)


def _runner(model: keras.Model, fit: StageFit) -> EpochRunner:
    """Return what runs the epochs, its state restored if there was one."""
    strategy = fit.strategy or tf.distribute.get_strategy()
    with strategy.scope():
        dropouts = randomness.seed_dropout(model, fit.options.seed)
        optimizer = optimizers.build_optimizer(fit.options, model.trainable_variables)
        model.optimizer = optimizer  # TF-MOT's callbacks read the step from here
        state = StageState(_checkpoint(fit.folder, fit.stage), model, optimizer)
        coordinated = isinstance(strategy, tf.distribute.ParameterServerStrategy)
        kind = steps.CoordinatedStepper if coordinated else steps.Stepper
        stepper = kind(model, optimizer, fit.options, fit.effective_loss(), strategy)
        _restore(state, fit.record, fit.folder, fit.stage)
    return EpochRunner(
        fit.dataset,
        fit.preprocessing,
        fit.options,
        fit.folder,
        fit.stage,
        stepper,
        state,
        dropouts,
    )


def _finished(folder: RunFolder, stage: str, config: dict[str, Any]) -> dict[str, Any] | None:
    """Return the metrics of `stage` if it is finished."""
    for entry in folder.finished_stages():
        if entry["stage"] == stage:
            refuse_other(f"stage {stage!r} of {folder.path}", entry["config"], config)
            remove_checkpoint(folder, stage)
            return entry["metrics"]
    return None


def _restore(state: StageState, config: dict[str, Any], folder: RunFolder, stage: str) -> None:
    if state.restore(config):
        print(f"{stage}: goes on after epoch {state.progress.epoch}", flush=True)
    if cluster.is_chief() and folder.metrics_path.exists():
        # Even without a checkpoint: a kill may come between the first line and it.
        _forget_metrics(folder, stage, state.progress.epoch)


def _forget_metrics(folder: RunFolder, stage: str, epoch: int) -> None:
    """Drop torn lines, and metrics of epochs after `epoch`: they are run again."""
    kept = [
        line for line in folder.metrics() if line.get("stage") != stage or line["epoch"] <= epoch
    ]
    text = "".join(json.dumps(line) + "\n" for line in kept)
    files.write_text(folder.metrics_path, text)


def _checkpoint(folder: RunFolder, stage: str) -> Path:
    return folder.checkpoints_path / f"{stage}.npz"


def remove_checkpoint(folder: RunFolder, stage: str) -> None:
    """Remove what a finished stage no longer needs; a kill may have come before."""
    if not cluster.is_chief():
        return
    checkpoint = _checkpoint(folder, stage)
    checkpoint.unlink(missing_ok=True)
    if checkpoint.parent.is_dir() and not any(checkpoint.parent.iterdir()):
        checkpoint.parent.rmdir()
