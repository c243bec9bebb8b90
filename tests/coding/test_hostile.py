"""No archive keeps the decoder busy, or takes memory, for more than it declares."""

import sys
import time
import tracemalloc

import numpy as np
import pytest

from sqzkit.base.errors import FormatError
from sqzkit.coding import sqz, streams, weights
from tests.coding import hostile
from tests.coding.crafted import DEFLATE, PLANES, STORED, WEIGHTS, coded
from tests.coding.drafts import Draft

MEGABYTE = 1 << 20
SPARE = 64 * MEGABYTE


@pytest.mark.parametrize("name", hostile.ARCHIVES)
def test_no_archive_keeps_the_decoder_busy_for_long(name):
    archive, declared = hostile.ARCHIVES[name]()
    is_quick(archive, None, declared)


@pytest.mark.parametrize("name", hostile.UPDATES)
def test_no_update_keeps_the_decoder_busy_for_long(name):
    is_quick(*hostile.UPDATES[name]())


def is_quick(archive: bytes, base: bytes | None, declared: int) -> None:
    """Check the processor time that the second decoding takes."""
    sqz.unpack(archive, base=base)  # is compiled
    start = time.thread_time()
    sqz.unpack(archive, base=base)
    traced = sys.gettrace() is not None
    took, legal = time.thread_time() - start, hostile.seconds(declared)
    assert took < (4 if traced else 2) * legal, (took, legal)


def declaring(shape: tuple[int, ...]) -> bytes:
    """Return an archive of 41 MB of weights in one tensor, most of them noise behind its end."""
    size = int(np.prod(shape))
    values = np.zeros((1, 1, 1, 3000), np.int8)
    values[0, 0, 0, ::7] = 3
    packed = weights.encode([values])
    graph = np.random.default_rng(0).bytes(-(-size // 1024))
    draft = Draft(size + len(graph), [coded(STORED, graph), coded(STORED, b"")])
    draft.streams.append([WEIGHTS, 1, size, len(packed), packed])
    draft.tensors, draft.pieces = [[*shape, 1, 0, 0]], [[0, size, 2]]
    return draft.write()


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 1, 1, 41 << 20), (3, 1, 1, 13 << 20), (1, 41 << 20, 1, 1)])
def test_memory_stays_below_four_times_the_file(shape):
    archive = declaring(shape)
    assert highest_memory(archive) < 4 * int(np.prod(shape)) + SPARE


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 1, 1, 41 << 20)])
def test_an_update_takes_at_most_five_times_the_file_and_its_base(shape):
    size = int(np.prod(shape))
    draft = Draft.of(declaring(shape))
    base = bytes(size)
    draft.starting(base)
    draft.tensors[0] += [1, shape[3], 1, 0, shape[3]]
    for piece in draft.pieces:
        piece.append(0)
    assert highest_memory(draft.write(), base) < 5 * size + SPARE


def test_plain_streams_take_no_more_memory():
    size = 40 * MEGABYTE
    zeros = bytes(size)
    packed = streams.deflate_loosely(zeros).content
    for method, stride in ((DEFLATE, 1), (PLANES, 8)):
        draft = Draft(size, [[method, stride, size, len(packed), packed]])
        assert highest_memory(draft.write()) < 4 * size + SPARE


def highest_memory(archive: bytes, base: bytes | None = None) -> int:
    """Return the bytes that decoding takes at most, whatever comes of it."""
    tracemalloc.start()
    try:
        sqz.unpack(archive, base=base)
    except FormatError:
        pass
    finally:
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return highest
