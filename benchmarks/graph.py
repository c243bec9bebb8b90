"""A network as plain data, so that programs without TensorFlow can build the same one.

A list of nodes in the order of computation and the arrays they need, in one
`.npz`. Kernels are [height, width, inputs, filters], as Keras keeps them.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

OPERATORS = (
    "input",
    "convolution",
    "normalization",
    "relu",
    "pool",
    "concatenate",
    "add",
    "add_constant",
    "dropout",
    "mean",
    "softmax",
)


@dataclasses.dataclass(frozen=True)
class Node:
    """One operation.

    Attributes:
      name: of the layer; unique.
      operator: one of OPERATORS. "pool" is by maximum, 3x3 stride 2, with
        Caffe's ceil rule; "mean" is over the whole map.
      inputs: names of the nodes it reads.
      stride, same_padding: of a convolution; padding is symmetric (odd kernels).
      rate: of a dropout.
      epsilon, momentum: of a normalization, in Keras's sense (the share of the old average).
    """

    name: str
    operator: str
    inputs: tuple[str, ...]
    stride: int = 1
    same_padding: bool = False
    rate: float = 0.0
    epsilon: float = 0.0
    momentum: float = 0.0


@dataclasses.dataclass(frozen=True)
class Graph:
    """A network.

    Attributes:
      side: of its input [N, side, side, 3], float32.
      nodes: in order; the last is the output.
      arrays: by node name: kernel and bias of a convolution (no bias: kernel
        alone), gamma, beta, mean and variance of a normalization, a constant.
    """

    side: int
    nodes: tuple[Node, ...]
    arrays: Mapping[str, tuple[np.ndarray, ...]]

    def save(self, path: Path) -> None:
        """Write one `.npz`."""
        record = {"side": self.side, "nodes": [dataclasses.asdict(node) for node in self.nodes]}
        stored: dict[str, Any] = {
            f"{name}:{index}": array
            for name, arrays in self.arrays.items()
            for index, array in enumerate(arrays)
        }
        stored["record"] = np.frombuffer(json.dumps(record).encode(), np.uint8)
        np.savez(path, **stored)


def load(path: Path | str) -> Graph:
    """Read what `Graph.save` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        record = json.loads(stored["record"].tobytes())
        nodes = tuple(Node(**{**node, "inputs": tuple(node["inputs"])}) for node in record["nodes"])
        arrays: dict[str, tuple[np.ndarray, ...]] = {}
        for key in stored.files:  # in the order in which they were stored
            name = key.rpartition(":")[0]
            if name:
                arrays[name] = (*arrays.get(name, ()), stored[key])
    return Graph(record["side"], nodes, arrays)


def describe(model: Any) -> Graph:
    """Return the graph of a flat Keras model of the layers that SqueezeNet has.

    Raises:
      ValueError: it has a layer that no node stands for.
    """
    nodes, arrays = [], {}
    for layer in model.layers:
        inbound = layer.inbound_nodes[0].inbound_layers
        inbound = inbound if isinstance(inbound, list) else [inbound]
        node = _node(layer, tuple(source.name for source in inbound))
        nodes.append(node)
        if layer.get_weights():
            arrays[node.name] = tuple(layer.get_weights())
    return Graph(model.input_shape[1], tuple(nodes), arrays)


def _node(layer: Any, inputs: tuple[str, ...]) -> Node:
    kind, what = type(layer).__name__, layer.get_config()
    plain = {
        "InputLayer": "input",
        "ReLU": "relu",
        "MaxPooling2D": "pool",
        "Concatenate": "concatenate",
        "Add": "add",
        "AddConstant": "add_constant",
        "GlobalAveragePooling2D": "mean",
        "Softmax": "softmax",
    }
    if kind in plain:
        return Node(layer.name, plain[kind], inputs)
    if kind == "Conv2D" and what["activation"] == "linear":
        same = what["padding"] == "same"
        return Node(layer.name, "convolution", inputs, what["strides"][0], same)
    if kind == "BatchNormalization":
        averaging = {name: what[name] for name in ("epsilon", "momentum")}
        return Node(layer.name, "normalization", inputs, **averaging)
    if kind == "Dropout":
        return Node(layer.name, "dropout", inputs, rate=what["rate"])
    raise ValueError(f"{layer.name}: a {kind} has no node")
