"""Read and write TFLite Metadata: what a `.tflite` says about its input, output and labels.

The numbers below are the fields of the public schema (metadata_schema.fbs
1.1.0, file identifier M001). The record lies in the metadata buffer
"TFLITE_METADATA"; the files it names (labels, our preprocessing record) are
stored as an uncompressed zip after the model. Files of other makers are read
too, so everything read is bounded and checked.
"""

import dataclasses
import io
import json
import math
import zipfile
from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np

from sqzkit.base import archives, flatbuffer_tables
from sqzkit.base import files as json_files
from sqzkit.base.errors import FormatError, RunError, UsageError
from sqzkit.base.flatbuffer_tables import Scalar, Source, Table
from sqzkit.preprocessing import Preprocessing
from sqzkit.tflite import flatbuffer
from sqzkit.tflite.flatbuffer import TFLiteFile

ENTRY = "TFLITE_METADATA"
IDENTIFIER = b"M001"
MINIMUM_PARSER_VERSION = "1.0.0"
LABELS_FILE = "labels.txt"
PREPROCESSING_FILE = "preprocessing.json"

_TENSOR_AXIS_LABELS = 2
_DESCRIPTIONS = 1
_FEATURE_PROPERTIES = 1
_IMAGE_PROPERTIES = 2
_RGB = 1
_NORMALIZATION_OPTIONS = 1

LICENCE = "Apache-2.0"
MAX_FILES = 64
MAX_BYTES = 1 << 24
_BUFFER_ALIGNMENT = 16
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclasses.dataclass(frozen=True)
class Description:
    """What the file says about itself to people.

    Attributes:
      name: of the model.
      description: what it tells apart, and how it was made.
      version: of the model.
      author: who made it.
      licence: under which the weights may be used.
    """

    name: str = "Image classifier"
    description: str = "Tells photographs apart."
    version: str = "1"
    author: str = "sqzkit"
    licence: str = LICENCE


@dataclasses.dataclass(frozen=True)
class ModelMetadata:
    """What a file says about itself.

    Attributes:
      description: name, description, version, author and licence.
      labels: class names in class order; empty where the file has none.
      mean, std: the input is `(pixel - mean) / std`, pixels RGB 0..255; one
        value or one per channel; None where the file does not say.
      preprocessing: our own record of what is left to do outside the graph
        (turn, resize, crop), None in other makers' files.
    """

    description: Description
    labels: tuple[str, ...]
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    preprocessing: Preprocessing | None


def outside(preprocessing: Preprocessing) -> Preprocessing:
    """Return what is left to do before a converted file: RGB pixels as they are.

    The arithmetic of `preprocessing` is folded into the file's first
    convolution; the turn, the resize and the crop stay outside.
    """
    return dataclasses.replace(
        preprocessing, channel_order="RGB", mean=(0.0, 0.0, 0.0), scale=(1.0, 1.0, 1.0)
    )


def attach(
    content: bytes,
    preprocessing: Preprocessing,
    labels: tuple[str, ...],
    description: Description,
) -> bytes:
    """Return a converted file with its metadata and associated files.

    Args:
      content: a `.tflite` that takes raw RGB pixels, without metadata.
      preprocessing: the network's own record; `outside` of it is stored.
      labels: one class name for each output, in class order.
      description: what the file says to people.

    Raises:
      UsageError: the labels do not fit the output, or one has a line break.
    """
    model = TFLiteFile(content)
    classes = model.tensors[model.outputs[0]].shape[-1]
    _check_labels(labels, classes)
    with_record = add_entry(content, ENTRY, record(model, preprocessing, description))
    remaining = json.dumps(outside(preprocessing).to_json(), indent=2) + "\n"
    files = {
        LABELS_FILE: ("\n".join(labels) + "\n").encode(),
        PREPROCESSING_FILE: remaining.encode(),
    }
    return append_files(with_record, files)


def read(model: TFLiteFile) -> ModelMetadata | None:
    """Return a file's metadata, or None if it has none.

    Raises:
      FormatError: the metadata or its associated files are damaged.
    """
    entry = model.metadata_entry(ENTRY)
    if entry is None:
        return None
    root = Source(entry, "TFLite metadata").root(IDENTIFIER)
    subgraphs = root.tables(3)
    inputs = subgraphs[0].tables(2) if subgraphs else []
    outputs = subgraphs[0].tables(3) if subgraphs else []
    files = read_files(model.content)
    mean, std = _normalization(inputs[0]) if inputs else (None, None)
    names = ("name", "description", "version", "author", "licence")
    texts = (root.text(slot) for slot in (0, 1, 2, 4, 5))
    return ModelMetadata(
        description=Description(**dict(zip(names, texts, strict=True))),
        labels=_labels(outputs[0], files) if outputs else (),
        mean=mean,
        std=std,
        preprocessing=_preprocessing(files),
    )


def record(model: TFLiteFile, preprocessing: Preprocessing, description: Description) -> bytes:
    """Return the metadata buffer of a file that takes raw RGB pixels."""
    input_tensor = model.tensors[model.inputs[0]]
    root = {
        0: description.name,
        1: description.description,
        2: description.version,
        3: [{2: [_image_input(preprocessing)], 3: [_class_output(input_tensor.dtype)]}],
        4: description.author,
        5: description.licence,
        6: [
            _file(
                PREPROCESSING_FILE,
                "What to do with a photograph before the model: sqzkit's preprocessing record.",
                _DESCRIPTIONS,
            )
        ],
        7: MINIMUM_PARSER_VERSION,
    }
    return flatbuffer_tables.write(root, IDENTIFIER)


def _image_input(preprocessing: Preprocessing) -> dict[int, Any]:
    side = preprocessing.image_size
    size = {0: Scalar("uint32", side), 1: Scalar("uint32", side)}
    properties = {0: Scalar("int8", _RGB), 1: size}
    normalization = {0: np.zeros(1, np.float32), 1: np.ones(1, np.float32)}
    unit = {0: Scalar("uint8", _NORMALIZATION_OPTIONS), 1: normalization}
    rule = f"the whole image to {preprocessing.resize_size}x{preprocessing.resize_size}"
    if preprocessing.resize == "shorter_side":
        rule = f"the shorter side to {preprocessing.resize_size} pixels"
    return {
        0: "image",
        1: f"Photograph, upright, RGB, raw values 0..255: resize {rule}, "
        f"then cut the central {side}x{side} pixels. The network's own "
        "normalization and channel order are inside the model.",
        3: {0: Scalar("uint8", _IMAGE_PROPERTIES), 1: properties},
        4: [unit],
        5: {0: np.full(1, 255, np.float32), 1: np.zeros(1, np.float32)},
    }


def _class_output(dtype: str) -> dict[int, Any]:
    highest = 1.0 if dtype == "float32" else 255 / 256
    return {
        0: "probability",
        1: "Probability of each class.",
        3: {0: Scalar("uint8", _FEATURE_PROPERTIES), 1: {}},
        5: {0: np.full(1, highest, np.float32), 1: np.zeros(1, np.float32)},
        6: [_file(LABELS_FILE, "Class names, one a line, in class order.", _TENSOR_AXIS_LABELS)],
    }


def _file(name: str, description: str, kind: int) -> dict[int, Any]:
    return {0: name, 1: description, 2: Scalar("int8", kind)}


def read_labels(path: str, flag: str = "--labels_file") -> tuple[str, ...]:
    """Return the class names in a text file, one a line; raise `UsageError` if it is not one."""
    try:
        # Windows' editors put a mark before the first letter.
        return tuple(json_files.read_text(path).removeprefix("\ufeff").splitlines())
    except RunError as error:
        raise UsageError(f"{flag} {error}") from error


def _check_labels(labels: tuple[str, ...], classes: int) -> None:
    if len(labels) != classes:
        raise UsageError(
            f"{len(labels)} labels for a network of {classes} classes: give one label for each"
        )
    for label in labels:
        if len(label.splitlines()) != 1:
            raise UsageError(f"label {label!r}: must be one line of text and not empty")


def _normalization(
    tensor: Table,
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    for unit in tensor.tables(4):
        options = unit.table(1)
        if unit.scalar(0, "B", 0) == _NORMALIZATION_OPTIONS and options is not None:
            mean = tuple(options.vector(0, "float32").tolist())
            std = tuple(options.vector(1, "float32").tolist())
            numbers = all(map(math.isfinite, (*mean, *std)))
            if len(mean) not in (1, 3) or len(std) not in (1, 3) or not all(std) or not numbers:
                raise FormatError(
                    f"TFLite metadata: normalization by mean {list(mean[:4])} and "
                    f"std {list(std[:4])}: needs 1 or 3 values each, std not 0"
                )
            return mean, std
    return None, None


def _labels(output: Table, files: dict[str, bytes]) -> tuple[str, ...]:
    for entry in output.tables(6):
        if entry.scalar(2, "b", 0) != _TENSOR_AXIS_LABELS:
            continue
        name = entry.text(0)
        if name not in files:
            raise FormatError(f"TFLite metadata names the label file {name!r}, which is not there")
        try:
            return tuple(files[name].decode("utf-8").splitlines())
        except UnicodeDecodeError:
            raise FormatError(f"TFLite metadata: {name} is not UTF-8 text") from None
    return ()


def _preprocessing(files: dict[str, bytes]) -> Preprocessing | None:
    if PREPROCESSING_FILE not in files:
        return None
    try:
        record = json_files.parse_json(files[PREPROCESSING_FILE], "it")
        return Preprocessing.from_json(record)
    except RunError as error:
        raise FormatError(f"TFLite metadata: {PREPROCESSING_FILE}: {error}") from error


class _AligningBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """Keeps the 16-byte alignment of buffers that the schema asks for (`force_align`)."""

    def CreateNumpyVector(self, values: np.ndarray) -> Any:  # noqa: N802 - the library's name
        if values.dtype != np.uint8:
            return super().CreateNumpyVector(values)
        self.StartVector(1, values.size, _BUFFER_ALIGNMENT)
        self.head = self.Head() - values.size
        self.Bytes[self.Head() : self.Head() + values.size] = values.tobytes()
        self.vectorNumElems = values.size
        return self.EndVector()


def add_entry(content: bytes, name: str, entry: bytes) -> bytes:
    """Return a model of our own making with the metadata buffer `name` set to `entry`."""
    # Imported here because it takes most of a second.
    from ai_edge_litert import schema_py_generated as schema

    model: Any = schema.ModelT.InitFromPackedBuf(content, 0)
    model.metadata = [item for item in model.metadata or [] if item.name != name.encode()]
    record = schema.MetadataT(name=name, buffer=len(model.buffers))
    model.metadata.append(record)
    model.buffers.append(schema.BufferT(data=np.frombuffer(entry, np.uint8)))
    builder = _AligningBuilder(len(content) + len(entry) + 4096)
    builder.Finish(model.Pack(builder), flatbuffer.IDENTIFIER)
    return bytes(builder.Output())


def append_files(content: bytes, files: dict[str, bytes]) -> bytes:
    """Return `content` followed by a zip of `files`: not compressed, without dates."""
    stream = io.BytesIO(content)
    stream.seek(0, io.SEEK_END)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data)
    return stream.getvalue()


def without_files(content: bytes) -> bytes:
    """Return a model without the zip of files behind it."""
    if not read_files(content):
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return content[: min(member.header_offset for member in archive.infolist())]


def with_outputs(content: bytes, numbers: Sequence[int]) -> bytes:
    """Return a model with other tensors as its graph's outputs, metadata and files kept."""
    model = TFLiteFile(without_files(content)).with_outputs(numbers)
    files = read_files(content)
    return append_files(model, files) if files else model


def read_files(content: bytes) -> dict[str, bytes]:
    """Return the files packed after a model by name; {} if there is no zip.

    Raises:
      FormatError: the zip is damaged, or holds more than `MAX_FILES` files
        or `MAX_BYTES` bytes.
    """
    if not archives.has_zip(content):
        return {}
    try:
        return archives.read_zip(content, MAX_FILES, MAX_BYTES)
    except FormatError as error:
        raise FormatError(f"associated files of a model: {error}") from error
