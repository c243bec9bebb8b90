"""The order of a network's channels: the same answers in fewer bytes.

The output channels of a convolution may be in any order if all that read them take them in the same
one. The coder of `.sqz` expects a weight to be like its neighbours, so channels that are alike are
made neighbours. docs/notes/compression.md has what it gains.
"""

import dataclasses

import numpy as np

from sqzkit.base.keras import keras
from sqzkit.coding import weights as coder

_BY_CHANNEL = (  # what treats each channel alike, wherever it lies
    keras.layers.Activation,
    keras.layers.Dropout,
    keras.layers.MaxPooling2D,
    keras.layers.ReLU,
    keras.layers.ZeroPadding2D,
)


@dataclasses.dataclass(frozen=True)
class _Group:
    """The channels that a convolution gives.

    Attributes:
      source: the convolution.
      normalizations, readers: batch normalizations and convolutions that take its channels, each
        with its place of the first one.
    """

    source: keras.layers.Conv2D
    normalizations: list[tuple[keras.layers.Layer, int]]
    readers: list[tuple[keras.layers.Conv2D, int]]

    def rows(self) -> np.ndarray:
        """Return the weights of each channel, float32 [O, weights]: its filter and its readers."""
        own = self.source.get_weights()[0]
        count = own.shape[-1]
        rows = [own.reshape(-1, count).T]
        for reader, first in self.readers:
            kernel = reader.get_weights()[0][:, :, first : first + count]
            rows.append(np.moveaxis(kernel, 2, 0).reshape(count, -1))
        return np.concatenate(rows, axis=1)

    def reorder(self, order: np.ndarray) -> None:
        """Put the channels in an order, int [O], the old place of each."""
        self.source.set_weights([values[..., order] for values in self.source.get_weights()])
        for layer, first in self.normalizations:
            layer.set_weights([_moved(values, 0, first, order) for values in layer.get_weights()])
        for layer, first in self.readers:
            kernel, *others = layer.get_weights()
            layer.set_weights([_moved(kernel, 2, first, order), *others])


def order_channels(model: keras.Model) -> int:
    """Make channels that are alike neighbours, if that saves bytes; the answers stay.

    Args:
      model: plain and flat, of Keras 2. Its weights are changed in place. Channels that an
        addition or anything but convolutions and poolings reads keep their places.

    Returns:
      Bytes saved of the coded int8 kernels; 0 if all stays as it was.
    """
    before, kept = _coded_bytes(model), model.get_weights()
    for layer in model.layers:
        group = _group(model, layer) if _is_plain(layer) else None
        if group is not None:
            group.reorder(_neighbours(group.rows()))
    saved = before - _coded_bytes(model)
    if saved <= 0:
        model.set_weights(kept)
    return max(saved, 0)


def _is_plain(layer: keras.layers.Layer) -> bool:
    return type(layer) is keras.layers.Conv2D and layer.groups == 1


def _group(model: keras.Model, source: keras.layers.Conv2D) -> _Group | None:
    """Return the channels that a convolution gives, or None if their order matters elsewhere."""
    group = _Group(source, [], [])
    pending = [(source, 0)]
    while pending:
        layer, first = pending.pop()
        following = [node.layer for node in layer.outbound_nodes if node.layer in model.layers]
        if not following:
            return None
        for item in following:
            if _is_plain(item):
                group.readers.append((item, first))
            elif isinstance(item, keras.layers.BatchNormalization):
                group.normalizations.append((item, first))
                pending.append((item, first))
            elif isinstance(item, keras.layers.Concatenate):
                pending.append((item, first + _channels_before(item, layer)))
            elif isinstance(item, _BY_CHANNEL):
                pending.append((item, first))
            else:
                return None
    return group


def _channels_before(concatenation: keras.layers.Concatenate, layer: keras.layers.Layer) -> int:
    inputs = concatenation.input
    place = next(i for i, tensor in enumerate(inputs) if tensor is layer.output)
    return sum(int(tensor.shape[-1]) for tensor in inputs[:place])


def _moved(values: np.ndarray, axis: int, first: int, order: np.ndarray) -> np.ndarray:
    places = np.arange(values.shape[axis])
    places[first : first + order.size] = first + order
    return np.take(values, places, axis)


def _neighbours(rows: np.ndarray) -> np.ndarray:
    """Return an order, int [O], in which each row is followed by the most similar one left.

    Similar is a large cosine of the weights' roots, so that the few large ones do not decide
    alone; the row with the largest weights is the first.
    """
    roots = np.sign(rows) * np.sqrt(np.abs(rows))
    units = roots / np.maximum(np.linalg.norm(roots, axis=1), 1e-12)[:, None]
    similar = units @ units.T
    order = [int(np.abs(rows).sum(axis=1).argmax())]
    while len(order) < len(rows):
        similar[:, order[-1]] = -np.inf
        order.append(int(similar[order[-1]].argmax()))
    return np.array(order)


def _coded_bytes(model: keras.Model) -> int:
    return coder.rounded_size(layer.kernel.numpy() for layer in model.layers if _is_plain(layer))
