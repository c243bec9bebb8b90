"""Weights as HDF5 by layer name: readable by other programs, checked strictly.

The layout is Keras 2's own (`layer_names`, `weight_names`), without pickles
or code: a group for each layer, a dataset for each of its weights. Reading
needs no TensorFlow.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from sqzkit.base import archives, files
from sqzkit.base.errors import FormatError

if TYPE_CHECKING:
    from sqzkit.base.keras import keras

MAX_BYTES = 1 << 30

Arrays = dict[str, dict[str, np.ndarray]]


def save_weights(model: "keras.Model", path: Path, write: bool = True) -> None:
    """Write the weights of `model`, atomically.

    Args:
      model: whose weights.
      path: ending in .weights.h5.
      write: False only reads them, as every worker must where one of them writes.

    Raises:
      RunError: the folder cannot be written.
    """
    image = io.BytesIO()
    with h5py.File(image, "w") as store:
        named = {layer.name: _named(layer) for layer in model.layers if layer.weights}
        store.attrs["layer_names"] = list(named)
        store.attrs["backend"] = "tensorflow"
        for layer, weights in named.items():
            group = store.require_group(layer)  # "fc6" exists once "fc6/factor" does
            group.attrs["weight_names"] = list(weights)
            for name, variable in weights.items():
                group.create_dataset(name, data=variable.numpy())
    if write:
        files.write_bytes(path, image.getvalue())


def read_weights(path: Path) -> Arrays:
    """Return {layer: {weight: array}} of a weights file, whoever wrote it.

    Memory stays below three times the file. The names are those of its groups. The attributes
    have them too, but HDF5 takes as much memory for a text as the file claims it is long.

    Raises:
      RunError: the file cannot be opened, or has more than `MAX_BYTES`.
      FormatError: it is not a weights file.
    """
    content = files.read_bytes(path, MAX_BYTES)
    try:
        with h5py.File(io.BytesIO(content), "r") as store:
            arrays: Arrays = {}
            for name, dataset in archives.check_hdf5(store, len(content)).items():
                layer, _, weight = name.rpartition("/")
                arrays.setdefault(layer, {})[weight] = np.array(dataset)
            if not arrays:
                raise FormatError("it holds no arrays")
            return arrays
    except Exception as error:
        # h5py answers hostile bytes with nearly any exception.
        raise FormatError(f"{path}: not a weights file of sqzkit ({error})") from error


def load_weights(model: "keras.Model", path: Path) -> None:
    """Set every weight of `model` from the file, by layer name.

    Args:
      model: has exactly the file's layers and shapes.
      path: file written by `save_weights`.

    Raises:
      RunError: the file cannot be read.
      FormatError: a layer or weight is missing, left over, or of another shape.
    """
    stored = read_weights(path)
    layers = {layer.name: layer for layer in model.layers if layer.weights}
    for name in sorted(set(stored) ^ set(layers)):
        where = "the file" if name in stored else "the network"
        raise FormatError(f"{path}: layer {name!r} is only in {where}; another network's weights?")
    for name, layer in layers.items():
        _assign(path, layer, stored[name])


def _assign(path: Path, layer: "keras.layers.Layer", stored: Mapping[str, np.ndarray]) -> None:
    named = _named(layer)
    if set(named) != set(stored):
        raise FormatError(
            f"{path}: layer {layer.name!r} has {', '.join(sorted(stored))}, "
            f"expected {', '.join(sorted(named))}"
        )
    for name, variable in named.items():
        array = stored[name]
        if array.shape != tuple(variable.shape):
            raise FormatError(
                f"{path}: {layer.name}/{name} has shape {list(array.shape)}, "
                f"expected {list(variable.shape)}; a run of another network?"
            )
        variable.assign(array)


def _named(layer: "keras.layers.Layer") -> dict[str, Any]:
    """Return variables by what follows the layer's own name, such as `kernel`."""
    names = [variable.name.removesuffix(":0") for variable in layer.weights]
    short = [name.removeprefix(f"{layer.name}/") for name in names]
    return dict(zip(short if len(set(short)) == len(short) else names, layer.weights, strict=True))
