"""Run a converted classifier on photographs: everything it needs is in the file.

Only NumPy, Pillow and LiteRT are needed; TensorFlow is not imported.
"""

import dataclasses
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sqzkit.base.errors import FormatError, UsageError
from sqzkit.base.quiet import quiet
from sqzkit.preprocessing import MAX_SIZE, MIN_SIZE, NAMES, Preprocessing, named, photograph
from sqzkit.tflite import flatbuffer, metadata
from sqzkit.tflite.flatbuffer import Tensor, TFLiteFile

Photograph = Path | str | bytes | Image.Image | np.ndarray

_INPUT_DTYPES = ("float32", "uint8", "int8", "int16")
_RAW_ZEROS = {"uint8": 0, "int8": -128}
_PASSING = ("QUANTIZE", "DEQUANTIZE", "RESHAPE")
_SQUASHING = ("SOFTMAX", "LOGISTIC")
_MAX_THREADS = 4
# Activations of a runnable model: v1.0 at 1,024 pixels has some 10^8 values in all.
_MAX_VALUES = 1 << 28


@dataclasses.dataclass(frozen=True)
class Prediction:
    """One possible answer: class index, its label, and its probability 0..1."""

    index: int
    label: str
    probability: float


class Classifier:
    """An image classifier in a `.tflite` or `.sqz` file.

    Args:
      model: path of the file, or its bytes.
      num_threads: of the interpreter; None: one for each core, at most 4.
      preprocessing: to use instead of what the file says: a record, the path of
        one, or one of `preprocessing.NAMES`; needed for a float model of
        another maker that says nothing on normalization.
      labels: to use instead of the file's.

    Attributes:
      labels: class names in class order ("class N" if there are no names).
      preprocessing: from a photograph to the input's real values.
      model: the file's tensors and operators.

    Raises:
      RunError: the file cannot be read.
      FormatError: the file is not an image classifier, is damaged, or has another
        number of labels than of outputs.
    """

    def __init__(
        self,
        model: Path | str | bytes,
        num_threads: int | None = None,
        preprocessing: Preprocessing | str | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        name = "the model" if isinstance(model, bytes) else str(model)
        content = flatbuffer.load(model)
        try:
            self.model = TFLiteFile(content)
            self._input, self._output = _ends(self.model)
            self.metadata = metadata.read(self.model)
            if isinstance(preprocessing, str):
                preprocessing = named(preprocessing, self._input.shape[1])
            self.preprocessing = preprocessing or _preprocessing(self._input, self.metadata)
            self.labels = _labels(labels, self.metadata, self._output.shape[1])
            self._interpreter = _interpreter(content, num_threads or _threads())
        except FormatError as error:
            raise FormatError(f"{name}: {error}") from error
        if self.preprocessing.image_size != self._input.shape[1]:
            raise UsageError(
                f"{name}: takes {self._input.shape[1]} pixels, the preprocessing record "
                f"gives {self.preprocessing.image_size}"
            )
        self._finish = _finish(self.model)

    def classify(self, photo: Photograph, top_k: int = 5) -> list[Prediction]:
        """Return the `top_k` most probable classes of a photograph, best first.

        Args:
          photo: path, file's bytes, Pillow image (upright), or uint8 [H, W, 3]
            RGB pixels, of any size.
          top_k: 1 or more; more than there are classes gives all.

        Raises:
          RunError: the photograph cannot be read.
        """
        return self.rank(self.predict(self.prepare(photo)[None])[0], top_k)

    def answer(self, image: np.ndarray, top_k: int) -> tuple[list[Prediction], bool]:
        """Return the most probable classes of a prepared image, and False: it shows one of them."""
        return self.rank(self.predict(image[None])[0], top_k), False

    def rank(self, probabilities: np.ndarray, top_k: int) -> list[Prediction]:
        """Return the `top_k` most probable classes of float32 [classes], best first."""
        return rank(probabilities, self.labels, top_k)

    def prepare(self, photo: Photograph) -> np.ndarray:
        """Return a photograph as the square the network sees: uint8 [S, S, 3], RGB."""
        if isinstance(photo, np.ndarray):
            if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
                raise UsageError(
                    f"pixels {photo.dtype} {list(photo.shape)}: must be uint8 [H, W, 3], RGB"
                )
            photo = Image.fromarray(photo)
        if isinstance(photo, Image.Image):
            return photograph.prepare(photo, self.preprocessing)
        return photograph.load_photograph(photo, self.preprocessing)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities of prepared images.

        Args:
          images: uint8 [N, S, S, 3], RGB, as `prepare` gives them.

        Returns:
          float32 [N, classes].
        """
        side = self.preprocessing.image_size
        if images.dtype != np.uint8 or images.shape[1:] != (side, side, 3):
            raise UsageError(
                f"images {images.dtype} {list(images.shape)}: must be uint8 "
                f"[N, {side}, {side}, 3]; `prepare` makes them so"
            )
        answers = np.empty((len(images), len(self.labels)), np.float32)
        for i, image in enumerate(images):
            answers[i] = self._finish(self._run(image[None]))
        return answers

    def invoke(self) -> None:
        """Run the network on the input that is set: inference alone, for measuring."""
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise FormatError(f"LiteRT cannot run the model: {error}") from error

    def outputs(self, image: np.ndarray) -> list[np.ndarray]:
        """Return what all outputs of the graph hold after a prepared image, as they are stored.

        Args:
          image: uint8 [S, S, 3], RGB, as `prepare` gives it.
        """
        self._run(image[None])
        return [self._interpreter.get_tensor(number) for number in self.model.outputs]

    def _run(self, image: np.ndarray) -> np.ndarray:
        values = photograph.normalize(image, self.preprocessing)
        self._interpreter.set_tensor(self._input.index, quantize(values, self._input))
        self.invoke()
        return dequantize(self._interpreter.get_tensor(self._output.index)[0], self._output)


def rank(probabilities: np.ndarray, labels: Sequence[str], top_k: int) -> list[Prediction]:
    """Return the `top_k` most probable classes, best first."""
    if top_k < 1:
        raise UsageError(f"--top_k={top_k}: must be 1 or more")
    # Stable, so that equal probabilities keep the order of the classes.
    best = np.argsort(-probabilities, kind="stable")[:top_k]
    return [Prediction(int(i), labels[i], float(probabilities[i])) for i in best]


def quantize(values: np.ndarray, tensor: Tensor) -> np.ndarray:
    """Return float32 values as the tensor's dtype: `round(value / scale) + zero point`."""
    if tensor.dtype == "float32":
        return values
    limits = np.iinfo(tensor.dtype)
    steps = np.rint(values / tensor.scales[0]) + tensor.zero_points[0]
    return np.asarray(np.clip(steps, limits.min, limits.max), tensor.dtype)


def dequantize(values: np.ndarray, tensor: Tensor) -> np.ndarray:
    """Return the tensor's values as float32: `(value - zero point) * scale`."""
    if tensor.dtype == "float32":
        return values
    steps = values.astype(np.int32) - tensor.zero_points[0]
    return np.asarray(steps * tensor.scales[0], np.float32)


def _threads() -> int:
    return min(_MAX_THREADS, os.cpu_count() or 1)


def _interpreter(content: bytes, num_threads: int) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    try:
        with quiet():
            interpreter = Interpreter(model_content=content, num_threads=num_threads)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise FormatError(f"LiteRT cannot run it: {error}") from error
    return interpreter


def _ends(model: TFLiteFile) -> tuple[Tensor, Tensor]:
    # The first output is the answer; a file that can be taught has further ones.
    if len(model.inputs) != 1 or not model.outputs:
        raise FormatError(
            f"not an image classifier: {len(model.inputs)} inputs and "
            f"{len(model.outputs)} outputs instead of one input and an output"
        )
    activations = [tensor for tensor in model.tensors if not model.is_constant(tensor)]
    if sum(math.prod(tensor.shape) for tensor in activations) > _MAX_VALUES:
        raise FormatError(f"its activations have more than {_MAX_VALUES:,} values")
    source, target = model.tensors[model.inputs[0]], model.tensors[model.outputs[0]]
    shape = source.shape
    if len(shape) != 4 or shape[0] != 1 or shape[1] != shape[2] or shape[3] != 3:
        raise FormatError(
            f"not an image classifier: its input is {list(shape)} instead of [1, size, size, 3]"
        )
    if not MIN_SIZE <= shape[1] <= MAX_SIZE:
        raise FormatError(f"takes {shape[1]} pixels: {MIN_SIZE}..{MAX_SIZE} are supported")
    if len(target.shape) != 2 or target.shape[0] != 1 or target.shape[1] < 2:
        raise FormatError(
            f"not an image classifier: its output is {list(target.shape)} instead of [1, classes]"
        )
    for tensor in (source, target):
        if tensor.dtype not in _INPUT_DTYPES:
            raise FormatError(f"{tensor.name!r} is {tensor.dtype}: {', '.join(_INPUT_DTYPES)} run")
        if tensor.dtype != "float32" and (tensor.scales.size != 1 or not tensor.scales[0] > 0):
            raise FormatError(f"{tensor.name!r} is {tensor.dtype} without one positive scale")
        if tensor.scales.size != tensor.zero_points.size:
            raise FormatError(f"{tensor.name!r} has no zero point")
    return source, target


def _preprocessing(source: Tensor, record: metadata.ModelMetadata | None) -> Preprocessing:
    """Return what the file says: our own record, else the standard normalization."""
    if record is not None and record.preprocessing is not None:
        return record.preprocessing
    side = source.shape[1]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    if record is not None and record.mean and record.std:
        mean, scale = record.mean, tuple(1 / value for value in record.std)
    elif source.dtype in _RAW_ZEROS:
        # An integer input of which nothing is said takes the pixels as they are.
        mean = (float(source.zero_points[0] - _RAW_ZEROS[source.dtype]),)
        scale = (float(source.scales[0]),)
    else:
        raise FormatError(
            "does not say how to normalize a photograph; give --preprocessing, one of "
            f"{', '.join(NAMES)} or a preprocessing.json"
        )
    return Preprocessing(side, side, mean=_three(mean), scale=_three(scale))


def _three(values: tuple[float, ...]) -> tuple[float, float, float]:
    return (values[0], values[-2] if len(values) > 1 else values[0], values[-1])


def _labels(
    given: Sequence[str] | None, record: metadata.ModelMetadata | None, classes: int
) -> tuple[str, ...]:
    labels = tuple(given) if given is not None else (record.labels if record else ())
    if not labels:
        return tuple(f"class {i}" for i in range(classes))
    if len(labels) != classes:
        raise FormatError(
            f"{len(labels)} labels for {classes} outputs: give one label for each output"
        )
    return labels


def _finish(model: TFLiteFile) -> Callable[[np.ndarray], np.ndarray]:
    """Return what makes probabilities of the output: nothing where the graph does it."""
    tensor = model.outputs[0]
    for operator in reversed(model.operators):
        if tensor not in operator.outputs:
            continue
        if operator.name in _SQUASHING:
            return lambda values: values
        if operator.name not in _PASSING or not operator.inputs:
            break
        tensor = operator.inputs[0]
    return softmax


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities [..., classes], of the dtype of the logits."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
