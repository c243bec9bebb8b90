"""How long a training will take, and how many epochs fit into a time limit."""

import dataclasses
import datetime
import math
import time
from collections.abc import Callable

import tensorflow as tf

from sqzkit.base import records
from sqzkit.base.keras import keras
from sqzkit.data.dataset import ImageDataset
from sqzkit.runs.folder import RunFolder
from sqzkit.training import optimization, steps
from sqzkit.training.config import MAX_EPOCHS, TrainingConfig
from sqzkit.training.options import FitOptions

TIMED_STEPS = 3
EVALUATION_SHARE = 1 / 3  # of a training step's time: it has no backward pass


@dataclasses.dataclass(frozen=True)
class Duration:
    """What is expected of a training on this machine.

    Attributes:
      epochs: how many there will be.
      steps: of one epoch.
      seconds: that one epoch takes.
    """

    epochs: int
    steps: int
    seconds: float

    def __str__(self) -> str:
        if not self.epochs:
            return f"an epoch takes about {self.seconds:,.0f} s; none fits into --train_minutes"
        whole = datetime.timedelta(seconds=round(self.epochs * self.seconds))
        return f"{self.epochs} epochs of {self.steps} steps, about {whole}"


def steps_per_epoch(dataset: ImageDataset, options: FitOptions) -> int:
    """Return how many batches an epoch has."""
    return max(1, dataset.split("train").num_examples // options.batch_size)


def planned_epochs(config: TrainingConfig, dataset: ImageDataset) -> int:
    """Return how many epochs the settings ask for on this data."""
    steps = steps_per_epoch(dataset, config.fit_options(config.train_epochs))
    if config.train_steps is not None:
        return math.ceil(config.train_steps / steps)
    # Many epochs of few steps do not help: of a handful of images nothing is left to learn.
    enough = min(MAX_EPOCHS, math.ceil(config.min_train_steps / steps))
    return max(config.train_epochs, enough)


def expect(
    build: Callable[[], keras.Model], dataset: ImageDataset, options: FitOptions
) -> Duration:
    """Time a few steps of a copy of the network on black images.

    Args:
      build: makes the copy.
      dataset: the number of its images counts.
      options: of the training.
    """
    model, examples = build(), dataset.split("train").num_examples
    batch = max(1, min(options.batch_size, examples))
    loss = steps.smoothed_cross_entropy(dataset.num_classes, options.label_smoothing)
    optimizer = optimization.build_optimizer(options, model.trainable_variables)
    stepper = steps.Stepper(model, optimizer, options, loss, tf.distribute.get_strategy())
    images, labels = tf.zeros((batch, *model.input_shape[1:])), tf.zeros(batch, tf.int32)
    stepper.train(images, labels)  # traces, and is slower
    started = time.monotonic()
    for _ in range(TIMED_STEPS):
        stepper.train(images, labels).numpy()
    seconds = (time.monotonic() - started) / TIMED_STEPS
    count = steps_per_epoch(dataset, options)
    validation = dataset.split("validation").num_examples * EVALUATION_SHARE / batch
    return Duration(options.epochs, count, seconds * (count + validation))


def decide(
    folder: RunFolder,
    dataset: ImageDataset,
    options: FitOptions,
    minutes: float | None,
    started: float,
    build: Callable[[], keras.Model],
    timed: bool,
) -> Duration | None:
    """Return what to expect of a run, with as many epochs as there is time for; None: unknown.

    A resumed run has the epochs that were decided when it began. Without a limit, only what
    takes minutes is worth the seconds of timing it.

    Args:
      folder: of the run; its `duration.json` is what was decided.
      dataset: what is trained on.
      options: how.
      minutes: the limit, or None.
      started: when the run was started, by `time.monotonic`.
      build: makes a copy of the network.
      timed: whether to time a run without a limit.
    """
    recorded = folder.read_record("duration") if minutes else None
    if recorded:
        return records.build(Duration, recorded, "duration.json of a run")
    if not minutes and (not timed or folder.spec_path.exists()):
        return None
    expected = expect(build, dataset, options)
    return within(expected, 60 * minutes - time.monotonic() + started) if minutes else expected


def within(expected: Duration, seconds: float) -> Duration:
    """Return the duration with as many epochs as fit into some seconds, perhaps none."""
    fitting = int(max(0.0, seconds) / expected.seconds)
    return dataclasses.replace(expected, epochs=min(expected.epochs, fitting))
