"""Features of a frozen network, computed once and kept in the run folder."""

import dataclasses
import hashlib
import json
import time

import numpy as np
import tensorflow as tf

from sqzkit.base.keras import keras
from sqzkit.data.dataset import ImageDataset, Split
from sqzkit.data.pipeline import epoch_order, evaluation_batches
from sqzkit.data.store import fingerprint, naming_failures
from sqzkit.data.tree import Account
from sqzkit.models.transfer import HEAD
from sqzkit.preprocessing import Preprocessing
from sqzkit.runs.folder import RunFolder
from sqzkit.training import checkpoint, distribution

MAX_PHOTOGRAPHS = 10_000  # features of more change a linear head by less than noise does
BATCH = 32


@dataclasses.dataclass(frozen=True)
class Features:
    """Averaged inputs of `conv10`.

    Attributes:
      values: float32 [N, channels].
      mirrored: the same of the mirrored images; [0, channels] where mirroring changes meaning.
      labels: int32 [N].
      seconds: that computing them took.
    """

    values: np.ndarray
    mirrored: np.ndarray
    labels: np.ndarray
    seconds: float

    def __add__(self, others: "Features") -> "Features":
        values = np.concatenate([self.values, others.values])
        mirrored = np.concatenate([self.mirrored, others.mirrored])
        labels = np.concatenate([self.labels, others.labels])
        return Features(values, mirrored, labels, self.seconds + others.seconds)

    def at(self, part: np.ndarray) -> "Features":
        """Return those of some images, which a mask, bool [N], or indices choose."""
        mirrored = self.mirrored[part] if len(self.mirrored) else self.mirrored
        return Features(self.values[part], mirrored, self.labels[part], self.seconds)


def compute(
    model: keras.Model,
    dataset: ImageDataset,
    preprocessing: Preprocessing,
    folder: RunFolder,
    weights: str,
    limit: int = MAX_PHOTOGRAPHS,
) -> Features:
    """Return the features of the training split, from the run folder if they are there.

    Args:
      model: with the published weights.
      dataset: its split "train" is used.
      preprocessing: the record to follow.
      folder: keeps them under a name made from the images' content, the record and `weights`.
      weights: the name of the published weights.
      limit: use at most this many images, chosen at random but always the same.

    Raises:
      RunError: too many photographs cannot be decoded, or the folder cannot be written.
      FormatError: the kept file is damaged.
    """
    examples = dataset.split("train").examples
    if len(examples) > limit:
        chosen = np.sort(epoch_order(len(examples), 0, 0)[:limit])
        part = Split(tuple(examples[i] for i in chosen))
        # Its own account: what is unreadable is noted once, when the whole split is opened.
        dataset = dataclasses.replace(
            dataset, splits={"train": part}, stores={}, broken=[], account=Account()
        )
    key = [fingerprint(dataset.split("train").examples, preprocessing), weights, dataset.flip]
    name = hashlib.sha256(json.dumps([key, preprocessing.to_json()]).encode()).hexdigest()[:16]
    path = folder.path / "features" / f"{name}.npz"
    if found := checkpoint.load(path):
        record, groups = found
        values, mirrored, labels = groups["features"]
        return Features(values, mirrored, labels, float(record["seconds"]))
    features = of_split(model, dataset, "train", preprocessing)
    if distribution.is_chief():
        arrays = [features.values, features.mirrored, features.labels]
        record = {"seconds": features.seconds, "image_size": preprocessing.image_size}
        checkpoint.save(path, record, {"features": arrays})
    return features


def of_split(
    model: keras.Model, dataset: ImageDataset, split: str, preprocessing: Preprocessing
) -> Features:
    """Return the features of every image of a split, which are not kept."""
    maps = model.get_layer(HEAD).input
    average = keras.layers.GlobalAveragePooling2D(dtype="float32")(maps)
    extract = tf.function(
        keras.Model(model.input, average), [tf.TensorSpec(model.input_shape, tf.float32)]
    )
    started = time.monotonic()
    values, labels = [], []
    mirrored = [np.zeros((0, maps.shape[-1]), np.float32)]
    with naming_failures(dataset):
        for images, truth in evaluation_batches(dataset, split, preprocessing, BATCH):
            values.append(extract(images).numpy())
            if dataset.flip:
                mirrored.append(extract(images[:, :, ::-1]).numpy())
            labels.append(truth.numpy())
    seconds = time.monotonic() - started
    return Features(
        np.concatenate(values), np.concatenate(mirrored), np.concatenate(labels), seconds
    )
