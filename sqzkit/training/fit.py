"""One resumable stage of training, for `train.py` and for every compression stage."""

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from sqzkit.base import files
from sqzkit.base.keras import keras
from sqzkit.data.dataset import ImageDataset
from sqzkit.data.store import naming_failures
from sqzkit.preprocessing import Preprocessing
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.settings import plain, refuse_other
from sqzkit.runs.weights import load_weights, save_weights
from sqzkit.training import distribution, optimization, steps
from sqzkit.training.checkpoint import StageState
from sqzkit.training.evaluate import Evaluator, Metrics, split_metrics
from sqzkit.training.options import FitOptions
from sqzkit.training.progress import Progress, Watchdog


@dataclasses.dataclass(frozen=True)
class StageResult:
    """How a stage ended.

    Attributes:
      model: what `export` gave (or the model itself), with the kept weights.
      metrics: JSON-ready, as recorded by `RunFolder.finish_stage`.
    """

    model: keras.Model
    metrics: dict[str, Any]


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
      finish: called with the weights of the last epoch (or, with early stopping, the best one),
        before they are measured and stored; may change them, and returns metrics to record in
        place of those measured afterwards.
      export: makes the model whose weights are stored as STAGE.weights.h5
        (e.g. without TF-MOT's wrappers); None: what was trained.
      loss: (images, labels int32 [B], logits) -> float32 [B]; None:
        cross-entropy with `options.label_smoothing`.
      config: further settings of the stage (JSON-ready): stored, and compared
        when the stage is resumed.
      keep_start: whether the weights it starts from are kept where no epoch is at least as
        good on the validation split.
      average: decay, a step, of a running average of the weights, which is what is validated
        and kept; 0: the weights themselves.
    """

    folder: RunFolder
    stage: str
    dataset: ImageDataset
    preprocessing: Preprocessing
    options: FitOptions
    callbacks: Sequence[keras.callbacks.Callback] = ()
    finish: Callable[[keras.Model], Mapping[str, Any]] | None = None
    export: Callable[[keras.Model], keras.Model] | None = None
    loss: steps.Loss | None = None
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    keep_start: bool = False
    average: float = 0.0

    @property
    def record(self) -> dict[str, Any]:
        """Everything that decides the outcome, as it is read back from JSON."""
        average = {"average": self.average} if self.average else {}
        return dict(plain({**self.options.to_json(), **average, **self.config}))

    @property
    def best_from_epoch(self) -> int:
        """The first epoch whose weights may be kept; what comes last has learnt most."""
        options = self.options
        if self.finish and not options.early_stopping_patience:
            return options.epochs - 1
        return options.best_from_epoch

    @property
    def checkpoint_path(self) -> Path:
        """The state of the stage while it is unfinished."""
        return self.folder.checkpoints_path / f"{self.stage}.npz"

    def exported(self, trained: keras.Model) -> keras.Model:
        """Return the model whose weights are kept."""
        return self.export(trained) if self.export else trained


def fit_stage(model: keras.Model, fit: StageFit) -> StageResult:
    """Train `model` for one stage; resume it if its checkpoint exists.

    After a kill at any moment, the same call resumes after the last finished
    epoch and ends with the same weights as an undisturbed one.

    Args:
      model: flat Keras model, logits out; TF-MOT wrappers are welcome. All its
        variables (masks, thresholds, pruning steps, quantization ranges) and
        the optimizer's are in the checkpoint. Made, as this runs, in the strategy's scope.
      fit: what to do with it.

    Returns:
      The result, after `folder.finish_stage(stage, ...)`. A stage that is already
      finished with the same settings is not trained again: its weights are loaded.

    Raises:
      UsageError: the stage was begun or finished with other settings.
      RunError: the training diverged or stayed at chance, a file cannot be written, or
        another process of the cluster is gone.
    """
    folder, stage = fit.folder, fit.stage
    if found := finished(folder, stage, fit.record):
        remove_checkpoint(folder, stage)
        exported = fit.exported(model)
        load_weights(exported, folder.weights_path(stage))
        return StageResult(exported, found["metrics"])
    trainer = _Trainer(model, fit)
    with distribution.lost_processes():
        trainer.run()
    if fit.options.keep == "best":
        trainer.state.restore_best()
    recorded = fit.finish(model) if fit.finish else {}
    exported = fit.exported(model)
    metrics = {**trainer.final_metrics(exported), **recorded}
    chief = distribution.is_chief()
    save_weights(exported, folder.weights_path(stage), write=chief)
    if chief:
        folder.finish_stage(stage, metrics, fit.record)
        remove_checkpoint(folder, stage)
    distribution.barrier(trainer.strategy)
    return StageResult(exported, metrics)


def finished(folder: RunFolder, stage: str, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the entry of a stage if it is finished; `UsageError` if it has other settings."""
    found = next((e for e in folder.finished_stages() if e["stage"] == stage), None)
    if found:
        refuse_other(f"stage {stage!r} of {folder.path}", found["config"], settings)
    return found


def remove_checkpoint(folder: RunFolder, stage: str) -> None:
    """Remove what a finished stage no longer needs; a kill may have come before."""
    if distribution.is_chief():
        (folder.checkpoints_path / f"{stage}.npz").unlink(missing_ok=True)
        if folder.checkpoints_path.is_dir() and not any(folder.checkpoints_path.iterdir()):
            folder.checkpoints_path.rmdir()


class _Trainer:
    """The epochs of one stage in this process: steps, validation, checkpoint, progress."""

    def __init__(self, model: keras.Model, fit: StageFit) -> None:
        """Build the optimizer and restore the state if there is one."""
        self.fit, self.model, options = fit, model, fit.options
        self.strategy = tf.distribute.get_strategy()
        self.chief = distribution.is_chief()
        classes = len(fit.dataset.labels)
        loss = fit.loss or steps.smoothed_cross_entropy(classes, options.label_smoothing)
        if options.class_weights:
            loss = steps.class_weighted(loss, fit.dataset.class_counts())
        self.dropouts = steps.seed_dropout(model, options.seed)
        variables = model.trainable_variables
        self.optimizer = optimization.build_optimizer(options, variables, fit.average)
        model.optimizer = self.optimizer  # TF-MOT's callbacks read the step from here
        self.state = StageState(fit.checkpoint_path, model, self.optimizer)
        coordinated = isinstance(self.strategy, tf.distribute.ParameterServerStrategy)
        kind = steps.CoordinatedStepper if coordinated else steps.Stepper
        self.stepper = kind(model, self.optimizer, options, loss, self.strategy)
        self._restore()
        self.evaluator = Evaluator(model)
        self.watchdog = Watchdog(classes, options.watchdog_epochs, options.base_learning_rate)
        self.watchdog.stuck = self.progress.stuck

    def _restore(self) -> None:
        folder, stage = self.fit.folder, self.fit.stage
        if self.state.restore(self.fit.record):
            print(f"{stage}: resumes after epoch {self.state.progress.epoch}", flush=True)
        self.progress = self.state.progress
        if not self.chief or not folder.metrics_path.exists():
            return
        # Incomplete lines and epochs without a checkpoint (a kill came in between) are run again.
        kept = (
            line
            for line in folder.metrics()
            if line.get("stage") != stage or line["epoch"] <= self.progress.epoch
        )
        files.write_text(folder.metrics_path, "".join(json.dumps(line) + "\n" for line in kept))

    def run(self) -> None:
        """Run the epochs that are left."""
        progress, dataset = self.progress, self.fit.dataset
        hooks = keras.callbacks.CallbackList(list(self.fit.callbacks), model=self.model)
        hooks.on_train_begin()
        shown: Progress | None = None
        if self.fit.keep_start and not progress.epoch:
            start = self._measure("validation")
            self.state.note_start(*start.judged(self.fit.options.class_weights)[:2])
        while progress.epoch < self.fit.options.epochs and not self._stops_early():
            started = time.monotonic()
            hooks.on_epoch_begin(progress.epoch)
            with naming_failures(dataset):
                count, batches = steps.epoch_batches(
                    *(dataset, self.fit.preprocessing, self.fit.options, self.strategy),
                    progress.epoch,
                )
                shown = shown or Progress(
                    self.fit.stage, self.fit.options.epochs, count, progress.epoch
                )
                sums = self._train_epoch(batches, count, hooks, shown)
            self._end_epoch(sums, time.monotonic() - started, hooks, shown)
        hooks.on_train_end()

    def _train_epoch(
        self,
        batches: Iterator[tuple[Any, Any]],
        count: int,
        hooks: keras.callbacks.CallbackList,
        shown: Progress,
    ) -> steps.EpochSums:
        epoch, options = self.progress.epoch, self.fit.options
        steps.reset_dropout(self.dropouts, options.seed, epoch)
        sums = steps.EpochSums()
        started = time.monotonic()
        for step, (images, labels) in enumerate(batches):
            self.optimizer.learning_rate = optimization.learning_rate(
                options, epoch * count + step, count
            )
            hooks.on_train_batch_begin(step)
            sums.add(self.stepper.train(images, labels))
            hooks.on_train_batch_end(step)
            if sums.examples and not sums.pending:
                self.watchdog.check_step(sums.loss, epoch)
                rate = sums.examples / (time.monotonic() - started)
                shown.step(epoch, step + 1, sums.loss, sums.accuracy, rate)
        sums.read()
        return sums

    def _end_epoch(
        self,
        sums: steps.EpochSums,
        seconds: float,
        hooks: keras.callbacks.CallbackList,
        shown: Progress,
    ) -> None:
        progress, options = self.progress, self.fit.options
        steps_done = max(1, sums.examples // options.batch_size)
        self.watchdog.check_epoch(sums.loss, sums.accuracy, progress.epoch, steps_done)
        progress.epoch += 1
        with self._averaged():
            validation = self._measure("validation")
            if options.keep == "best" and progress.epoch > self.fit.best_from_epoch:
                self.state.note_validation(*validation.judged(options.class_weights))
        line: dict[str, Any] = {
            "loss": sums.loss,
            "accuracy": sums.accuracy,
            "validation_loss": validation.loss,
            "validation_accuracy": validation.top1,
            "learning_rate": float(self.optimizer.learning_rate.numpy()),
            "seconds": round(seconds, 3),
            "images_per_second": round(sums.examples / seconds, 1),
        }
        hooks.on_epoch_end(progress.epoch - 1, logs=line)
        progress.stuck = self.watchdog.stuck
        progress.seconds += seconds
        progress.examples += sums.examples
        if self.chief:
            line = {"stage": self.fit.stage, "epoch": progress.epoch, **line}
            self.fit.folder.append_metrics(line)
        self.state.save(write=self.chief)
        if self.chief:
            shown.epoch(line)

    @contextlib.contextmanager
    def _averaged(self) -> Iterator[None]:
        """Give the model the average of its weights for the time of a `with` statement."""
        variables = self.model.trainable_variables if self.fit.average else []
        before = [variable.numpy() for variable in variables]
        optimization.write_averages(self.optimizer, variables)
        try:
            yield
        finally:
            for variable, value in zip(variables, before, strict=True):
                variable.assign(value)

    def _stops_early(self) -> bool:
        patience, improved = self.fit.options.early_stopping_patience, self.progress.improved_epoch
        return bool(patience and improved and self.progress.epoch - improved >= patience)

    def _measure(self, split: str) -> Metrics:
        return self.evaluator(self.fit.dataset, split, self.fit.preprocessing)

    def final_metrics(self, model: keras.Model) -> dict[str, Any]:
        """Return what `finish_stage` records, measured with the kept weights."""
        progress = self.progress
        evaluator = self.evaluator if model is self.model else Evaluator(model)
        return {
            "epochs": progress.epoch,
            # Epoch 0 is what the stage started from.
            "best_epoch": progress.best_epoch if self.state.best else progress.epoch,
            "train_seconds": round(progress.seconds, 1),
            "images_per_second": round(progress.examples / progress.seconds, 1),
            **split_metrics(evaluator, self.fit.dataset, self.fit.preprocessing),
        }
