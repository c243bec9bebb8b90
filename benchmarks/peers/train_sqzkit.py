"""Contender: the loop that train.py runs, with its input pipeline, checks and records."""

import queue
import threading
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks import contender, graph
from benchmarks.networks import TRAINED_CLASSES, training_network
from sqzkit.base.keras import keras
from sqzkit.data.dataset import Example, ImageDataset, Split
from sqzkit.preprocessing import default
from sqzkit.runs.folder import RunFolder
from sqzkit.training.distribution import share_processors
from sqzkit.training.fit import StageFit, fit_stage
from sqzkit.training.options import FitOptions

RATE, DECAY = 1e-3, 0.01
_MANY = 1000  # epochs: as many as the parent asks for


class _Turns(keras.callbacks.Callback):
    """Stops the loop at the end of each epoch until it is asked for the next."""

    def __init__(self, clock: contender.Clock, examples: int) -> None:
        super().__init__()
        self.clock, self.examples = clock, examples
        self.begun = self.ended = 0.0
        self.asked: queue.Queue[None] = queue.Queue()
        self.measured: queue.Queue[contender.Answer] = queue.Queue()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Begin to measure: before the epoch's pipeline is made."""
        self.begun = self.clock()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Measure until here; validation comes after it."""
        self.ended = self.clock()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Hand over this epoch's figures."""
        rate = self.examples / (self.ended - self.begun)
        self.measured.put({"images_per_second": rate, "loss": (logs or {})["loss"]})
        self.asked.get()

    def measure(self) -> contender.Answer:
        """Let one more epoch run."""
        self.asked.put(None)
        return self.measured.get()


def prepare(settings: dict[str, Any]) -> tuple[contender.Answer, contender.Measure]:
    """Begin a stage in a thread of its own and take one epoch to warm up.

    Args:
      settings: "graph" and "data" (paths), "folder" (for the run), "batch",
        "threads", "augmentation".
    """
    network = graph.load(settings["graph"])
    tf.config.threading.set_intra_op_parallelism_threads(settings["threads"])
    if settings["threads"] > 1:
        share_processors(network.side)  # as train.py does
    keras.utils.set_random_seed(1)
    tf.config.experimental.enable_op_determinism()  # by default, too
    with np.load(settings["data"]) as stored:
        data = dict(stored)
    model, batch = training_network(network), settings["batch"]
    criterion = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    logits = model(data["normalized"][:batch], training=False)
    answer = {"loss": float(criterion(data["labels"][:batch], logits))}
    examples = len(data["labels"]) // batch * batch
    turns = _Turns(contender.clock(settings["threads"]), examples)
    options = FitOptions(
        epochs=_MANY,
        batch_size=batch,
        base_learning_rate=RATE,
        lr_schedule="constant",
        optimizer="adamw",
        weight_decay=DECAY,
        augmentation=settings["augmentation"],
        watchdog_epochs=0,
    )
    fit = StageFit(
        folder=RunFolder(Path(settings["folder"])),
        stage="train",
        dataset=_dataset(data),
        preprocessing=default(network.side),
        options=options,
        callbacks=[turns],
    )
    threading.Thread(target=_fit, args=(model, fit, turns), daemon=True).start()
    turns.measured.get()
    return answer, turns.measure


def _fit(model: keras.Model, fit: StageFit, turns: _Turns) -> None:
    try:
        fit_stage(model, fit)
    except Exception as error:
        turns.measured.put({"error": f"{type(error).__name__}: {error}"})


def _dataset(data: dict[str, np.ndarray]) -> ImageDataset:
    examples = tuple(
        Example(pixels, int(label))
        for pixels, label in zip(data["pixels"], data["labels"], strict=True)
    )
    few = Split(examples[:32])
    labels = tuple(str(index) for index in range(TRAINED_CLASSES))
    splits = {"train": Split(examples), "validation": few, "test": few}
    return ImageDataset("made up", labels, splits, flip=False)


if __name__ == "__main__":
    contender.serve(prepare)
