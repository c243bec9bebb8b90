"""Weight tensors to bytes and back: the entropy coder of `.sqz`.

A tensor is int8 with up to four dimensions in TFLite's order (outputs, height,
width, inputs); all tensors of an archive share one stream and its model.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from sqzkit.base.errors import FormatError, UsageError
from sqzkit.coding.streams import max_coded

Shape = tuple[int, int, int, int]
_MAX_LEVEL = 127  # int8 kernels are symmetric: -127..127


def encode(tensors: Sequence[np.ndarray], references: Sequence[np.ndarray] = ()) -> bytes:
    """Return the one stream that codes all `tensors` (int8, one to four dimensions each).

    Args:
      tensors: what to code.
      references: for each tensor what its base has at the same places, int8, or an empty
        array if it has no base; none at all if no tensor has one.
    """
    from sqzkit.coding.kernels import binary  # brings numba

    for tensor in tensors:
        if tensor.dtype != np.int8:
            raise UsageError(f"weights are {tensor.dtype}: the coder takes int8")
    shapes = _shapes([four_dimensions(tensor.shape) for tensor in tensors])
    values = np.concatenate([np.zeros(0, np.int8), *(tensor.reshape(-1) for tensor in tensors)])
    buffer = np.zeros(max_coded(values.size, len(tensors)), np.uint8)
    registers = binary.encoder_state()
    flat, referenced = _flat(shapes, references)
    if flat.size:
        values -= flat
    _code((registers, buffer), values, shapes, flat, referenced)
    return binary.finish(registers, buffer)


def rounded_size(kernels: Iterable[np.ndarray]) -> int:
    """Return the coded bytes of kernels (float32, outputs last) at int8, with one scale each."""
    tensors = []
    for kernel in kernels:
        step = max(float(np.abs(kernel).max()), 1e-12) / _MAX_LEVEL
        levels = np.round(kernel / step).astype(np.int8)
        tensors.append(np.ascontiguousarray(np.moveaxis(levels, -1, 0)))
    return len(encode(tensors))


def decode(
    coded: bytes | memoryview, shapes: Sequence[Shape], references: Iterable[np.ndarray] = ()
) -> np.ndarray:
    """Return the int8 values, flat, of the tensors of `shapes` that `encode` coded.

    The caller bounds the sizes. Beside the result and the references, memory takes at
    most three times the largest tensor.

    Raises:
      FormatError: not what an encoder writes. Other damage gives other values,
        never an endless loop: whoever calls compares a checksum.
    """
    from sqzkit.coding.kernels import binary  # brings numba

    if any(side < 1 for shape in shapes for side in shape):
        raise FormatError("a coded tensor's sides must be positive")
    sides = _shapes(shapes)
    values = np.zeros(int(sides.prod(axis=1).sum()), np.int8)
    coder = binary.decoder(coded)
    flat, referenced = _flat(sides, references)
    if _code(coder, values, sides, flat, referenced) < len(shapes):
        raise FormatError("a coded tensor uses no value at all")
    binary.check_end(coder)
    if flat.size:
        values += flat
    return values


def _code(coder: tuple[np.ndarray, np.ndarray], *tensors: np.ndarray) -> int:
    from sqzkit.coding.kernels import weights as kernel  # brings numba

    models = kernel.new_model(0), kernel.new_model(1)
    return int(kernel.code_tensors(coder, *tensors, models))


def _flat(shapes: np.ndarray, references: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return all references one behind the other, and which tensors have one."""
    flat, referenced = np.zeros(0, np.int8), np.zeros(len(shapes), np.int64)
    ends = shapes.prod(axis=1).cumsum()
    for number, reference in enumerate(references):
        if reference.size:
            flat = flat if flat.size else np.zeros(int(ends[-1]), np.int8)
            flat[ends[number] - reference.size : ends[number]] = reference.reshape(-1)
            referenced[number] = 1
    return flat, referenced


def four_dimensions(shape: Sequence[int]) -> Shape:
    """Return `shape` as (outputs, height, width, inputs): missing sides are 1."""
    sides = [int(side) for side in shape]
    if len(sides) > 4:
        sides = [int(np.prod(sides[:-3])), *sides[-3:]]
    padding = [1] * (4 - len(sides))
    if not sides:
        return (1, 1, 1, 1)
    if len(sides) == 1:
        return (1, 1, 1, sides[0])
    outputs, *rest = sides
    return (outputs, *padding, *rest)  # type: ignore[return-value]


def _shapes(shapes: Sequence[Shape]) -> np.ndarray:
    return np.array(shapes, np.int64).reshape(-1, 4)
