"""Weights as HDF5 by layer name: readable by anything, checked strictly.

The layout is Keras 2's own (`layer_names`, `weight_names`), without pickles
or code: a group for each layer, a dataset for each of its weights.
"""

import io
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import tensorflow as tf

from sqzkit.base import files
from sqzkit.base.errors import FormatError
from sqzkit.base.keras import keras
from sqzkit.runs.weights_file import read_weights


def save_weights(model: keras.Model, path: Path, write: bool = True) -> None:
    """Write the weights of `model`, atomically.

    Args:
      model: whose weights.
      path: ending in .weights.h5.
      write: False only reads, as all workers must where one of them writes.

    Raises:
      RunError: the folder cannot be written.
    """
    image = io.BytesIO()
    with h5py.File(image, "w") as store:
        named = {layer.name: _named(layer) for layer in model.layers if layer.weights}
        store.attrs["layer_names"] = list(named)
        store.attrs["backend"] = "tensorflow"
        for layer, weights in named.items():
            group = store.require_group(layer)  # there already, of "fc6" after "fc6/factor"
            group.attrs["weight_names"] = list(weights)
            for name, variable in weights.items():
                group.create_dataset(name, data=variable.numpy())
    if write:
        files.write_bytes(path, image.getvalue())


def load_weights(model: keras.Model, path: Path, skip: tuple[str, ...] = ()) -> None:
    """Set every weight of `model` from the file, by layer name.

    Args:
      model: has exactly the file's layers and shapes.
      path: file written by `save_weights`.
      skip: layers that keep what they have (a new head).

    Raises:
      RunError: the file cannot be read.
      FormatError: a layer or weight is missing, left over, or of another shape.
    """
    stored = read_weights(path)
    layers = {layer.name: layer for layer in model.layers if layer.weights}
    for name in (set(stored) ^ set(layers)) - set(skip):
        where = "the file" if name in stored else "the network"
        raise FormatError(f"{path}: layer {name!r} is only in {where}; another network's weights?")
    for name, layer in layers.items():
        if name not in skip:
            _assign(path, layer, stored[name])


def _assign(path: Path, layer: keras.layers.Layer, stored: Mapping[str, np.ndarray]) -> None:
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


def _named(layer: keras.layers.Layer) -> dict[str, tf.Variable]:
    """Name weights by what follows the layer's own name, as in `kernel` or `moving_mean`."""
    names = [variable.name.removesuffix(":0") for variable in layer.weights]
    short = [name.removeprefix(f"{layer.name}/") for name in names]
    return dict(zip(short if len(set(short)) == len(short) else names, layer.weights, strict=True))
