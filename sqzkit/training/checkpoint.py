"""The state of an unfinished stage: one file, replaced as a whole after each epoch.

A NumPy archive without pickles holds every variable of the model and of the
optimizer by position, the weights of the best epoch so far, and a JSON record
(epochs done, what is best, the options). `tf.train.Checkpoint` is not used:
its several files are not replaced at once, and it keeps no note of the flags.
"""

import dataclasses
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sqzkit.base import archives, files
from sqzkit.base.errors import FormatError

Groups = Mapping[str, Sequence[np.ndarray]]
# What NumPy and json raise on bytes that are not what `save` wrote.
_DAMAGE = (
    *(OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, SyntaxError),
    *(ArithmeticError, RecursionError, NotImplementedError, struct.error, zlib.error),
    *(zipfile.BadZipFile, FormatError),
)


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """Arrays by group and position, and a JSON record."""

    record: dict[str, Any]
    groups: dict[str, list[np.ndarray]]


def save(path: Path, record: dict[str, Any], groups: Groups) -> None:
    """Write a checkpoint atomically.

    Args:
      path: file ending in .npz.
      record: JSON-ready.
      groups: arrays in a fixed order by group name, such as "model".

    Raises:
      RunError: the folder cannot be written or the disk is full.
    """
    record = {**record, "counts": {name: len(arrays) for name, arrays in groups.items()}}
    arrays: dict[str, Any] = {
        f"{name}/{index}": array
        for name, group in groups.items()
        for index, array in enumerate(group)
    }
    arrays["record"] = np.frombuffer(json.dumps(record).encode(), np.uint8)
    with files.atomic_path(path) as temporary:
        np.savez(temporary, **arrays)


def load(path: Path) -> Checkpoint | None:
    """Return the checkpoint at `path`, or None if there is none.

    Raises:
      FormatError: the file is damaged.
    """
    if not path.exists():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            size = path.stat().st_size
            record = json.loads(_read_array(archive, "record", size).tobytes())
            counts = record.pop("counts")
            if sum(counts.values()) >= len(archive.namelist()):
                raise ValueError("it holds fewer arrays than it says")
            groups = {
                name: [_read_array(archive, f"{name}/{index}", size) for index in range(count)]
                for name, count in counts.items()
            }
    except _DAMAGE as error:
        raise FormatError(
            f"{path}: damaged checkpoint ({error}); delete it to begin the stage again"
        ) from error
    return Checkpoint(record, groups)


def _read_array(archive: zipfile.ZipFile, name: str, size: int) -> np.ndarray:
    """Return an array as `numpy.savez` stores it: no pickle, no more bytes than there are."""
    member = archive.getinfo(f"{name}.npy")
    if member.compress_type != zipfile.ZIP_STORED or member.file_size > size:
        raise ValueError(f"{name} announces {member.file_size} bytes")
    content = io.BytesIO(archives.read_member(archive, member))
    version = np.lib.format.read_magic(content)
    if version != (1, 0):
        raise ValueError(f"{name} is of version {version}")
    shape, columns_first, kind = np.lib.format.read_array_header_1_0(content)
    if kind.kind not in "iufbc":
        raise ValueError(f"{name} holds {kind}, no numbers")
    values = np.frombuffer(content.getbuffer()[content.tell() :], kind)
    return values.reshape(shape, order="F" if columns_first else "C").copy()


def assign(path: Path, what: str, variables: Sequence[Any], arrays: Sequence[np.ndarray]) -> None:
    """Set `variables` from `arrays`, position by position.

    Raises:
      FormatError: they do not fit: the checkpoint is of another network.
    """
    shapes = [tuple(variable.shape) for variable in variables]
    found = [array.shape for array in arrays]
    if shapes != found:
        raise FormatError(
            f"{path}: the {what} has {len(shapes)} variables that do not fit the {len(found)} "
            "stored; delete the checkpoint to begin the stage again"
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
