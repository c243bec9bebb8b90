"""One training step as a graph, under any `tf.distribute` strategy, and the batches it gets."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from sqzkit.base.keras import keras
from sqzkit.data.dataset import ImageDataset
from sqzkit.data.pipeline import training_batches
from sqzkit.preprocessing import Preprocessing
from sqzkit.training import distribution, optimization
from sqzkit.training.options import FitOptions

Loss = Callable[[Any, Any, Any], Any]
STATEFUL = "stateful"  # Keras's word for "drawn from a tf.random.Generator"


def smoothed_cross_entropy(classes: int, smoothing: float) -> Loss:
    """Return (images, labels int32 [B], logits [B, classes]) -> float32 [B].

    Args:
      classes: number of classes.
      smoothing: share of the target spread evenly over all classes, [0, 1)
        (Szegedy et al., 2016, section 7).
    """

    def loss(images: tf.Tensor, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        del images
        logits = tf.cast(logits, tf.float32)
        if not smoothing:
            return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        targets = tf.one_hot(labels, classes, 1 - smoothing + smoothing / classes)
        targets += (1 - tf.one_hot(labels, classes)) * smoothing / classes
        return tf.nn.softmax_cross_entropy_with_logits(targets, logits)

    return loss


def class_weighted(loss: Loss, counts: np.ndarray) -> Loss:
    """Return the loss with each class's images weighing as much together as any other's.

    As scikit-learn's "balanced": the weights have mean 1 over all images.

    Args:
      loss: of each image.
      counts: images of each class, int [classes].
    """
    present = np.count_nonzero(counts)
    weights = tf.constant(counts.sum() / (present * np.maximum(counts, 1)), tf.float32)

    def weighted(images: tf.Tensor, labels: Any, logits: tf.Tensor) -> tf.Tensor:
        return loss(images, labels, logits) * tf.gather(weights, true_labels(labels))

    return weighted


def true_labels(lessons: Any) -> tf.Tensor:
    """Return the labels, int32 [B], with or without a teacher's answers (`training_batches`)."""
    return lessons[0] if isinstance(lessons, tuple) else lessons


class Stepper:
    """Runs training steps of one model under one strategy."""

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        options: FitOptions,
        loss: Loss,
        strategy: tf.distribute.Strategy,
    ) -> None:
        """Trace nothing yet; the first step does."""
        self.model, self.optimizer, self.options = model, optimizer, options
        self.loss, self.strategy = loss, strategy
        self.train = tf.function(self._train, reduce_retracing=True)

    def _train(self, images: Any, labels: Any) -> tf.Tensor:
        """Return [sum of losses, number right, number of examples], float32, over all replicas."""
        sums = self.strategy.run(self._replica_step, args=(images, labels))
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, sums, axis=None)

    def _replica_step(self, images: tf.Tensor, labels: Any) -> tf.Tensor:
        truth = true_labels(labels)
        count = tf.cast(tf.shape(truth)[0], tf.float32)
        replicas = self.strategy.num_replicas_in_sync
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            logits = self.model(images, training=True)
            losses = self.loss(images, labels, logits)
            # All replicas have the same count; their gradients are summed.
            objective = tf.reduce_sum(losses) / (count * replicas)
            if self.model.losses:
                objective += tf.add_n(self.model.losses) / replicas
            scaled = self._scaled(objective)
        gradients = self._unscaled(tape.gradient(scaled, variables))
        gradients = optimization.add_decay(self.options, gradients, variables, replicas)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        right = tf.equal(tf.argmax(logits, axis=1, output_type=truth.dtype), truth)
        return tf.stack([tf.reduce_sum(losses), tf.reduce_sum(tf.cast(right, tf.float32)), count])

    def _scaled(self, objective: tf.Tensor) -> tf.Tensor:
        scale = getattr(self.optimizer, "get_scaled_loss", None)
        return scale(objective) if scale else objective

    def _unscaled(self, gradients: list[Any]) -> list[Any]:
        unscale = getattr(self.optimizer, "get_unscaled_gradients", None)
        return unscale(gradients) if unscale else gradients


class CoordinatedStepper(Stepper):
    """Runs each step on a free worker of a parameter-server cluster.

    `train` returns at once, with a promise of the step's sums; `EpochSums`
    waits for them, which bounds how many steps run at a time.
    """

    def __init__(self, *arguments: Any) -> None:
        """Take what `Stepper` takes."""
        super().__init__(*arguments)
        self._step = self.train
        self._coordinator = tf.distribute.coordinator.ClusterCoordinator(self.strategy)
        self.train = self._schedule

    def _schedule(self, images: tf.Tensor, labels: tf.Tensor) -> Any:
        return self._coordinator.schedule(self._step, args=(images, labels))


class EpochSums:
    """Sums of one epoch, read from the device only now and then."""

    READ_EVERY = 16  # steps; reading each one would make an accelerator wait

    def __init__(self) -> None:
        self.sums = np.zeros(3)
        self.pending: list[Any] = []

    def add(self, step: Any) -> None:
        """Take the result of one `Stepper.train`."""
        self.pending.append(step)
        if len(self.pending) >= self.READ_EVERY:
            self.read()

    def read(self) -> None:
        """Wait for all steps so far."""
        self.sums += np.sum([_value(step) for step in self.pending], axis=0, dtype=np.float64)
        self.pending = []

    @property
    def loss(self) -> float:
        """Mean loss of what was read; NaN before anything was."""
        return float(self.sums[0] / self.sums[2]) if self.sums[2] else float("nan")

    @property
    def accuracy(self) -> float:
        """Share of right answers among what was read, 0..1."""
        return float(self.sums[1] / self.sums[2]) if self.sums[2] else 0.0

    @property
    def examples(self) -> int:
        """Number of examples read."""
        return int(self.sums[2])


def _value(step: Any) -> np.ndarray:
    """Return the sums of a step; wait for it if another process runs it."""
    if isinstance(step, tf.distribute.coordinator.RemoteValue):
        step = step.fetch()
    return np.asarray(step)


def seed_dropout(model: keras.Model, seed: int) -> list[keras.layers.Layer]:
    """Give every Dropout of `model`, wrapped ones too, a generator; return these layers.

    Keras's Dropout draws from a kernel whose counter cannot be stored. From a
    `tf.random.Generator` that `reset_dropout` sets at the start of each epoch, a
    resumed stage draws what an undisturbed one draws. Must be called before the
    model is traced into a function.
    """
    layers = [layer for layer in model.submodules if isinstance(layer, keras.layers.Dropout)]
    for index, layer in enumerate(layers):
        # Keras has no public way to do this with a layer that is already built.
        layer._random_generator = type(layer._random_generator)(
            _mixed(seed, index), rng_type=STATEFUL
        )
        layer._random_generator._maybe_init()
    return layers


def reset_dropout(layers: Sequence[keras.layers.Layer], seed: int, epoch: int) -> None:
    """Set the generators to their state at the start of `epoch`."""
    for index, layer in enumerate(layers):
        generator: tf.random.Generator = layer._random_generator._generator
        generator.reset_from_seed(_mixed(seed, index, epoch))


def _mixed(*parts: int) -> int:
    """Return 63 bits that depend on all of `parts`."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def epoch_batches(
    dataset: ImageDataset,
    preprocessing: Preprocessing,
    options: FitOptions,
    strategy: tf.distribute.Strategy,
    epoch: int,
) -> tuple[int, Iterator[tuple[Any, Any]]]:
    """Return number and iterator of one epoch's full batches, divided between the replicas.

    The last, partial batch is left out: normalization by a handful of images
    is noise, and another shuffle brings them into the next epoch. A training
    split that is smaller than the batch is one batch.

    Raises:
      UsageError: the batch cannot be divided evenly between the replicas.
      RunError: too many photographs cannot be decoded.
    """
    replicas = strategy.num_replicas_in_sync
    share = distribution.replica_batch(strategy, options.batch_size)
    chosen = (options.augmentation, options.seed, epoch)
    # Opening the split drops unreadable photographs, so it comes before counting.
    training_batches(dataset, preprocessing, share, *chosen)
    examples = dataset.split("train").num_examples
    share = max(1, min(share, examples // replicas))
    count = examples // (share * replicas)
    side = preprocessing.image_size

    def whole(images: tf.Tensor, labels: Any) -> tuple[tf.Tensor, Any]:
        # Compilers for accelerators need to know all shapes.
        labels = tf.nest.map_structure(
            lambda part: tf.ensure_shape(part, [share, *part.shape[1:]]), labels
        )
        return tf.ensure_shape(images, [share, side, side, 3]), labels

    def worker_batches(context: tf.distribute.InputContext) -> tf.data.Dataset:
        shard = (context.input_pipeline_id, context.num_input_pipelines)
        batches = training_batches(dataset, preprocessing, share, *chosen, shard)
        return batches.take(count * (replicas // context.num_input_pipelines)).map(whole)

    if replicas == 1:
        return count, iter(worker_batches(tf.distribute.InputContext()))
    return count, iter(strategy.distribute_datasets_from_function(worker_batches))
