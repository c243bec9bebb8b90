"""From a Keras model to the bytes of a `.tflite` that takes raw RGB pixels."""

import functools
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from sqzkit.base.errors import UnfitNetworkError, UsageError
from sqzkit.base.keras import keras
from sqzkit.base.quiet import quiet
from sqzkit.coding import sqz
from sqzkit.conversion import checks
from sqzkit.conversion.options import ConversionOptions
from sqzkit.conversion.prepared import prepare, round_first_kernel
from sqzkit.data.dataset import ImageDataset
from sqzkit.data.pipeline import raw_images
from sqzkit.preprocessing import Preprocessing
from sqzkit.ptq.config import OptimizeConfig
from sqzkit.ptq.optimize import OptimizedWeights, Optimizer
from sqzkit.tflite import metadata
from sqzkit.tflite.flatbuffer import TFLiteFile

MIN_IMAGES = 2
_INPUT_TYPES = {"float32": tf.float32, "int8": tf.int8, "uint8": tf.uint8}


def convert_model(
    model: Any,
    preprocessing: Preprocessing,
    labels: tuple[str, ...],
    options: ConversionOptions,
    representative: np.ndarray | None = None,
    foreign: bool = False,
) -> bytes:
    """Convert a classifier to TFLite, with its metadata.

    Batch normalization, normalization of the pixels and channel order are
    folded into the convolutions; the file takes raw RGB pixels 0..255 (of
    float32, or of int8 as pixel - 128, or of uint8) and gives probabilities.

    Args:
      model: from float32 [N, S, S, 3], preprocessed, to logits [N, classes],
        or probabilities if `foreign`. It is not changed.
      preprocessing: what `model` expects of its input.
      labels: class names in class order.
      options: how to convert.
      representative: uint8 [N, S, S, 3] RGB photographs for the ranges of
        int8 and int16x8; else unused.
      foreign: whether the model is of another maker: of Keras 2 or 3, of any
        layers, so that its operators are not known beforehand.

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
    prepared = prepare(model, preprocessing, foreign)
    if options.needs_calibration and options.granularity == "per_tensor":
        round_first_kernel(prepared, preprocessing)
    content = _convert(prepared, options, representative)
    checks.check(TFLiteFile(content), None if foreign else prepared, options)
    return metadata.attach(content, preprocessing, labels, options.description)


def convert_calibrated(
    model: Any,
    preprocessing: Preprocessing,
    labels: tuple[str, ...],
    dataset: ImageDataset,
    limit: int,
    seed: int,
) -> bytes:
    """Return the int8 file of a network, per tensor, as archives are smallest.

    Its ranges are those on at most `limit` photographs of the training split. The rest is as for
    `convert_model`.
    """
    images, _ = raw_images(dataset, "train", preprocessing, limit, seed)
    options = ConversionOptions(granularity="per_tensor")
    return convert_model(model, preprocessing, labels, options, images)


def _convert(model: Any, options: ConversionOptions, representative: np.ndarray | None) -> bytes:
    shape = [1, *model.input_shape[1:]]
    serve = tf.function(lambda image: model(image, training=False), autograph=False)
    concrete = serve.get_concrete_function(tf.TensorSpec(shape, tf.float32, name="image"))
    # Given the Keras model, the converter would trace every layer alone, for seconds, to save it.
    kept = tf.Module()
    variables = [v if isinstance(v, tf.Variable) else v.value for v in model.variables]
    kept.variables_of_the_model = variables
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], kept)
    _configure(converter, options, representative)
    try:
        with quiet():
            return bytes(converter.convert())
    except (ValueError, RuntimeError) as error:
        raise _failure(error) from error
    except Exception as error:
        if type(error).__name__ != "ConverterError":
            raise
        raise _failure(error) from error


def _failure(error: Exception) -> UnfitNetworkError:
    """Return the converter's error in one line: it may print the whole network."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if "error:" in line or "not supported" in line] or lines
    reason = told[0][:300] if told else repr(error)
    return UnfitNetworkError(f"TensorFlow's converter fails: {reason}")


def _configure(
    converter: Any, options: ConversionOptions, representative: np.ndarray | None
) -> None:
    if options.quantization == "none":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if options.quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if options.granularity == "per_tensor":
        # Private, hence held by a test: `checks` refuses the file if it has no effect.
        converter._experimental_disable_per_channel = True
    if options.quantization == "dynamic":
        # TensorFlow Lite 2.16.1, the last for Android, knows no such layer with a scale a channel.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    if not options.needs_calibration or representative is None:
        return
    converter.representative_dataset = representative_dataset(representative)
    int16 = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    int8 = tf.lite.OpsSet.TFLITE_BUILTINS_INT8
    converter.target_spec.supported_ops = [int8 if options.quantization == "int8" else int16]
    converter.inference_input_type = _INPUT_TYPES[str(options.inference_input_type)]
    converter.inference_output_type = converter.inference_input_type


def representative_dataset(images: np.ndarray) -> Callable[[], Iterator[list[np.ndarray]]]:
    """Return what `TFLiteConverter.representative_dataset` wants of images uint8 [N, S, S, 3], RGB.

    The converter keeps the smallest and largest value of every activation (a
    moving average clips the logits: 48.0 % top-1 instead of 65.6). One pixel of
    the first image is made black and one white, so that the input's range is
    exactly 0..255: then its scale is 1, and a byte of the photograph is the
    quantized value itself. Raises `UsageError` as `check_distinct` does.
    """
    check_distinct(images)
    first = images[0].copy()
    first[0, 0], first[0, 1] = 0, 255

    def generate() -> Iterator[list[np.ndarray]]:
        yield [first[None].astype(np.float32)]
        for image in images[1:]:
            yield [image[None].astype(np.float32)]

    return generate


def check_distinct(images: np.ndarray) -> None:
    """Raise `UsageError` unless there are enough images uint8 [N, S, S, 3], most different."""
    if len(images) < MIN_IMAGES:
        raise UsageError(
            f"{len(images)} representative images: int8 and int16x8 need {MIN_IMAGES} or "
            "more, better 100; give --representative_dataset_dir"
        )
    digests = {hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest() for image in images}
    # A data set may well hold a few copies; one image over and over is a mistake.
    if 2 * len(digests) <= len(images):
        raise UsageError(
            f"only {len(digests)} of {len(images)} representative images are distinct: "
            "calibration on repeated images is worthless; give other photographs"
        )


class PricedConverter:
    """Optimized int8 files of one network at any price of a bit; what they share is done once.

    Args:
      model: of Keras 2, of layers that the optimizer knows (`sqzkit.ptq.optimize`).
      preprocessing, labels, options: as for `convert_model`; per tensor.
      photographs: unlabelled, uint8 [N, S, S, 3], RGB.
      config: the target, and a budget of the `.sqz` or the update.
      base: an older int8 file: bits are then those of an update of it.
    """

    def __init__(
        self,
        model: Any,
        preprocessing: Preprocessing,
        labels: tuple[str, ...],
        options: ConversionOptions,
        photographs: np.ndarray,
        config: OptimizeConfig,
        base: bytes | None = None,
    ) -> None:
        if not isinstance(model, keras.Model):
            raise UsageError(
                "--optimize_for: only models of Keras 2 can be optimized, this one was saved by "
                "Keras 3; leave the flag out"
            )
        self._what = model, preprocessing, labels, options, photographs
        self._config, self._base = config, base
        self._template = b""

    @functools.cached_property
    def _optimizer(self) -> Optimizer:
        model, preprocessing, labels, _, images = self._what
        older = None if self._base is None else (self._base, labels)
        return Optimizer(model, preprocessing, images, self._config, _say, older)

    @property
    def price(self) -> float:
        """Price at which the error is what the target allows."""
        return self._optimizer.price

    def at(self, price: float) -> bytes:
        """Return the `.tflite` at a price."""
        return self._written(self._optimizer.at(price))

    def best(self) -> bytes:
        """Return the `.tflite` at the target's price, or at the one that meets the budget.

        Its `.sqz`, or the update, is not larger than that; `RunError` if that cannot be.
        """
        of_update = self._config.update_budget_bytes
        budget = of_update or self._config.archive_budget_bytes
        if budget is None:
            return self.at(self.price)
        base = self._base if of_update else None

        def size(found: OptimizedWeights) -> int:
            return len(sqz.pack(self._written(found), base))

        return self._written(self._optimizer.best(budget, size))

    def _written(self, found: OptimizedWeights) -> bytes:
        """Return the file of these weights; the first one has a place for those of all prices."""
        if not self._template:
            self._template = convert_model(found.template(*self._what[:2]), *self._what[1:])
        content = found.write(self._template)
        checks.check_ends(TFLiteFile(content), self._what[3])
        return content


def _say(text: str) -> None:
    print(text, flush=True)
