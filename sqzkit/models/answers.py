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
_CHANGING = (
    *("Mul", "AddV2", "Add", "BiasAdd", "Sub", "Neg", "RealDiv", "Sum", "Mean", "Max", "MaxPool"),
    *("AvgPool", "Relu", "Maximum", "Minimum", "Transpose", "Shape", "StridedSlice", "Pack"),
    *("FusedBatchNormV3", "SquaredDifference", "Rsqrt", "Fill", "Prod"),  # of normalizations
)
_PROBABILITIES = {"Softmax", "Sigmoid", "Exp"}  # the last in a softmax over several axes


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
    changed = _changes_probabilities(operation, concrete.inputs[0].op)
    if operation.type not in _LOGITS or abs(sums - 1) < 1e-4 or changed:
        raise RunError(
            f"the model ends in {operation.type}, which gives neither logits nor the "
            "probabilities of a softmax or sigmoid; end it in a Softmax layer"
        )
    return False


def _changes_probabilities(operation: Any, image: Any) -> bool:
    """Return whether an operation and those before it do nothing but change probabilities."""
    reading = {image.name}
    for found in operation.graph.get_operations():  # each after its inputs
        if any(source.op.name in reading for source in found.inputs):
            reading.add(found.name)
    pending, seen, sources = [operation], set(), set()
    while pending:
        found = pending.pop()
        if found.name in seen or found.name not in reading:
            continue
        seen.add(found.name)
        if found.type in (*_PASSING, *_CHANGING):
            pending += [source.op for source in found.inputs]
        else:
            sources.add(found.type)
    return bool(sources) and sources <= _PROBABILITIES


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
