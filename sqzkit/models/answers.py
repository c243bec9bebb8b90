"""Probabilities of a Keras model, whether it ends in logits or in probabilities."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from sqzkit.base.errors import RunError
from sqzkit.preprocessing import Preprocessing, photograph
from sqzkit.tflite.classifier import softmax

BATCH_SIZE = 64
# TensorFlow operations that change no value, and those that networks without an activation at
# their end end with.
_PASSING = ("Identity", "Reshape", "Squeeze", "Cast", "StopGradient")
_LOGITS = (
    *("BiasAdd", "AddV2", "Add", "MatMul", "Conv2D", "Mean", "Max", "MaxPool", "AvgPool"),
    *("Relu", "LogSoftmax", "FusedBatchNormV3"),
)
# What changes probabilities into numbers that are neither.
_CHANGING = ("Mul", "AddV2", "Add", "Sub", "RealDiv", "Mean", "Max", "MaxPool", "AvgPool")
_CONSTANTS = ("Const", "ReadVariableOp", "Placeholder")


def gives_probabilities(model: Any) -> bool:
    """Return whether a model ends in a softmax or sigmoid, nested or not, and not in logits.

    Raises `RunError` if it ends in something else, or cannot be called with one image.
    """
    call = tf.function(lambda images: model(images, training=False), autograph=False)
    try:
        concrete = call.get_concrete_function(tf.TensorSpec([1, *model.input_shape[1:]]))
    except Exception as error:  # a layer may fail with nearly any
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RunError(f"the model cannot be called with one image: {reason}") from error
    operation = concrete.graph.outputs[0].op
    while operation.type in _PASSING:
        operation = operation.inputs[0].op
    if operation.type in ("Softmax", "Sigmoid"):
        return True
    sums = concrete(tf.zeros([1, *model.input_shape[1:]])).numpy().sum()
    if operation.type not in _LOGITS or abs(sums - 1) < 1e-4 or _changes_probabilities(operation):
        raise RunError(
            f"the model ends in {operation.type}, which gives neither logits nor the "
            "probabilities of a softmax or sigmoid; end it in a Softmax layer"
        )
    return False


def _changes_probabilities(operation: Any) -> bool:
    while operation.type in (*_PASSING, *_CHANGING, "Transpose"):
        sources = [source.op for source in operation.inputs if source.op.type not in _CONSTANTS]
        if len(sources) != 1:
            return False
        operation = sources[0]
    return operation.type in ("Softmax", "Sigmoid")


def answerer(
    model: Any, preprocessing: Preprocessing, foreign: bool = False
) -> Callable[[np.ndarray], np.ndarray]:
    """Return what gives a float model's probabilities for images.

    Args:
      model: from preprocessed float32 [N, S, S, 3] to logits or, if `foreign`, logits or
        probabilities [N, classes].
      preprocessing: what `model` expects of its input.
      foreign: whether the model is of another maker.

    Returns:
      uint8 [N, S, S, 3], prepared -> float32 [N, classes].
    """
    answer = tf.function(lambda batch: model(batch, training=False), reduce_retracing=True)
    finished = foreign and gives_probabilities(model)

    def probabilities(images: np.ndarray) -> np.ndarray:
        batches = [
            answer(photograph.normalize(images[start : start + BATCH_SIZE], preprocessing)).numpy()
            for start in range(0, len(images), BATCH_SIZE)
        ]
        outputs = np.concatenate(batches).astype(np.float32)
        return outputs if finished else softmax(outputs)

    return probabilities
