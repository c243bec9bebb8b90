"""The dense network teaches the compressed one (Hinton et al., 2015).

The probabilities of the dense network say more about a photograph than its label
alone, which helps a network that has lost most of its weights.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from sqzkit.base.keras import keras
from sqzkit.training import steps

TEMPERATURE = 2.0

Loss = Callable[[Any, Any, Any], Any]


def distillation_loss(teacher: keras.Model, weight: float, label_smoothing: float) -> Loss:
    """Return (images, labels int32 [B], logits [B, classes]) -> float32 [B].

    Args:
      teacher: from the same images to logits; used in inference mode, not trained.
      weight: share of the teacher, 0 (labels only) to 1 (teacher only).
      label_smoothing: of the share of the labels.
    """
    from_labels = steps.smoothed_cross_entropy(teacher.output_shape[-1], label_smoothing)

    def loss(images: tf.Tensor, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        logits = tf.cast(logits, tf.float32)
        taught = tf.stop_gradient(tf.cast(teacher(images, training=False), tf.float32))
        soft = tf.nn.softmax_cross_entropy_with_logits(
            tf.nn.softmax(taught / TEMPERATURE), logits / TEMPERATURE
        )
        # The gradient of softened targets is smaller by the square of the temperature.
        soft *= TEMPERATURE**2
        return (1 - weight) * from_labels(images, labels, logits) + weight * soft

    return loss
