"""One training step as a graph, on whatever `tf.distribute` strategy."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from sqzkit.base.keras import keras
from sqzkit.data.dataset import ImageDataset
from sqzkit.data.pipeline import training_batches
from sqzkit.preprocessing import Preprocessing
from sqzkit.training import optimizers, strategies
from sqzkit.training.options import FitOptions

Loss = Callable[[Any, Any, Any], Any]


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

    def _replica_step(self, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        count = tf.cast(tf.shape(labels)[0], tf.float32)
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
        gradients = optimizers.add_decay(self.options, gradients, variables, replicas)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        right = tf.equal(tf.argmax(logits, axis=1, output_type=labels.dtype), labels)
        return tf.stack([tf.reduce_sum(losses), tf.reduce_sum(tf.cast(right, tf.float32)), count])

    def _scaled(self, objective: tf.Tensor) -> tf.Tensor:
        scale = getattr(self.optimizer, "get_scaled_loss", None)
        return scale(objective) if scale else objective

    def _unscaled(self, gradients: list[Any]) -> list[Any]:
        unscale = getattr(self.optimizer, "get_unscaled_gradients", None)
        return unscale(gradients) if unscale else gradients


class CoordinatedStepper(Stepper):
    """Runs each step on a worker of a parameter-server cluster that is free.

    `train` returns at once, with a promise of the step's sums; `EpochSums`
    waits for them, and so bounds how many steps are under way.
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
        return step.fetch()
    return step.numpy()


def effective_batch(options: FitOptions, examples: int, strategy: tf.distribute.Strategy) -> int:
    """Return the global batch: the one asked for, or all of a smaller training split."""
    strategies.input_shards(strategy, options.batch_size)
    replicas = strategy.num_replicas_in_sync
    return max(replicas, min(options.batch_size, examples // replicas * replicas))


def epoch_batches(
    dataset: ImageDataset,
    preprocessing: Preprocessing,
    options: FitOptions,
    strategy: tf.distribute.Strategy,
    epoch: int,
) -> Iterator[tuple[Any, Any]]:
    """Return an iterator over the full batches of one epoch, shared out to the replicas.

    The last, partial batch is left out: normalization by a handful of images
    is noise, and another shuffle brings them into the next epoch.
    """
    examples = dataset.split("train").num_examples
    batch = effective_batch(options, examples, strategy)
    steps, share = examples // batch, batch // strategy.num_replicas_in_sync
    side = preprocessing.image_size

    def whole(images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # Compilers for accelerators need to know all shapes.
        return tf.ensure_shape(images, [share, side, side, 3]), tf.ensure_shape(labels, [share])

    def worker_batches(context: tf.distribute.InputContext) -> tf.data.Dataset:
        replicas = strategy.num_replicas_in_sync // context.num_input_pipelines
        shard = (context.input_pipeline_id, context.num_input_pipelines)
        batches = training_batches(
            dataset,
            preprocessing,
            share,
            options.augmentation,
            options.seed,
            epoch,
            shard,
        )
        return batches.take(steps * replicas).map(whole)

    if strategy.num_replicas_in_sync == 1:
        return iter(worker_batches(tf.distribute.InputContext()))
    return iter(strategy.distribute_datasets_from_function(worker_batches))
