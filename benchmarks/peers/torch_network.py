"""A `Graph` as a PyTorch module."""

import torch
from torch import nn

from benchmarks.graph import Graph, Node


class TorchNetwork(nn.Module):
    """From float32 [N, 3, S, S] to what the graph's last node gives."""

    def __init__(self, graph: Graph) -> None:
        """Build the layers with the graph's weights."""
        super().__init__()
        self.nodes = graph.nodes
        self.layers = nn.ModuleDict()
        for node in graph.nodes:
            layer = _layer(node, [torch.tensor(array) for array in graph.arrays.get(node.name, ())])
            if layer is not None:
                self.layers[_key(node.name)] = layer

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the last node's value."""
        values: dict[str, torch.Tensor] = {}
        for node in self.nodes:
            inputs = [values[name] for name in node.inputs]
            if node.operator == "input":
                values[node.name] = images
            elif node.operator == "concatenate":
                values[node.name] = torch.cat(inputs, dim=1)
            elif node.operator == "add":
                values[node.name] = inputs[0] + inputs[1]
            elif node.operator == "mean":
                values[node.name] = inputs[0].mean(dim=(2, 3))
            else:
                values[node.name] = self.layers[_key(node.name)](inputs[0])
        return values[self.nodes[-1].name]


class _AddConstant(nn.Module):
    def __init__(self, constant: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("constant", constant)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values + self.constant


def _key(name: str) -> str:
    return name.replace("/", "_").replace(".", "_")


def _layer(node: Node, arrays: list[torch.Tensor]) -> nn.Module | None:
    if node.operator == "convolution":
        return _convolution(node, arrays)
    if node.operator == "normalization":
        return _normalization(node, arrays)
    if node.operator == "add_constant":
        return _AddConstant(arrays[0])
    return {
        "relu": lambda: nn.ReLU(inplace=True),
        "pool": lambda: nn.MaxPool2d(3, 2, ceil_mode=True),
        "dropout": lambda: nn.Dropout(node.rate),
        "softmax": lambda: nn.Softmax(dim=1),
    }.get(node.operator, lambda: None)()


def _convolution(node: Node, arrays: list[torch.Tensor]) -> nn.Conv2d:
    kernel = arrays[0].permute(3, 2, 0, 1).contiguous()
    filters, inputs, side = kernel.shape[:3]
    padding = side // 2 if node.same_padding else 0
    layer = nn.Conv2d(inputs, filters, side, node.stride, padding, bias=len(arrays) > 1)
    with torch.no_grad():
        layer.weight.copy_(kernel)
        if layer.bias is not None:
            layer.bias.copy_(arrays[1])
    return layer


def _normalization(node: Node, arrays: list[torch.Tensor]) -> nn.BatchNorm2d:
    gamma, beta, mean, variance = arrays
    layer = nn.BatchNorm2d(len(gamma), node.epsilon, 1 - node.momentum)
    with torch.no_grad():
        layer.weight.copy_(gamma)
        layer.bias.copy_(beta)
        layer.running_mean.copy_(mean)
        layer.running_var.copy_(variance)
    return layer
