"""Losses by which a network learns the answers of another (Hinton et al., 2015).

The probabilities of a teacher say more about a photograph than its label alone. That helps a
network that has lost most of its weights, or that has few labelled photographs.
"""

from typing import Any

import tensorflow as tf

from sqzkit.base.keras import keras
from sqzkit.training.options import TEMPERATURE
from sqzkit.training.steps import Loss, smoothed_cross_entropy


def distillation_loss(teacher: keras.Model, weight: float, label_smoothing: float) -> Loss:
    """Return (images, labels int32 [B], logits [B, classes]) -> float32 [B].

    Args:
      teacher: from the same images to logits; used in inference mode, not trained.
      weight: share of the teacher, 0 (labels only) to 1 (teacher only).
      label_smoothing: of the share of the labels.
    """
    from_labels = smoothed_cross_entropy(teacher.output_shape[-1], label_smoothing)

    def loss(images: tf.Tensor, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        taught = tf.stop_gradient(tf.cast(teacher(images, training=False), tf.float32))
        soft = _softened(taught, tf.cast(logits, tf.float32), TEMPERATURE)
        return (1 - weight) * from_labels(images, labels, logits) + weight * soft

    return loss


def soft_target_loss(classes: int, temperature: float, label_smoothing: float) -> Loss:
    """Return (images, lessons, logits [B, classes]) -> float32 [B] for known answers.

    The lessons are those of `ImageDataset.soft_targets`: (labels int32 [B], the teacher's
    probabilities float32 [B, classes], its weight float32 [B]). The teacher's part of the loss
    is a divergence: 0 where the answers are the teacher's.

    Args:
      classes: number of classes.
      temperature: divides the logits of both before they are compared, above 0.
      label_smoothing: of the part of the labels.
    """
    from_labels = smoothed_cross_entropy(classes, label_smoothing)

    def loss(images: tf.Tensor, lessons: Any, logits: tf.Tensor) -> tf.Tensor:
        labels, probabilities, weight = lessons
        taught = tf.math.log(tf.maximum(probabilities, 1e-9))
        soft = _softened(taught, tf.cast(logits, tf.float32), temperature)
        soft -= _softened(taught, taught, temperature)
        return (1 - weight) * from_labels(images, labels, logits) + weight * soft

    return loss


def _softened(taught: tf.Tensor, logits: tf.Tensor, temperature: float) -> tf.Tensor:
    """Return the cross-entropy of the teacher's and the student's softened answers."""
    soft = tf.nn.softmax_cross_entropy_with_logits(
        tf.nn.softmax(taught / temperature), logits / temperature
    )
    # The gradient of softened targets is smaller by the square of the temperature.
    return soft * temperature**2
