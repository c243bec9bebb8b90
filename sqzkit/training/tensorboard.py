"""Logs for TensorBoard, one point an epoch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from sqzkit.base.keras import keras


class EpochScalars(keras.callbacks.Callback):
    """Writes the metrics of each epoch as scalars into a folder."""

    def __init__(self, path: Path) -> None:
        """Write into `path`, made at the first epoch."""
        super().__init__()
        self.path = path

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Write the epoch's line."""
        writer = tf.summary.create_file_writer(str(self.path))
        with writer.as_default(step=epoch + 1):
            for name, value in (logs or {}).items():
                tf.summary.scalar(name, value)
        writer.close()
