"""The epochs of a stage: steps, validation, checkpoint, progress."""

import dataclasses
import time
from typing import Any

from sqzkit.base.keras import keras
from sqzkit.data.dataset import ImageDataset
from sqzkit.data.store import naming_failures
from sqzkit.preprocessing import Preprocessing
from sqzkit.runs.folder import RunFolder
from sqzkit.training import cluster, randomness, schedules, steps
from sqzkit.training.evaluate import Evaluator
from sqzkit.training.options import FitOptions
from sqzkit.training.progress import Progress
from sqzkit.training.state import StageState
from sqzkit.training.watchdog import Watchdog

EVALUATION_BATCH = 64


@dataclasses.dataclass
class EpochRunner:
    """The epochs of one stage in this process.

    Attributes:
      dataset, preprocessing, options, folder, stage: as in `StageFit`.
      stepper: runs the steps.
      state: what is remembered; restored already.
      dropouts: the layers whose draws depend on the epoch.
    """

    dataset: ImageDataset
    preprocessing: Preprocessing
    options: FitOptions
    folder: RunFolder
    stage: str
    stepper: steps.Stepper
    state: StageState
    dropouts: list[keras.layers.Layer]

    def __post_init__(self) -> None:
        options = self.options
        self.evaluator = Evaluator(self.state.model)
        self.watchdog = Watchdog(
            len(self.dataset.labels), options.watchdog_epochs, options.base_learning_rate
        )
        self.watchdog.stuck = self.state.progress.stuck
        self.steps_per_epoch = 0

    def epochs(self, callbacks: list[keras.callbacks.Callback]) -> None:
        """Run what is left of the stage."""
        progress = self.state.progress
        hooks = keras.callbacks.CallbackList(callbacks, model=self.state.model)
        hooks.on_train_begin()
        shown: Progress | None = None
        while progress.epoch < self.options.epochs and not self._stops_early():
            started = time.monotonic()
            hooks.on_epoch_begin(progress.epoch)
            batches = self._batches(progress.epoch)
            shown = shown or Progress(
                self.stage, self.options.epochs, self.steps_per_epoch, progress.epoch
            )
            with naming_failures(self.dataset):
                sums = self._train_epoch(batches, hooks, shown)
            seconds = time.monotonic() - started
            self._end_epoch(sums, seconds, hooks, shown)
        hooks.on_train_end()

    def _batches(self, epoch: int) -> Any:
        # Opening the split drops broken photographs, so it comes before counting.
        batches = steps.epoch_batches(
            self.dataset, self.preprocessing, self.options, self.stepper.strategy, epoch
        )
        examples = self.dataset.split("train").num_examples
        batch = steps.effective_batch(self.options, examples, self.stepper.strategy)
        self.steps_per_epoch = examples // batch
        return batches

    def _train_epoch(
        self, batches: Any, hooks: keras.callbacks.CallbackList, shown: Progress
    ) -> steps.EpochSums:
        epoch = self.state.progress.epoch
        randomness.reset_dropout(self.dropouts, self.options.seed, epoch)
        sums = steps.EpochSums()
        started = time.monotonic()
        for step, (images, labels) in enumerate(batches):
            self.stepper.optimizer.learning_rate = schedules.learning_rate(
                self.options, epoch * self.steps_per_epoch + step, self.steps_per_epoch
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
        progress = self.state.progress
        self.watchdog.check_epoch(sums.loss, sums.accuracy, progress.epoch)
        line: dict[str, Any] = {
            "loss": sums.loss,
            "accuracy": sums.accuracy,
            **self._validate(),
            "learning_rate": float(self.stepper.optimizer.learning_rate.numpy()),
            "seconds": round(seconds, 3),
            "images_per_second": round(sums.examples / seconds, 1),
        }
        hooks.on_epoch_end(progress.epoch, logs=line)
        progress.epoch += 1
        progress.stuck = self.watchdog.stuck
        progress.seconds += seconds
        progress.examples += sums.examples
        best = self._note(line)
        chief = cluster.is_chief()
        if chief:
            self.folder.append_metrics({"stage": self.stage, "epoch": progress.epoch, **line})
        self.state.save(write=chief)
        if chief:
            shown.epoch(progress.epoch - 1, line, "  best" if best else "")

    def _validate(self) -> dict[str, float]:
        metrics = self.evaluator(self.dataset, "validation", self.preprocessing, EVALUATION_BATCH)
        return {"validation_loss": metrics.loss, "validation_accuracy": metrics.top1}

    def _note(self, line: dict[str, Any]) -> bool:
        if self.options.keep != "best" or self.state.progress.epoch <= self.options.best_from_epoch:
            return False
        return self.state.note_validation(
            line["validation_accuracy"],
            line["validation_loss"],
            self.dataset.split("validation").num_examples,
        )

    def _stops_early(self) -> bool:
        patience, progress = self.options.early_stopping_patience, self.state.progress
        return bool(
            patience
            and progress.improved_epoch
            and progress.epoch - progress.improved_epoch >= patience
        )

    def final_metrics(self, model: keras.Model) -> dict[str, Any]:
        """Return what `finish_stage` records, measured with the kept weights."""
        progress = self.state.progress
        metrics: dict[str, Any] = {
            "epochs": progress.epoch,
            "best_epoch": progress.best_epoch or progress.epoch,
            "train_seconds": round(progress.seconds, 1),
            "images_per_second": round(progress.examples / progress.seconds, 1),
        }
        evaluator = self.evaluator if model is self.state.model else Evaluator(model)
        for split in ("validation", "test"):
            measured = evaluator(self.dataset, split, self.preprocessing, EVALUATION_BATCH)
            prefix = "" if split == "test" else f"{split}_"
            for name in ("top1", "top5", "loss"):
                metrics[f"{prefix}{name}"] = getattr(measured, name)
        return metrics
