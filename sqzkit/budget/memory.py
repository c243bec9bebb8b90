"""The memory in which TensorFlow Lite computes one inference of a `.tflite`."""

import dataclasses
import math
from collections.abc import Sequence

from sqzkit.tflite import schema
from sqzkit.tflite.flatbuffer import TFLiteFile

ALIGNMENT = 64  # bytes: TensorFlow Lite's kDefaultTensorAlignment


@dataclasses.dataclass(frozen=True)
class Lifetime:
    """A piece of memory: its bytes, and the first and the last operator during which it lives."""

    size: int
    first: int
    last: int

    def overlaps(self, other: "Lifetime") -> bool:
        """Return whether both live at the same time."""
        return self.first <= other.last and other.first <= self.last


def arena_bytes(model: TFLiteFile) -> int:
    """Return the bytes of the arena of TensorFlow Lite's own kernels, which it plans by this rule.

    The largest piece first, each in the smallest gap that fits between those that live at the same
    time (`ArenaPlanner`). The arena holds the activations and the rearranged inputs of
    convolutions, not the weights.
    """
    return plan([*lifetimes(model), *rearranged(model)])


def plan(pieces: Sequence[Lifetime]) -> int:
    """Return the bytes that some pieces of memory take together."""
    placed: list[tuple[int, Lifetime]] = []
    end = 0
    for piece in sorted(pieces, key=lambda item: (-item.size, item.first)):
        offset = _best_gap(piece, placed)
        placed.append((offset, piece))
        end = max(end, offset + piece.size)
    return end


def lifetimes(model: TFLiteFile) -> list[Lifetime]:
    """Return the lifetime of every activation; inputs and outputs live to the end."""
    first = {number: 0 for number in model.inputs}
    last = {number: len(model.operators) for number in (*model.inputs, *model.outputs)}
    for at, operator in enumerate(model.operators):
        for number in operator.outputs:
            first.setdefault(number, at)
            last.setdefault(number, at)
        for number in operator.inputs:
            if number in first:
                last[number] = max(at, last[number])
    return [Lifetime(_size(model, number), first[number], last[number]) for number in first]


def rearranged(model: TFLiteFile) -> list[Lifetime]:
    """Return the inputs that convolutions larger than 1x1 rearrange by output pixel (im2col)."""
    found = []
    for at, operator in enumerate(model.operators):
        if operator.name != "CONV_2D":
            continue
        _, *window = model.tensors[operator.inputs[1]].shape
        _, height, width, _ = model.tensors[operator.outputs[0]].shape
        if window[:2] != [1, 1]:
            pixel = math.prod(window) * _item_size(model, operator.inputs[0])
            found.append(Lifetime(height * width * pixel, at, at))
    return found


def _best_gap(tensor: Lifetime, placed: list[tuple[int, Lifetime]]) -> int:
    """Return the offset of the smallest gap that holds the tensor while it lives."""
    offset, best, best_gap = 0, -1, math.inf
    for start, other in sorted(placed, key=lambda item: item[0]):
        if not tensor.overlaps(other):
            continue
        if tensor.size <= start - offset < best_gap:
            best, best_gap = offset, start - offset
        offset = max(offset, -(-(start + other.size) // ALIGNMENT) * ALIGNMENT)
    return offset if best < 0 else best


def _size(model: TFLiteFile, number: int) -> int:
    return math.prod(model.tensors[number].shape) * _item_size(model, number)


def _item_size(model: TFLiteFile, number: int) -> int:
    return schema.item_size(model.tensors[number].dtype) or 1
