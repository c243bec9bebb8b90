"""Read weights stored as HDF5 by layer name; whose file it is does not matter. No TensorFlow."""

import io
from pathlib import Path

import h5py
import numpy as np

from sqzkit.base import archives, files
from sqzkit.base.errors import FormatError, RunError

MAXIMUM_BYTES = 1 << 30

Arrays = dict[str, dict[str, np.ndarray]]


def read_weights(path: Path) -> Arrays:
    """Return {layer: {weight: array}}.

    Memory stays below three times the file. The names are those of its groups: attributes
    would say them, too, but HDF5 takes as much memory for a text as it claims to be long.

    Raises:
      RunError: the file cannot be opened, or has more than `MAXIMUM_BYTES`.
      FormatError: it is not such a file.
    """
    content = files.read_bytes(path, MAXIMUM_BYTES)
    try:
        with h5py.File(io.BytesIO(content), "r") as store:
            arrays: Arrays = {}
            for name, dataset in archives.check_hdf5(store, len(content)).items():
                layer, _, weight = name.rpartition("/")
                arrays.setdefault(layer, {})[weight] = np.array(dataset)
            if not arrays:
                raise FormatError("it holds no arrays")
            return arrays
    except RunError as error:
        raise FormatError(f"{path}: not a weights file of sqzkit ({error})") from error
    except Exception as error:
        # h5py answers hostile bytes with nearly any exception.
        raise FormatError(f"{path}: not a weights file of sqzkit ({error})") from error
