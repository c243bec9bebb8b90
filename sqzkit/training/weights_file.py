"""Read weights stored as HDF5 by layer name; whose file it is does not matter. No TensorFlow."""

import io
from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np

from sqzkit import archives, files
from sqzkit.errors import FormatError, RunError

MAXIMUM_BYTES = 1 << 30

Arrays = dict[str, dict[str, np.ndarray]]


def read_weights(path: Path) -> Arrays:
    """Return {layer: {weight: array}} in the file's order.

    Memory stays below three times the file.

    Raises:
      RunError: the file cannot be opened, or has more than `MAXIMUM_BYTES`.
      FormatError: it is not such a file.
    """
    content = files.read_bytes(path, MAXIMUM_BYTES)
    try:
        with h5py.File(io.BytesIO(content), "r") as store:
            archives.check_hdf5(store, len(content))
            return {
                layer: {name: np.array(store[layer][name]) for name in _names(store[layer])}
                for layer in _texts(store.attrs["layer_names"])
            }
    except RunError as error:
        raise FormatError(f"{path}: not a weights file of sqzkit ({error})") from error
    except Exception as error:
        # h5py answers hostile bytes with nearly any exception.
        raise FormatError(f"{path}: not a weights file of sqzkit ({error})") from error


def _names(group: h5py.Group) -> list[str]:
    return _texts(group.attrs["weight_names"])


def _texts(values: Iterable[bytes | str]) -> list[str]:
    names = [value.decode() if isinstance(value, bytes) else str(value) for value in values]
    if len(set(names)) != len(names):
        raise FormatError("a name is listed twice")
    return names
