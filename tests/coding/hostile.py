"""The most laborious archives that the limits allow (docs/sqz.md, "Limits")."""

from collections.abc import Callable

import numpy as np

from sqzkit.coding import streams, weights
from sqzkit.coding.symbols import Reference
from tests.coding.crafted import coded, floats
from tests.coding.crafted_updates import of_tensors
from tests.coding.drafts import Draft, step

STORED, DEFLATE, MIXED, PLANES, WEIGHTS = range(5)


def seconds(declared: int) -> float:
    """Return how long a decoder may take for `declared` bytes or weights."""
    return 0.3 + 0.5e-6 * declared


def mixed() -> tuple[bytes, int]:
    """As many mixed bytes as there may be, all noise."""
    noise = np.random.default_rng(0).bytes(streams.MAX_MIXED)
    draft = Draft(len(noise), [coded(MIXED, noise, 8)])
    return draft.sealed(), len(noise)


def mixed_twice() -> tuple[bytes, int]:
    """More of them, since more is declared."""
    noise = np.random.default_rng(0).bytes(100_000)
    zeros = bytes(1 << 20)
    draft = Draft(200_000 + len(zeros), [coded(DEFLATE, zeros), *[coded(MIXED, noise)] * 2])
    draft.pieces = [[0, 100_000, 1], [0, 100_000, 2]]
    return draft.sealed(), draft.size


def of_weights(tensors: list[np.ndarray]) -> tuple[bytes, int]:
    packed = weights.encode(tensors)
    size = sum(tensor.size for tensor in tensors)
    draft = Draft(size, [coded(STORED, b""), coded(STORED, b"")])
    draft.streams.append([WEIGHTS, 1, size, len(packed), packed])
    draft.tensors = [[*weights.four_dimensions(tensor.shape), 1, 0, 0] for tensor in tensors]
    draft.pieces = [[0, size, 2]]
    return draft.sealed(), size


def noise() -> tuple[bytes, int]:
    """Weights of which every bit is coded."""
    values = np.random.default_rng(0).integers(-128, 128, (600, 1, 1, 1000))
    return of_weights([values.astype(np.int8)])


def flat() -> tuple[bytes, int]:
    """One tensor of one output: nothing is learnt from a neighbour."""
    values = np.zeros(1 << 20, np.int8)
    values[:: 1 << 10] = 1
    return of_weights([values])


def tensors() -> tuple[bytes, int]:
    """As many tensors as there may be, each of two values."""
    return of_weights([np.array([1, -1], np.int8)] * 4096)


def pieces() -> tuple[bytes, int]:
    """As many pieces as there may be, every other a product."""
    draft = Draft(4 * 4096, [coded(STORED, b""), coded(STORED, bytes(4 * 2048))])
    draft.pieces = [[0, 4, 1], [0, 4, 0, 0, floats(2)]] * 2048
    return draft.sealed(), draft.size


def blocks() -> tuple[bytes, int]:
    """Deflated streams of blocks that hold nothing."""
    size = 1 << 14
    draft = Draft(64 * size, [[DEFLATE, 1, size, *empty_blocks(size)]] * 64)
    draft.pieces = [[0, size, number] for number in range(1, 64)]
    return draft.sealed(), draft.size


def empty_blocks(size: int) -> tuple[int, bytes]:
    """Return `size` zeros deflated behind as many empty blocks as the limits let pass."""
    zeros = streams.deflate(bytes(size))
    # A block with the fixed codes that ends at once has ten bits: four of them take five bytes.
    bits = "0100000000" * 4
    block = bytes(int(bits[n : n + 8][::-1], 2) for n in range(0, 40, 8))
    count = (size + streams.MAX_GROWTH - len(zeros)) // len(block)
    content = block * count + zeros
    return len(content), content


def referenced_noise() -> tuple[bytes, bytes, int]:
    """Weights of which every bit is coded, each with a reference."""
    random = np.random.default_rng(0)
    values = random.integers(-128, 128, (600, 1, 1, 1000)).astype(np.int8)
    base = random.bytes(values.size)
    draft = of_tensors([(values, Reference(0, 1000, ((0, 1000),)))], base)
    return draft.sealed(), base, 2 * values.size


def referenced_tensors() -> tuple[bytes, bytes, int]:
    """As many tensors as there may be, each with a reference to a codebook of its own."""
    base = np.arange(256, dtype="<i8").tobytes()
    values = np.array([1, -1], "<i8")
    draft = of_tensors([(values, Reference(0, 256, ((7, 2),)))] * 4096, base)
    return draft.sealed(), base, draft.size + len(base)


def runs() -> tuple[bytes, bytes, int]:
    """As many runs as there may be, each of a column of a codebook's tensor."""
    count = 4096
    values = np.arange(256, dtype="<i8").repeat(2 * count // 256).reshape(2, count)
    every_other = tuple((number ^ 1, 1) for number in range(count))
    base = values.tobytes()
    draft = of_tensors([(values, Reference(0, count, every_other))], base)
    return draft.sealed(), base, 2 * len(base)


def copies() -> tuple[bytes, bytes, int]:
    """As many copies and sums as there may be."""
    draft, base = Draft(8 * 4096, [coded(STORED, b""), coded(STORED, bytes(8 * 2048))]), bytes(16)
    draft.pieces = [
        row for n in range(2048) for row in ([0, 8, 2, step(-16 * (n > 0))], [0, 8, 1, 8, 0])
    ]
    return draft.starting(base).sealed(), base, draft.size


UPDATES: dict[str, Callable[[], tuple[bytes, bytes, int]]] = {
    made.__name__: made for made in (referenced_noise, referenced_tensors, runs, copies)
}
ARCHIVES: dict[str, Callable[[], tuple[bytes, int]]] = {
    made.__name__: made for made in (mixed, mixed_twice, noise, flat, tensors, pieces, blocks)
}
