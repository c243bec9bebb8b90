"""A taught head as an ordinary `.tflite`: the last layer replaced, everything before it kept."""

import dataclasses
import struct
from typing import Any

import numpy as np

from sqzkit.base.errors import FormatError, UsageError
from sqzkit.base.flatbuffer_tables import Source, Table
from sqzkit.teaching import fitting, linear
from sqzkit.teaching.features import STEPS
from sqzkit.teaching.head import Head, refuse_other
from sqzkit.tflite import last_layer, metadata
from sqzkit.tflite.flatbuffer import IDENTIFIER, Tensor, TFLiteFile
from sqzkit.tflite.splice import METADATA, Vector, splice

# Scores are expected this many standard deviations around those of the classes' means.
DEVIATIONS = 4.0
# How much farther than its average a score reaches at one place of the map.
PLACES = 4.0
NEGLIGIBLE = 8.0  # e^-8 is less than a step of an int8 probability
_FUSED = {"CONV_2D": 3, "FULLY_CONNECTED": 0}  # the field of the fused activation
_BIASES = {"int8": "<i4", "int16": "<i8"}


@dataclasses.dataclass(frozen=True)
class Layer:
    """The last layer in real numbers, and the range of what it gives.

    Attributes:
      kernel: float64 [classes, features], for the activation's real values.
      bias: float64 [classes].
      mean: float64 [features], the mean of the classes' means, real values.
      averages: the range of the averaged logits that matter, with 0 inside.
      places: the range of the logits at each place of the map.
    """

    kernel: np.ndarray
    bias: np.ndarray
    mean: np.ndarray
    averages: tuple[float, float]
    places: tuple[float, float]


def export(content: bytes, head: Head) -> bytes:
    """Return a model whose last layer is the head: logits, softmax and labels.

    The same model and head give the same bytes.

    Args:
      content: the `.tflite` that the head was taught on, or one with the same features.
      head: of two classes or more.

    Raises:
      UsageError: the head belongs to another model, or has fewer than two classes.
      FormatError: the model's last layer cannot be replaced.
    """
    model = TFLiteFile(metadata.without_files(content))
    place = last_layer.find(model)
    refuse_other(head.digest, last_layer.digest(model, place), "the head")
    if len(head.labels) < 2:
        raise UsageError("a model needs two classes or more: teach another one first")
    edits = _Edits(model)
    ends = _ends(model, place)
    layer = _layer(head, place.features)
    if "AVERAGE_POOL_2D" in ends:  # it does not change the scale, as MEAN does
        layer = dataclasses.replace(layer, averages=layer.places)
    inputs = model.operators[place.dense].inputs
    kernel, bias = (model.stored(number) for number in inputs[1:3])
    old = kernel.shape[0]
    _write_kernel(edits, place.features, kernel, bias, layer)
    for number in inputs[1:3]:  # float16 weights are expanded to other tensors
        expanded = model.tensors[number]
        edits.shape(expanded, (len(layer.bias), *expanded.shape[1:]))
    _write_rest(edits, place, old, layer)
    files = metadata.read_files(content)
    record = metadata.read(TFLiteFile(content))
    if record is not None:
        for name, text in files.items():
            if record.labels and text.decode("utf-8", "replace").splitlines() == [*record.labels]:
                files[name] = ("\n".join(head.labels) + "\n").encode()
        if record.preprocessing is not None:
            edits.metadata(_described(model.metadata_entry(metadata.ENTRY) or b"", head))
    changed = edits.done()
    return metadata.append_files(changed, files) if files else changed


def check(content: bytes, name: str) -> None:
    """Raise `FormatError` if no head could be exported with a model, before one is taught."""
    model = TFLiteFile(metadata.without_files(content))
    try:
        _ends(model, last_layer.find(model))
    except FormatError as error:
        raise FormatError(f"{name}: {error}") from None


def _ends(model: TFLiteFile, place: last_layer.LastLayer) -> list[str]:
    """Return the operators from the last layer on, if a head can replace it."""
    ends = [operator.name for operator in model.operators[place.dense :]]
    if "LOGISTIC" in ends:
        raise FormatError("it ends in a sigmoid: only a softmax can be taught")
    inputs = model.operators[place.dense].inputs
    if len(inputs) < 3 or inputs[2] < 0:
        raise FormatError("its last layer has no bias, so none can be written")
    return ends


def _layer(head: Head, features: Tensor) -> Layer:
    taught, sums = head.teach(), head.sums()
    found, temperature = taught.discriminant, taught.choice.temperature
    # What all classes have in common changes no answer, but needs room.
    shared = linear.total(found.coefficients.T) / len(head.labels)
    coefficients = (found.coefficients - shared) / temperature
    biases = (found.biases - linear.total(found.biases) / len(head.labels)) / temperature
    means = sums.sums / sums.counts.astype(np.float64)[:, None]
    logits = np.zeros((len(means), len(means)))
    spread = np.zeros(coefficients.shape)
    scatter = fitting.scatter(sums)
    for j in range(head.size):  # added in this order
        logits += means[:, j, None] * coefficients[:, j]
        spread += coefficients[:, j, None] * scatter[j]
    logits += biases
    rest = max(int(sums.counts.sum()) - len(means), 1)
    variance = np.maximum(linear.total(spread * coefficients) / rest, 0)
    room = DEVIATIONS * float(np.sqrt(variance.max()))
    step = float(features.scales[0]) if features.scales.size else 1.0
    units = STEPS[features.dtype] / step  # of a feature in a real value
    kernel, mean = coefficients * units, found.mean / units
    low, high = min(float(logits.min()) - room, -1.0), max(float(logits.max()) + room, 1.0)
    # Logits so far below those of the first answers are all probabilities of 0 in int8.
    least = min(float(np.diagonal(logits).min()) - room - NEGLIGIBLE, 0.0)
    return Layer(kernel, biases, mean, (max(low, least), high), (PLACES * low, PLACES * high))


def _write_kernel(
    edits: "_Edits", features: Tensor, kernel: Tensor, bias: Tensor, layer: Layer
) -> None:
    shape = (len(layer.bias), *kernel.shape[1:])
    if kernel.dtype not in ("int8", "float32", "float16"):
        raise FormatError(f"its last layer is {kernel.dtype}: int8 and float can be replaced")
    values, scales = layer.kernel, np.ones(1)
    if kernel.dtype == "int8":
        largest = np.abs(values).max(1)
        if kernel.scales.size == 1:
            largest = largest.max(keepdims=True)
        scales = np.where(largest > 0, largest / 127, 1.0).astype(np.float32).astype(np.float64)
        values = np.clip(np.rint(values / scales[:, None]), -127, 127)
        edits.quantization(kernel, scales, np.zeros(len(scales)))
    edits.tensor(kernel, values.reshape(shape))
    # At the mean of all classes, rounding the kernel changes nothing.
    biases = layer.bias + linear.total((layer.kernel - values * scales[:, None]) * layer.mean)
    if features.dtype in _BIASES and kernel.dtype == "int8":
        steps = (scales * float(features.scales[0])).astype(np.float32)
        biases = np.rint(biases / steps.astype(np.float64))
        edits.quantization(bias, steps, np.zeros(len(steps)))
    edits.tensor(bias, biases)


def _write_rest(edits: "_Edits", place: last_layer.LastLayer, old: int, layer: Layer) -> None:
    """Write shapes, ranges and constants of the operators from the last layer on."""
    model, new = edits.model, len(layer.bias)
    first = min(place.dense, place.average) if place.class_map else place.dense
    edits.no_activation(place.dense)
    for operator in model.operators[first:]:
        for number in operator.inputs[1:]:
            tensor = model.tensors[number]
            if operator.name == "ADD" and model.is_constant(tensor):
                zero = int(tensor.zero_points[0]) if tensor.zero_points.size else 0
                edits.tensor(tensor, np.full((*tensor.shape[:-1], new), zero))
            elif operator.name == "RESHAPE" and model.is_constant(tensor):
                shape = model.data(tensor)
                edits.tensor(tensor, np.where(shape == old, new, shape))
        (number,) = operator.outputs
        tensor = model.tensors[number]
        edits.shape(tensor, (*tensor.shape[:-1], new))
        ends = operator.name in ("SOFTMAX", "LOGISTIC") or tensor.index == model.outputs[0]
        if tensor.scales.size and not (ends and operator.name != "ADD"):
            wide = place.class_map is not None and number == place.class_map.index
            edits.range(tensor, *(layer.places if wide else layer.averages))


def _described(entry: bytes, head: Head) -> bytes:
    """Return a metadata buffer whose description says what was taught; all else stays."""
    root = Source(entry, "TFLite metadata").root(metadata.IDENTIFIER)
    start, _ = root.extent(1, 1)
    if not start:
        return entry
    text = (
        f"Tells {len(head.labels)} classes apart, taught on {sum(head.counts)} photographs. Its "
        f"network is that of: {root.text(1)}"
    )
    return splice(entry, [Vector(start - 4, 1, text.encode())], METADATA)


class _Edits:
    """Changes of a model's vectors, and of single bytes, made together."""

    def __init__(self, model: TFLiteFile) -> None:
        self.model = model
        self._content = bytearray(model.content)
        root = Source(model.content, "TFLite model").root(IDENTIFIER)
        graph = root.tables(2)[0]
        self._tensors, self._operators = graph.tables(0), graph.tables(3)
        self._buffers, self._entries = root.tables(4), root.tables(6)
        self._vectors: dict[int, Vector] = {}

    def tensor(self, tensor: Tensor, values: np.ndarray) -> None:
        """Set a constant's values and shape; they are cast to its dtype."""
        users = [other for other in self.model.tensors if other.buffer == tensor.buffer]
        if len(users) > 1:
            raise FormatError(f"{tensor.name!r} shares its values with another tensor")
        kind = np.dtype(tensor.dtype).newbyteorder("<")
        content = np.ascontiguousarray(values.astype(kind)).tobytes()
        self._put(self._buffers[tensor.buffer], 0, 1, content)
        self.shape(tensor, values.shape)

    def shape(self, tensor: Tensor, shape: tuple[int, ...]) -> None:
        table = self._tensors[tensor.index]
        self._put(table, 0, 4, struct.pack(f"<{len(shape)}i", *shape))

    def quantization(self, tensor: Tensor, scales: np.ndarray, zeros: np.ndarray) -> None:
        table = self._tensors[tensor.index].table(4)
        if table is None:
            raise FormatError(f"{tensor.name!r} has no scale")
        self._put(table, 2, 4, scales.astype("<f4").tobytes())
        self._put(table, 3, 8, zeros.astype("<i8").tobytes())

    def range(self, tensor: Tensor, low: float, high: float) -> None:
        """Set the scale and zero point of an activation."""
        if tensor.dtype == "int16":
            scale, zero = max(-low, high) / 32767, 0.0
        elif tensor.dtype == "int8":
            scale = (high - low) / 255
            zero = float(np.clip(np.rint(-128 - low / scale), -128, 127))
        else:
            raise FormatError(f"{tensor.name!r} is {tensor.dtype}: int8 and int16 can be replaced")
        self.quantization(tensor, np.array([scale]), np.array([zero]))

    def no_activation(self, operator: int) -> None:
        """Take the fused activation off: logits may be negative."""
        options = self._operators[operator].table(4)
        position = options and options.position(_FUSED[self.model.operators[operator].name])
        if position and position < len(self._content):
            self._content[position] = 0

    def metadata(self, entry: bytes) -> None:
        for table in self._entries:
            if table.text(0) == metadata.ENTRY:
                self._put(self._buffers[table.scalar(1, "I", 0)], 0, 1, entry)

    def done(self) -> bytes:
        return splice(bytes(self._content), [*self._vectors.values()])

    def _put(self, table: Table, field: int, item: int, content: bytes) -> None:
        start: Any = table.extent(field, item)[0]
        if not start:
            raise FormatError("its last layer lacks a shape, values or scales")
        self._vectors[start - 4] = Vector(start - 4, item, content)
