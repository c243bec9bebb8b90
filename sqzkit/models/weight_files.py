"""Files with the weights of a SqueezeNet, as other programs write them."""

import re
from collections.abc import Callable, Mapping
from pathlib import PurePath

import numpy as np

from sqzkit.base.errors import FormatError
from sqzkit.coding import han_net
from sqzkit.models import caffemodel, onnx_file, torch_file
from sqzkit.models.spec import MAX_CLASSES, SqueezeNetSpec

# By layer name: kernel float32 [height, width, inputs, filters], bias float32 [filters].
Weights = dict[str, tuple[np.ndarray, np.ndarray]]

_READERS: Mapping[str, Callable[[bytes, str], dict[str, list[np.ndarray]]]] = {
    ".caffemodel": caffemodel.read,
    ".onnx": onnx_file.read,
    ".pth": torch_file.read,
}
SUFFIXES = (*_READERS, ".net")
_OLDER_NAMES = {  # the authors' first prototxt, which DSD and the `.net` use
    "conv1x1_1": "squeeze1x1",
    "conv1x1_2": "expand1x1",
    "conv3x3_2": "expand3x3",
}
_TORCH_FIRE = re.compile(r"features\.([0-9]{1,3})\.(squeeze|expand1x1|expand3x3)")
_TORCH_ENDS = {"features.0": "conv1", "classifier.1": "conv10", "conv_final": "conv10"}


def decode(content: bytes, network: SqueezeNetSpec, source: str) -> Weights:
    """Return the weights in a file, by our layer names.

    Args:
      content: the file.
      network: whose weights they are.
      source: the file's name, whose end tells the format.

    Raises:
      FormatError: the file is damaged, or its layers are not the network's.
    """
    expected = kernel_shapes(network)
    if source.endswith(".net"):
        weights = _read_han_net(content, expected)
    else:
        weights, _ = read(content, source)
    found = {name: kernel.shape for name, (kernel, _) in weights.items()}
    if found != expected:
        name = next(n for n in (*expected, *found) if expected.get(n) != found.get(n))
        raise FormatError(
            f"{source}: {name} is {found.get(name, 'missing')} in the file and "
            f"{expected.get(name, 'missing')} in the network; choose the weights' own network"
        )
    return weights


def read(content: bytes, source: str) -> tuple[Weights, bool]:
    """Return the weights by our layer names, and whether torchvision named the file's layers.

    Of a `.caffemodel`, `.onnx` or `.pth` file: a `.net` does not tell its shapes.
    """
    blobs = _READERS[PurePath(source).suffix](content, source)
    return renamed(caffemodel.convolutions(blobs, source)), "features.0" in blobs


def operators(content: bytes, source: str) -> list[tuple[str, int]]:
    """Return type and padding of each operator in order; nothing of a file of weights only."""
    readers = {".caffemodel": caffemodel.operators, ".onnx": onnx_file.operators}
    suffix = PurePath(source).suffix
    found = readers[suffix](content, source) if suffix in readers else []
    operators = [(kind.lower(), padding) for kind, padding in found]
    return operators if any(kind == "relu" for kind, _ in operators) else []


def han_classes(content: bytes, network: SqueezeNetSpec) -> int:
    """Return the classes of a `.net`; the network's own if its size tells no number.

    Each class is one bias there, and every other size follows from the counts or the network.
    """
    layers = _han_layers(kernel_shapes(network))
    if len(content) < 4 * len(layers):
        return network.classes
    needed = han_net.expected_size(layers, np.frombuffer(content, "<u4", len(layers)))
    classes = network.classes + (len(content) - needed) // 4
    return classes if 2 <= classes <= MAX_CLASSES else network.classes


def renamed(weights: Weights) -> Weights:
    """Return the weights with our names of the layers, from Caffe's or torchvision's."""
    fires = {match for name in weights if (match := _TORCH_FIRE.fullmatch(name))}
    numbers = sorted({int(match[1]) for match in fires})
    names = {match[0]: f"fire{numbers.index(int(match[1])) + 2}/{match[2]}" for match in fires}
    return {_layer_name(names.get(name, name)): value for name, value in weights.items()}


def _layer_name(name: str) -> str:
    fire, _, part = name.rpartition("/")
    part = "squeeze1x1" if part == "squeeze" else _OLDER_NAMES.get(part, part)
    return f"{fire}/{part}" if fire else _TORCH_ENDS.get(part, part)


def kernel_shapes(network: SqueezeNetSpec) -> dict[str, tuple[int, ...]]:
    """Return the kernel shape [height, width, inputs, filters] of every convolution."""
    side, inputs = network.conv1_kernel, network.conv1_filters
    shapes: dict[str, tuple[int, ...]] = {"conv1": (side, side, 3, inputs)}
    for module in network.modules():
        parts = {
            "squeeze1x1": (1, 1, inputs, module.squeeze1x1),
            "expand1x1": (1, 1, module.squeeze1x1, module.expand1x1),
            "expand3x3": (3, 3, module.squeeze1x1, module.expand3x3),
            "bypass1x1": (1, 1, inputs, module.filters * (module.bypass == "conv1x1")),
        }
        shapes |= {f"{module.name}/{part}": shape for part, shape in parts.items() if shape[3]}
        inputs = module.filters
    return {**shapes, "conv10": (1, 1, inputs, network.classes)}


def _read_han_net(content: bytes, shapes: Mapping[str, tuple[int, ...]]) -> Weights:
    return han_net.to_weights(han_net.read(content, _han_layers(shapes)))


def _han_layers(shapes: Mapping[str, tuple[int, ...]]) -> list[han_net.Convolution]:
    return [
        han_net.Convolution(name, (filters, inputs, height, width))
        for name, (height, width, inputs, filters) in shapes.items()
    ]
