"""How long a training will take, and how many epochs fit into a time limit."""

import dataclasses
import datetime
import itertools
import math
import time
from collections.abc import Callable

import tensorflow as tf

from sqzkit.base import records
from sqzkit.base.keras import keras
from sqzkit.data.dataset import ImageDataset
from sqzkit.preprocessing import Preprocessing
from sqzkit.runs.folder import RunFolder
from sqzkit.training import optimization, steps
from sqzkit.training.config import MAX_EPOCHS, TrainingConfig
from sqzkit.training.options import FitOptions

TIMED_SECONDS = 2.0
MIN_TIMED_STEPS = 3
WORTH_TIMING = 3_000  # steps: a training of fewer is over soon after it was timed
MIN_FOLD_STEPS = 120  # of --min_train_steps, in each fold: there are several
FOLD_EVALUATIONS = 7  # of each image, after the last epoch: five shares, and the metrics
EVALUATION_SHARE = 1 / 3  # of a training step's time: it has no backward pass


@dataclasses.dataclass(frozen=True)
class Duration:
    """What is expected of a training on this machine.

    Attributes:
      epochs: how many there will be.
      steps: of one epoch, in each fold if there are folds.
      seconds: that one epoch takes, in all folds together.
      folds: in which the fine-tuning is judged; 0: there are none.
      other_seconds: that are needed besides, whatever the number of epochs is.
      last_seconds: that one epoch takes of the training on all images after the folds.
    """

    epochs: int
    steps: int
    seconds: float
    folds: int = 0
    other_seconds: float = 0.0
    last_seconds: float = 0.0

    def __str__(self) -> str:
        if not self.epochs:
            return f"an epoch takes about {self.seconds:,.0f} s; none fits into --train_minutes"
        whole = datetime.timedelta(seconds=round(self.epochs * self.seconds + self.other_seconds))
        text = f"{self.epochs} epochs of {self.steps} steps"
        if not self.folds:
            return f"{text}, about {whole}"
        last = datetime.timedelta(seconds=round(self.epochs * self.last_seconds))
        return (
            f"{text} in each of {self.folds} folds, about {whole}; if they help much, {last} more"
        )


def steps_per_epoch(dataset: ImageDataset, options: FitOptions) -> int:
    """Return how many batches an epoch has."""
    return max(1, dataset.split("train").num_examples // options.batch_size)


def fold_steps(dataset: ImageDataset, options: FitOptions, folds: int) -> int:
    """Return how many batches an epoch of a fold has: of what the other folds hold."""
    count = dataset.split("train").num_examples + dataset.split("validation").num_examples
    return max(1, (count - count // folds) // options.batch_size)


def planned_epochs(config: TrainingConfig, dataset: ImageDataset, folds: int = 0) -> int:
    """Return how many epochs the settings ask for on this data, in each of the folds if any."""
    options = config.fit_options(config.train_epochs)
    steps = fold_steps(dataset, options, folds) if folds else steps_per_epoch(dataset, options)
    if config.train_steps is not None:
        return math.ceil(config.train_steps / steps)
    # Many epochs of few steps do not help: of a handful of images nothing is left to learn.
    wanted = min(config.min_train_steps, MIN_FOLD_STEPS) if folds else config.min_train_steps
    enough = min(MAX_EPOCHS, math.ceil(wanted / steps))
    return max(config.train_epochs, enough)


def expect(
    build: Callable[[], keras.Model],
    dataset: ImageDataset,
    preprocessing: Preprocessing,
    options: FitOptions,
    folds: int = 0,
) -> Duration:
    """Time some steps of a copy of the network on the images that it is trained on first.

    The images matter: to read and change them takes the processors' time as well.

    Args:
      build: makes the copy.
      dataset: what it is trained on.
      preprocessing: of the images.
      options: of the training.
      folds: in which it is judged.

    Raises:
      RunError: too many photographs cannot be decoded.
    """
    began = time.monotonic()
    model = build()
    loss = steps.smoothed_cross_entropy(dataset.num_classes, options.label_smoothing)
    optimizer = optimization.build_optimizer(options, model.trainable_variables)
    strategy = tf.distribute.get_strategy()
    stepper = steps.Stepper(model, optimizer, options, loss, strategy)
    batches = itertools.chain.from_iterable(
        steps.epoch_batches(dataset, preprocessing, options, strategy, epoch)[1]
        for epoch in itertools.count()
    )

    def step() -> None:
        images, _ = next(batches)  # a teacher's answers are not labels, and cost the same
        stepper.train(images, tf.zeros(len(images), tf.int32)).numpy()

    step()  # traces, and is slower
    started = time.monotonic()
    seconds = _mean_seconds(step, started)
    examples = dataset.split("train").num_examples
    judges = dataset.split("validation").num_examples
    evaluated = seconds * EVALUATION_SHARE / max(1, min(options.batch_size, examples))
    if not folds:
        count = steps_per_epoch(dataset, options)
        took = seconds * count + judges * evaluated
        return Duration(options.epochs, count, took, other_seconds=started - began)
    every, count = examples + judges, fold_steps(dataset, options, folds)
    return Duration(
        options.epochs,
        count,
        seconds * folds * count + every * evaluated,
        folds,
        folds * (started - began) + FOLD_EVALUATIONS * every * evaluated,
        seconds * max(1, every // options.batch_size) + judges * evaluated,
    )


def _mean_seconds(step: Callable[[], None], started: float) -> float:
    """Return what a step takes, of as many as fit into `TIMED_SECONDS` from `started`."""
    done, now = 0, started
    while done < MIN_TIMED_STEPS or now - started < TIMED_SECONDS:
        step()
        done, now = done + 1, time.monotonic()
    return (now - started) / done


def decide(
    folder: RunFolder,
    minutes: float | None,
    started: float,
    measure: Callable[[], Duration],
    timed: bool,
) -> Duration | None:
    """Return what to expect of a run, with as many epochs as there is time for; None: unknown.

    A resumed run has the epochs that were decided when it began.

    Args:
      folder: of the run; its `duration.json` is what was decided.
      minutes: the limit, or None.
      started: when the run was started, by `time.monotonic`.
      measure: returns what to expect without a limit (`expect`).
      timed: whether to time a run without a limit.
    """
    recorded = folder.read_record("duration") if minutes else None
    if recorded:
        return records.build(Duration, recorded, "duration.json of a run", partial=True)
    if not minutes and (not timed or folder.spec_path.exists()):
        return None
    expected = measure()
    return within(expected, 60 * minutes - time.monotonic() + started) if minutes else expected


def within(expected: Duration, seconds: float) -> Duration:
    """Return the duration with as many epochs as fit into some seconds, perhaps none."""
    left = max(0.0, seconds - expected.other_seconds)
    fitting = int(left / (expected.seconds + expected.last_seconds))
    return dataclasses.replace(expected, epochs=min(expected.epochs, fitting))
