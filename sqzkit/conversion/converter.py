"""From a Keras model to the bytes of a `.tflite` that takes raw RGB pixels."""

from typing import Any

import numpy as np
import tensorflow as tf

from sqzkit.base.errors import RunError, UnfitNetworkError, UsageError
from sqzkit.base.keras import keras
from sqzkit.base.quiet import quiet
from sqzkit.conversion import read_back
from sqzkit.conversion.calibration import representative_dataset
from sqzkit.conversion.input_folding import fold_input
from sqzkit.conversion.options import ConversionOptions
from sqzkit.models.inference import to_inference
from sqzkit.preprocessing import Preprocessing
from sqzkit.tflite import metadata
from sqzkit.tflite.flatbuffer import TFLiteFile

_INPUT_TYPES = {"float32": tf.float32, "int8": tf.int8, "uint8": tf.uint8}


def convert_model(
    model: keras.Model,
    preprocessing: Preprocessing,
    labels: tuple[str, ...],
    options: ConversionOptions,
    representative: np.ndarray | None = None,
) -> bytes:
    """Convert a classifier to TFLite, with its metadata.

    Batch normalization, normalization of the pixels and channel order are
    folded into the convolutions; the file takes raw RGB pixels 0..255 (of
    float32, or of int8 as pixel - 128, or of uint8) and gives probabilities.

    Args:
      model: from float32 [N, S, S, 3], preprocessed, to logits or
        probabilities [N, classes]. It is not changed.
      preprocessing: what `model` expects of its input.
      labels: class names in class order.
      options: how to convert.
      representative: uint8 [N, S, S, 3] RGB photographs for the ranges of
        int8 and int16x8; else unused.

    Returns:
      The file's bytes; the same arguments give the same bytes.

    Raises:
      UsageError: labels, image size or representative images do not fit.
      UnfitNetworkError: the converter fails.
      InvariantError: the file is not what `options` ask for.
    """
    side = preprocessing.image_size
    if model.input_shape[1:] != (side, side, 3):
        raise UsageError(
            f"the model takes {list(model.input_shape[1:])} and the preprocessing record gives "
            f"{[side, side, 3]}: they must be the same"
        )
    if options.needs_calibration and representative is None:
        raise UsageError(
            f"--quantization={options.quantization} needs representative images: "
            "give --representative_dataset_dir"
        )
    prepared = fold_input(prepare(model), preprocessing)
    content = _convert(prepared, options, representative)
    read_back.check(TFLiteFile(content), prepared, options)
    return metadata.attach(content, preprocessing, labels, options.description)


def prepare(model: keras.Model) -> keras.Model:
    """Return a copy for inference that ends in probabilities.

    Networks that `to_inference` does not know (of other makers) are copied as
    they are; the converter folds what batch normalization it can by itself.
    """
    try:
        return to_inference(model, classifier_activation="softmax")
    except RunError:
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
        if ends_in_probabilities(copy):
            return copy
        return keras.Model(copy.input, keras.layers.Softmax(name="prob")(copy.output))


def ends_in_probabilities(model: keras.Model) -> bool:
    """Tell whether the model's last layer is a softmax or sigmoid."""
    last = model.layers[-1]
    squashing = (keras.activations.softmax, keras.activations.sigmoid)
    return isinstance(last, keras.layers.Softmax) or getattr(last, "activation", 0) in squashing


def _convert(
    model: keras.Model, options: ConversionOptions, representative: np.ndarray | None
) -> bytes:
    shape = [1, *model.input_shape[1:]]
    serve = tf.function(lambda image: model(image, training=False), autograph=False)
    concrete = serve.get_concrete_function(tf.TensorSpec(shape, tf.float32, name="image"))
    # Given the Keras model, the converter would trace every layer alone, for seconds, to save it.
    kept = tf.Module()
    kept.variables_of_the_model = model.variables
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], kept)
    _configure(converter, options, representative)
    try:
        with quiet():
            return converter.convert()
    except (ValueError, RuntimeError) as error:
        raise UnfitNetworkError(f"TensorFlow's converter fails: {error}") from error
    except Exception as error:
        if type(error).__name__ != "ConverterError":
            raise
        raise UnfitNetworkError(f"TensorFlow's converter fails: {error}") from error


def _configure(
    converter: Any, options: ConversionOptions, representative: np.ndarray | None
) -> None:
    if options.quantization == "none":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if options.quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if options.granularity == "per_tensor":
        # Private, hence held by a test: `read_back` refuses the file if it has no effect.
        converter._experimental_disable_per_channel = True
    if not options.needs_calibration or representative is None:
        return
    converter.representative_dataset = representative_dataset(representative)
    int16 = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    int8 = tf.lite.OpsSet.TFLITE_BUILTINS_INT8
    converter.target_spec.supported_ops = [int8 if options.quantization == "int8" else int16]
    converter.inference_input_type = _INPUT_TYPES[str(options.inference_input_type)]
    converter.inference_output_type = converter.inference_input_type
