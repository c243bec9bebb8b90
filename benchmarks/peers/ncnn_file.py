"""A `Graph` as ncnn's two files, float32 or int8.

ncnn's own quantizer is a program that its Python package lacks; what it does
is little: a scale per filter, and one for each convolution's input.
"""

import dataclasses
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.graph import Graph, Node

_MAGIC = 7767517
_INT8_TAG = 0x000D4B38
_SCALED = 2  # int8_scale_term of ncnn's own files
_TOP = 127.0
INPUT, OUTPUT = "image", "answer"


@dataclasses.dataclass(frozen=True)
class Files:
    """The text of a `.param` file and the bytes of its `.bin`."""

    parameters: str
    weights: bytes


def build(graph: Graph, peaks: Mapping[str, float] | None = None) -> Files:
    """Return the network's files.

    Args:
      graph: from raw pixels to probabilities.
      peaks: for int8: the largest absolute value that each convolution reads,
        by the convolution's name; None for float32.
    """
    writer = _Writer(graph, peaks)
    for node in graph.nodes:
        writer.add(node)
    return writer.files()


def blob(graph: Graph, name: str) -> str:
    """Return the blob that node `name` of the float32 files writes first."""
    if name == graph.nodes[0].name:
        return INPUT
    return OUTPUT if name == graph.nodes[-1].name else f"{name}_0"


class _Writer:
    """Writes layer by layer.

    ncnn's blobs are read once only: where several layers read one, a Split
    gives each its own copy.
    """

    def __init__(self, graph: Graph, peaks: Mapping[str, float] | None) -> None:
        self.graph, self.peaks = graph, peaks
        self.readers: dict[str, int] = {}
        for node in graph.nodes:
            for name in node.inputs:
                self.readers[name] = self.readers.get(name, 0) + 1
        self.left: dict[str, list[str]] = {}
        self.lines: list[str] = []
        self.weights: list[bytes] = []
        self.blobs = 0

    def add(self, node: Node) -> None:
        inputs = [self.left[name].pop(0) for name in node.inputs]
        made = blob(self.graph, node.name)
        arrays = self.graph.arrays.get(node.name, ())
        kind, parameters = {
            "input": ("Input", ""),
            "relu": ("ReLU", ""),
            "pool": ("Pooling", "0=0 1=3 2=2 3=0 5=0"),
            "concatenate": ("Concat", "0=0"),
            "add": ("BinaryOp", "0=0"),
            "mean": ("Pooling", "0=1 4=1"),
            "softmax": ("Softmax", "0=0"),
        }.get(node.operator, ("", ""))
        if node.operator == "convolution":
            kind, parameters = "Convolution", self._convolution(node, *arrays)
        elif node.operator == "add_constant":
            kind, parameters = "Bias", f"0={arrays[0].size}"
            self.weights.append(arrays[0].astype("<f4").tobytes())
        self._line(kind, node.name, inputs, [made], parameters)
        copies = self.readers.get(node.name, 0)
        self.left[node.name] = [made]
        if copies > 1:
            self.left[node.name] = [f"{made}_copy{index}" for index in range(copies)]
            self._line("Split", f"{node.name}_split", [made], self.left[node.name], "")

    def _line(
        self, kind: str, name: str, inputs: list[str], outputs: list[str], parameters: str
    ) -> None:
        names = " ".join((*inputs, *outputs))
        self.lines.append(f"{kind} {name} {len(inputs)} {len(outputs)} {names} {parameters}")
        self.blobs += len(outputs)

    def _convolution(self, node: Node, kernel: np.ndarray, bias: np.ndarray) -> str:
        filters_first = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1), np.float32)
        count, side = filters_first.shape[0], filters_first.shape[2]
        padding = side // 2 if node.same_padding else 0
        text = f"0={count} 1={side} 3={node.stride} 4={padding} 5=1 6={filters_first.size}"
        plain_bias = bias.astype("<f4").tobytes()
        if self.peaks is None:
            self.weights += [
                struct.pack("<I", 0),
                filters_first.astype("<f4").tobytes(),
                plain_bias,
            ]
            return text
        scales = _TOP / np.maximum(np.abs(filters_first).max((1, 2, 3)), 1e-12)
        rounded = np.clip(np.rint(filters_first * scales[:, None, None, None]), -_TOP, _TOP)
        whole = rounded.astype(np.int8).tobytes()
        self.weights += [
            struct.pack("<I", _INT8_TAG),
            whole + bytes(-len(whole) % 4),
            plain_bias,
            scales.astype("<f4").tobytes(),
            struct.pack("<f", _TOP / max(self.peaks[node.name], 1e-12)),
        ]
        return f"{text} 8={_SCALED}"

    def files(self) -> Files:
        head = f"{_MAGIC}\n{len(self.lines)} {self.blobs}\n"
        return Files(head + "\n".join(self.lines) + "\n", b"".join(self.weights))


def write(files: Files, stem: Path) -> tuple[Path, Path]:
    """Write `stem`.param and `stem`.bin; return their paths."""
    parameters, weights = stem.with_suffix(".param"), stem.with_suffix(".bin")
    parameters.write_text(files.parameters, encoding="utf-8")
    weights.write_bytes(files.weights)
    return parameters, weights
