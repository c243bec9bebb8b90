"""From a data set to batches for the network, by tf.data.

Order and augmentation of an epoch depend on (seed, epoch) alone, not on the
batch size, the number of threads, or what ran before.
"""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from sqzkit.base.errors import RunError, UsageError
from sqzkit.data import augmentation as augmenting
from sqzkit.data.dataset import ImageDataset, ImageStore
from sqzkit.data.store import ArrayStore, decode_all, open_store
from sqzkit.preprocessing import Preprocessing
from sqzkit.preprocessing.photograph import square_record

_BATCHES_AHEAD = 4


def training_batches(
    dataset: ImageDataset,
    preprocessing: Preprocessing,
    batch_size: int,
    augmentation: str,
    seed: int,
    epoch: int,
    shard: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Return one epoch of training batches, shuffled and augmented.

    Args:
      dataset: its split "train" is used.
      preprocessing: the record to follow.
      batch_size: examples in a batch, 1 or more; the last batch may be smaller.
      augmentation: name of a preset of `sqzkit.data.augmentation`.
      seed: 0 or more.
      epoch: number of the epoch, 0 or more; decides order and augmentation.
      shard: (index, count): of the epoch's order take every `count`-th example
        from `index` on, for workers that each read their own share.

    Returns:
      Batches of (float32 [B, S, S, 3] normalized in the network's channel
      order, int32 [B]); its cardinality is known. If the data set has soft targets, (int32 [B],
      float32 [B, classes], float32 [B]) instead of the labels alone: with them the teacher's
      answers to the images as they are mirrored, and the weights of these.

    Raises:
      UsageError: an argument is out of range.
      RunError: too many photographs cannot be decoded.
    """
    _check(batch_size, seed, epoch, shard)
    preset = augmenting.preset(augmentation)
    side = preset.training_side(preprocessing)
    record = preprocessing
    if side != preprocessing.image_size:
        record = square_record(preprocessing, side)
    store = open_store(dataset, "train", record)
    flip = dataset.flip

    def finish(images: tf.Tensor, labels: Any, uniforms: tf.Tensor) -> tuple[tf.Tensor, Any]:
        images = augmenting.augment(images, uniforms, preset, flip, preprocessing.image_size)
        if isinstance(labels, tuple):
            truth, answers, weights = labels
            mirrored = augmenting.is_mirrored(uniforms, preset, flip)
            shown = tf.zeros_like(truth) if mirrored is None else tf.cast(mirrored, tf.int32)
            labels = truth, tf.gather(answers, shown, axis=1, batch_dims=1), weights
        return normalize(images, preprocessing), labels

    order = epoch_order(len(store.labels), seed, epoch)[shard[0] :: shard[1]]
    uniforms = augmenting.draw(seed, epoch, len(store.labels))[order]
    lessons = _lessons(dataset, store.labels)
    return _batches(store, lessons, order, uniforms, batch_size, side, finish)


def evaluation_batches(
    dataset: ImageDataset,
    split: str,
    preprocessing: Preprocessing,
    batch_size: int,
) -> tf.data.Dataset:
    """Return every example of a split once, in order.

    Args:
      dataset: where from.
      split: "train", "validation" or "test".
      preprocessing: the record to follow.
      batch_size: examples in a batch, 1 or more; the last batch may be smaller.

    Returns:
      Batches as `training_batches` gives them.
    """
    _check(batch_size, 0, 0)
    store = open_store(dataset, split, preprocessing)

    def finish(
        images: tf.Tensor, labels: tf.Tensor, unused: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return normalize(tf.cast(images, tf.float32), preprocessing), labels

    order = np.arange(len(store.labels))
    no_uniforms = np.empty((len(order), 0), np.float32)
    return _batches(
        store, store.labels, order, no_uniforms, batch_size, preprocessing.image_size, finish
    )


def raw_images(
    dataset: ImageDataset,
    split: str,
    preprocessing: Preprocessing,
    limit: int | None = None,
    seed: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return prepared but not normalized images, for calibration and checks.

    Args:
      dataset: where from.
      split: "train", "validation" or "test".
      preprocessing: the record to follow.
      limit: at most this many, 1 or more; None for all.
      seed: take them in this seed's random order; None takes them in order.

    Returns:
      (uint8 [N, S, S, 3] RGB, int32 [N] labels).
    """
    examples = dataset.split(split).examples
    if limit is not None and limit < 1:
        raise UsageError(f"limit {limit}: must be 1 or more")
    order = np.arange(len(examples)) if seed is None else epoch_order(len(examples), seed, 0)
    chosen = [examples[i] for i in order[:limit]]
    side = preprocessing.image_size
    images = np.empty((len(chosen), side, side, 3), np.uint8)
    title = f"preparing {dataset.name}/{split}"
    broken = decode_all(chosen, preprocessing, images, title)
    kept = np.array([i for i in range(len(chosen)) if i not in broken], np.int64)
    labels = np.array([example.label for example in chosen], np.int32)
    if not broken:
        return images, labels
    dataset.drop_broken(split, {int(order[i]): text for i, text in broken.items()})
    if not len(kept):
        raise RunError(f"{dataset.name}: no readable photograph is left in split {split}")
    return images[kept], labels[kept]


def epoch_order(num_examples: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order of an epoch: a permutation of 0..num_examples - 1, int64."""
    generator = np.random.Generator(np.random.Philox(key=[seed, 2 * epoch]))
    return generator.permutation(num_examples)


def normalize(images: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """Do as `photograph.normalize`, bit for bit, on float32 tensors."""
    if preprocessing.channel_order == "BGR":
        images = tf.reverse(images, [-1])
    mean = tf.constant(preprocessing.mean, tf.float32)
    return (images - mean) * tf.constant(preprocessing.scale, tf.float32)


def _batches(
    store: ImageStore,
    labels: Any,
    order: np.ndarray,
    uniforms: np.ndarray,
    batch_size: int,
    side: int,
    finish: Callable[..., tuple[tf.Tensor, Any]],
) -> tf.data.Dataset:
    """Return the examples in this order as batches, finished by all cores, some ahead.

    `finish` makes of (uint8 images, labels, float32 uniforms) what the network takes.
    The numbers of batches are fixed. TensorFlow's tuner of them doubles its sleep up to 10.24 s,
    and who drops an iterator, as every epoch does, may have to wait until it wakes.
    """
    # Without this mark TensorFlow rewrites the functions' source before it traces them.
    plain = tf.autograph.experimental.do_not_convert
    # A tensor travels to other machines with the graph; a Python function would not.
    tensor = store.tensor if isinstance(store, ArrayStore) and store.in_memory else None

    def fetch(
        indices: tf.Tensor, labels: Any, uniforms: tf.Tensor
    ) -> tuple[tf.Tensor, Any, tf.Tensor]:
        if tensor is not None:
            return tf.gather(tensor, indices), labels, uniforms
        images = tf.numpy_function(store.take, [indices], tf.uint8, stateful=False)
        return tf.ensure_shape(images, [None, side, side, 3]), labels, uniforms

    options = tf.data.Options()
    options.autotune.enabled = False
    ordered = tf.nest.map_structure(lambda values: values[order], labels)
    rows = tf.data.Dataset.from_tensor_slices((order, ordered, uniforms))
    batches = rows.batch(batch_size).map(plain(fetch), num_parallel_calls=os.cpu_count())
    finished = batches.map(plain(finish), num_parallel_calls=os.cpu_count())
    return finished.prefetch(_BATCHES_AHEAD).with_options(options)


def _lessons(dataset: ImageDataset, labels: np.ndarray) -> Any:
    """Return what is learnt of each training image: its label, and what a teacher answers."""
    soft = dataset.soft_targets
    if soft is None:
        return labels
    if len(soft.probabilities) != len(labels):
        raise RunError(
            f"{dataset.name}: {len(labels):,} training images can be read, the teacher answered "
            f"{len(soft.probabilities):,}; a photograph changed since; run again"
        )
    return labels, soft.probabilities, soft.weights


def _check(batch_size: int, seed: int, epoch: int, shard: tuple[int, int] = (0, 1)) -> None:
    if batch_size < 1:
        raise UsageError(f"--train_batch_size {batch_size}: must be 1 or more")
    if seed < 0 or epoch < 0:
        raise UsageError(f"seed {seed}, epoch {epoch}: must be 0 or more")
    index, count = shard
    if not 0 <= index < count:
        raise UsageError(f"shard {index} of {count}: the index must be 0..{count - 1}")
