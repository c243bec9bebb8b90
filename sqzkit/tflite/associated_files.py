"""The metadata buffer in a `.tflite`, and the zip of small files after it."""

import io
import zipfile
from typing import Any

import flatbuffers
import numpy as np

from sqzkit.base import archives
from sqzkit.base.errors import FormatError
from sqzkit.tflite.flatbuffer import IDENTIFIER

MAXIMUM_FILES = 64
MAXIMUM_BYTES = 1 << 24
_BUFFER_ALIGNMENT = 16
_EPOCH = (1980, 1, 1, 0, 0, 0)


class _AligningBuilder(flatbuffers.Builder):
    """Keeps the 16-byte alignment of buffers that the schema asks for (`force_align`)."""

    def CreateNumpyVector(self, values: np.ndarray) -> int:  # noqa: N802 - the library's name
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
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def append(content: bytes, files: dict[str, bytes]) -> bytes:
    """Return `content` followed by a zip of `files`: not compressed, without dates."""
    stream = io.BytesIO(content)
    stream.seek(0, io.SEEK_END)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data)
    return stream.getvalue()


def read(content: bytes) -> dict[str, bytes]:
    """Return the files packed after a model by name; none if there is no zip.

    Raises:
      FormatError: the zip is damaged, or holds more than `MAXIMUM_FILES` files
        or `MAXIMUM_BYTES` bytes.
    """
    if not archives.has_zip(content):
        return {}
    try:
        return archives.read_zip(content, MAXIMUM_FILES, MAXIMUM_BYTES)
    except FormatError as error:
        raise FormatError(f"associated files of a model: {error}") from error
