"""Weight tensors to bytes and back: the entropy coder of `.sqz`.

A tensor is int8 with up to four dimensions in TFLite's order (outputs, height,
width, inputs); all tensors of an archive share one stream and its model.
"""

from collections.abc import Sequence

import numpy as np

from sqzkit.base.errors import FormatError, UsageError

Shape = tuple[int, int, int, int]


def encode(tensors: Sequence[np.ndarray]) -> bytes:
    """Return the one stream that codes all `tensors` (int8, one to four dimensions each)."""
    from sqzkit.coding.kernels import binary  # brings numba
    from sqzkit.coding.kernels import weights as kernel

    model = kernel.Model().arrays()
    room = 64 + sum(400 + 2 * tensor.size for tensor in tensors)
    buffer = np.zeros(room, np.uint8)
    registers = binary.encoder_state()
    for tensor in tensors:
        if tensor.dtype != np.int8:
            raise UsageError(f"weights are {tensor.dtype}: the coder takes int8")
        values = tensor.flatten()
        shape = four_dimensions(tensor.shape)
        kernel.code_tensor((registers, buffer), values, shape, model)
    return binary.finish(registers, buffer)


def decode(coded: bytes, shapes: Sequence[Shape]) -> list[np.ndarray]:
    """Return the int8 tensors of `shapes` that `encode` coded.

    The caller bounds the sizes. Damaged bytes give other values, never an
    endless loop: whoever calls compares a checksum.
    """
    from sqzkit.coding.kernels import binary  # brings numba
    from sqzkit.coding.kernels import weights as kernel

    model = kernel.Model().arrays()
    buffer = np.frombuffer(coded, np.uint8).copy()
    registers = binary.decoder_state(buffer)
    decoded = []
    for shape in shapes:
        if any(side < 1 for side in shape):
            raise FormatError(f"a coded tensor has the shape {shape}: sides must be positive")
        values = np.zeros(int(np.prod(shape, dtype=np.int64)), np.int8)
        if not kernel.code_tensor((registers, buffer), values, shape, model):
            raise FormatError("a coded tensor uses no value at all")
        decoded.append(values.reshape(shape))
    return decoded


def encoded_size(tensor: np.ndarray) -> int:
    """Return how many bytes `tensor` (int8 [outputs, height, width, inputs]) takes alone.

    Exact for a stream of its own; in an archive later tensors profit from what
    was learnt on earlier ones and take about 1 % less. The values are cast to
    int8 unchanged, so any integer array with values in -128..127 will do.
    """
    return len(encode([tensor.astype(np.int8)]))


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
