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
    sqz.unpack(archive)  # is compiled
    start = time.thread_time()
    sqz.unpack(archive)
    traced = sys.gettrace() is not None
    assert time.thread_time() - start < (4 if traced else 2) * hostile.seconds(declared)


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


def test_plain_streams_take_no_more_memory():
    size = 40 * MEGABYTE
    zeros = bytes(size)
    packed = streams.deflate_loosely(zeros).content
    for method, stride in ((DEFLATE, 1), (PLANES, 8)):
        draft = Draft(size, [[method, stride, size, len(packed), packed]])
        assert highest_memory(draft.write()) < 4 * size + SPARE


def highest_memory(archive: bytes) -> int:
    """Return the bytes that decoding takes at most, whatever comes of it."""
    tracemalloc.start()
    try:
        sqz.unpack(archive)
    except FormatError:
        pass
    finally:
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return highest
