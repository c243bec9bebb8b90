"""A folded SqueezeNet as a short list of operations, read from its Keras model.

Whatever shares one scale in a `.tflite` (a maximum pooling and a
concatenation with all their inputs) shares one here: it is one *site*.
"""

import dataclasses
from typing import Any

import numpy as np

from sqzkit.base.errors import UsageError
from sqzkit.preprocessing import Preprocessing, folding

Array = np.ndarray
Weights = dict[str, tuple[Array, Array]]  # layer -> kernel HWIO float32, bias float32


@dataclasses.dataclass(frozen=True)
class Operation:
    """One step of the network.

    Attributes:
      name: the Keras layer's name; of a convolution with ReLU the convolution's.
      kind: "conv", "max", "concat", "add", "mean" or "constant" (one is added).
      inputs: names of the operations read; "" is the photograph.
      stride: pixels, of convolutions and poolings.
      padding: "VALID" or "SAME".
      pool: side of the maximum pooling's window, pixels.
      relu: whether a convolution's result is rectified.
      site: name of the activation scale the result is rounded with.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    stride: int = 1
    padding: str = "VALID"
    pool: int = 0
    relu: bool = False
    site: str = ""


@dataclasses.dataclass(frozen=True)
class Graph:
    """A network's operations, in an order in which they can be run; the last gives the logits.

    `constants` are float32 [channels] by name of a "constant" operation, `channels` those of every
    operation's result.
    """

    operations: tuple[Operation, ...]
    constants: dict[str, Array]
    channels: dict[str, int]

    def convolutions(self) -> tuple[Operation, ...]:
        """Return the convolutions in order."""
        return tuple(item for item in self.operations if item.kind == "conv")

    def consumers(self, name: str) -> tuple[Operation, ...]:
        """Return the operations that read `name`."""
        return tuple(item for item in self.operations if name in item.inputs)


def read_model(model: Any, preprocessing: Preprocessing) -> tuple[Graph, Weights]:
    """Return a Keras model's operations and weights, for raw RGB 0..255 input.

    The preprocessing is folded into the first convolution, which is exact because that one is not
    padded. `model` is as `sqzkit.models.inference.to_inference` gives it.

    Raises:
      UsageError: the model has a layer that int8 optimization does not know
        (named), or its first layer is not a convolution without padding.
    """
    operations: list[Operation] = []
    names: dict[str, str] = {}  # Keras layer -> the operation that gives its output
    for layer in model.layers:
        names[layer.name] = _read_layer(layer, _parents(layer, names), operations)
    first = operations[0]
    if first.kind != "conv" or first.padding != "VALID":
        raise UsageError(f"{first.name}: the first layer must be a convolution without padding")
    values = {item.name: model.get_layer(item.name).get_weights() for item in operations}
    constants = {i.name: values[i.name][0] for i in operations if i.kind == "constant"}
    weights: Weights = {
        item.name: (values[item.name][0], values[item.name][1])
        for item in operations
        if item.kind == "conv"
    }
    weights[first.name] = folding.fold(*weights[first.name], preprocessing)
    channels = {item.name: int(model.get_layer(item.name).output.shape[-1]) for item in operations}
    return Graph(_with_sites(operations), constants, channels), weights


def _parents(layer: Any, names: dict[str, str]) -> tuple[str, ...]:
    parents = layer.inbound_nodes[-1].inbound_layers
    parents = parents if isinstance(parents, (list, tuple)) else [parents]
    return tuple(names[parent.name] for parent in parents)


def _read_layer(layer: Any, inputs: tuple[str, ...], operations: list[Operation]) -> str:
    """Append what `layer` does to `operations` and return the operation with its output."""
    kind = type(layer).__name__
    if kind == "InputLayer":
        return ""
    if kind == "Softmax" or _is_activation(layer, "softmax"):
        return inputs[0]
    if kind == "ReLU":
        index = next(i for i, item in enumerate(operations) if item.name == inputs[0])
        if operations[index].kind != "conv":
            raise UsageError(f"{layer.name}: a ReLU is only understood after a convolution")
        operations[index] = dataclasses.replace(operations[index], relu=True)
        return inputs[0]
    operations.append(_operation(layer, kind, inputs))
    return str(layer.name)


def _operation(layer: Any, kind: str, inputs: tuple[str, ...]) -> Operation:
    if kind == "Conv2D" and layer.groups == 1 and layer.dilation_rate == (1, 1):
        relu = _is_activation(layer, "relu")
        if not relu and not _is_activation(layer, "linear"):
            raise UsageError(f"{layer.name}: its activation must be relu or none")
        if not layer.use_bias:
            raise UsageError(f"{layer.name}: a convolution needs a bias to be optimized")
        padding = layer.padding.upper()
        if padding == "SAME" and (layer.strides != (1, 1) or layer.kernel_size[0] % 2 == 0):
            raise UsageError(f"{layer.name}: a padded convolution must be odd and of stride 1")
        return Operation(layer.name, "conv", inputs, layer.strides[0], padding, relu=relu)
    if kind == "MaxPooling2D":
        padding = layer.padding.upper()
        size = layer.pool_size[0]
        return Operation(layer.name, "max", inputs, layer.strides[0], padding, size)
    kinds = {"Concatenate": "concat", "Add": "add", "GlobalAveragePooling2D": "mean"}
    kinds["AddConstant"] = "constant"
    if kind not in kinds:
        raise UsageError(f"{layer.name}: int8 optimization does not know the layer type {kind}")
    return Operation(layer.name, kinds[kind], inputs)


def _is_activation(layer: Any, *names: str) -> bool:
    return getattr(getattr(layer, "activation", None), "__name__", "") in names


def _with_sites(operations: list[Operation]) -> tuple[Operation, ...]:
    """Give operations that must share one activation scale one site."""
    site = {item.name: item.name for item in operations}
    for item in operations:
        if item.kind in ("max", "concat"):
            merged = {site[name] for name in item.inputs if name} | {item.name}
            site = {name: item.name if old in merged else old for name, old in site.items()}
    return tuple(dataclasses.replace(item, site=site[item.name]) for item in operations)
