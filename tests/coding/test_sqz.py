import math
import struct
import tracemalloc
import zlib

import numpy as np
import pytest

from sqzkit.base.errors import FormatError
from sqzkit.coding import container, sqz, streams, varint
from sqzkit.coding.archive import FILE, UPDATE
from tests.coding.drafts import checked


def models(tflite, kernel):
    """Return ten models unlike each other: dtypes, layouts, sparsity, scales, metadata."""
    random = np.random.default_rng(1)
    labels = b"".join(b"label %d of many\n" % n for n in range(200))
    bias = random.integers(-5000, 5000, 64).astype(np.int32)
    scales = (random.random(64) + 0.2).astype(np.float32)
    book = random.normal(0, 0.2, 64).astype(np.float32)
    coded = book[random.integers(0, 64, (64, 3, 3, 16))]
    return {
        "1x1": tflite([kernel((64, 1, 1, 256)), bias]),
        "3x3": tflite([kernel((64, 3, 3, 32), 1, 0.3), bias]),
        "dense": tflite([kernel((100, 256), 2, 0.3), bias]),
        "uint8": tflite([kernel((64, 3, 3, 32), 3).view(np.uint8) + np.uint8(128), bias]),
        "per_channel": tflite(
            [kernel((64, 3, 3, 32), 4), bias],
            [scales.tolist(), (scales * np.float32(0.02)).tolist()],
        ),
        "labels": tflite([kernel((64, 1, 1, 128), 5), bias], tail=labels),
        "clustered": tflite([kernel((64, 3, 3, 32), 6) // 8 * 8, bias]),
        "float32_codebook": tflite([coded, book]),
        "float16_codebook": tflite([coded.astype(np.float16), book]),
        "deep": tflite([kernel((32, 3, 3, 32), seed, 0.3) for seed in range(6)]),
    }


def test_ten_models_come_back_and_are_5_percent_below_xz(tflite, kernel):
    import lzma

    for name, content in models(tflite, kernel).items():
        archive = sqz.pack(content)
        assert sqz.unpack(archive) == content, name
        smallest = len(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))
        assert len(archive) < 0.95 * smallest, name
        assert len(archive) < len(zlib.compress(content, 9)), name


@pytest.mark.parametrize("content", [b"", b"a", b"hello" * 999, bytes(99_999)])
def test_any_bytes_come_back(content):
    archive = sqz.pack(content)
    assert sqz.unpack(archive) == content
    assert len(archive) <= len(zlib.compress(content, 9)) + 80


def test_noise_grows_by_the_header_alone():
    noise = np.random.default_rng(0).bytes(5000)
    archive = sqz.pack(noise)
    assert sqz.unpack(archive) == noise
    assert len(archive) <= len(noise) + 80


def test_info_says_what_is_inside(tflite, kernel):
    content = tflite([kernel((64, 3, 3, 16)), np.arange(64, dtype=np.int32)])
    archive = sqz.pack(content)
    found = sqz.info(archive)
    assert (found.size, found.archive_size) == (len(content), len(archive))
    assert (found.tensors, found.weights) == (1, 64 * 9 * 16)
    assert "weights" in {stream.method for stream in found.streams}
    assert sum(stream.coded for stream in found.streams) < len(archive)


def test_the_limit_holds_before_anything_is_unpacked(tflite, kernel):
    content = tflite([kernel((64, 3, 3, 16))])
    archive = sqz.pack(content)
    assert sqz.unpack(archive, limit=len(content)) == content
    with pytest.raises(FormatError, match=r"limit of .*raise --limit"):
        sqz.unpack(archive, limit=len(content) - 1)
    huge = checked(archive[:8] + struct.pack("<Q", 7 << 40) + archive[16:])
    with pytest.raises(FormatError, match="limit"):
        sqz.unpack(huge)


def test_a_newer_version_is_named_as_such():
    archive = sqz.pack(b"something")
    with pytest.raises(FormatError, match="version 7, newer than version 1"):
        sqz.unpack(archive[:4] + b"\x07" + archive[5:])


def test_another_result_is_never_returned():
    archive = bytearray(sqz.pack(b"something stored"))
    archive[-1] ^= 1
    with pytest.raises(FormatError, match="SHA-256"):
        sqz.unpack(checked(bytes(archive)))


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        ([container.Piece(0, 2, 1), container.Piece(0, 39, 1)], "end at"),
        ([container.Piece(0, 4, 0, 9, 1.0)], "no piece"),
        ([container.Piece(0, 4, 0, 0, 1.0)], "no piece of its length"),
        ([container.Piece(0, 2, 1), container.Piece(0, 2, 0, 0, 1.0)], "no piece of floats"),
        ([container.Piece(0, 2, 1), container.Piece(0, 4, 0, 0, 1.0)], "no piece of its length"),
        ([container.Piece(0, 0, 1), container.Piece(0, 0, 0, 0, float("nan"))], "factor nan"),
        ([container.Piece(0, 0, 1), container.Piece(0, 0, 0, 0, -math.inf)], "factor -inf"),
        ([container.Piece(3, 4, 1)], "stream 0 of the archive has 38 bytes, not 36"),
        ([container.Piece(3, 1, 1)], "stream 0 of the archive has 38 bytes, not 39"),
        ([container.Piece(41, 0, 1)], "end at"),
    ],
)
def test_pieces_that_do_not_fit_are_refused(pieces, message):
    from sqzkit.coding import streams

    stored = tuple(streams.Coded(streams.STORED, 1, n, bytes(n)) for n in (38, 2))
    archive = container.Archive(FILE, 40, bytes(32), stored, (), tuple(pieces))
    with pytest.raises(FormatError, match=message):
        sqz.unpack(container.write(archive))


def announcing(size, tensors, pieces, kind=FILE, base=b""):
    """An archive of a few KiB whose directory lists much."""
    directory = varint.write(2, 0, 1, 10, 10, 4, 1, 0, 0)
    directory += varint.write(len(tensors)) + b"".join(tensors)
    directory += varint.write(len(pieces)) + b"".join(pieces)
    packed = streams.deflate(directory)
    body = base + varint.write(len(directory), len(packed)) + packed + bytes(10)
    fields = (container.MAGIC, container.VERSION, kind, 0, size, bytes(32), 0)
    return checked(container.HEADER.pack(*fields) + body)


def memory_until_refused(archive):
    """Return the most bytes that Python held while it refused an archive."""
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            sqz.unpack(archive)
        highest = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return highest


@pytest.mark.parametrize(
    ("size", "tensors", "pieces"),
    [
        (1 << 16, [varint.write(1, 1, 1, 1, 1, 7, 0)] * (1 << 16), [varint.write(0, 0, 1)] * 65536),
        (1 << 20, [varint.write(1, 1, 1, 1, 8, 7, 256)] * (1 << 16), []),  # 128 MiB of codebooks
        (1 << 16, [], [varint.write(0, 0, 0, 5) + bytes(4)] * (1 << 16)),
    ],
)
def test_a_directory_takes_no_more_memory_than_stated(size, tensors, pieces):
    archive = announcing(size, tensors, pieces)
    assert len(archive) < 4096
    assert memory_until_refused(archive) < 4 * size + (64 << 20)


def test_an_updates_directory_takes_no_more_memory_than_stated():
    runs = varint.write(1, 1, 1, 1, 1, 7, 0, 1, 1, 1, 0, 1)
    copies = varint.write(0, 1, 2, 0)
    base = bytes(32) + varint.write(1)
    archive = announcing(1 << 16, [runs] * 60_000, [copies] * 60_000, UPDATE, base)
    assert memory_until_refused(archive) < 64 << 20


def test_more_spans_than_the_format_has_are_refused():
    archive = announcing(1 << 20, [], [varint.write(0, 0, 1)] * ((1 << 16) + 1))
    with pytest.raises(FormatError, match="65537 where at most 65536 is possible"):
        sqz.info(archive)
