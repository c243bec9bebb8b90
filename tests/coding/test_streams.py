import zlib

import numpy as np
import pytest

from sqzkit.base.errors import FormatError
from sqzkit.coding import streams, varint

TEXT = b"".join(b"n%08d a kind of animal number %d\n" % (n * 7, n) for n in range(300))


@pytest.mark.parametrize("stride", [1, 2, 4, 8])
@pytest.mark.parametrize("content", [b"", b"x", TEXT, bytes(5000), bytes(range(256)) * 3])
def test_every_stream_comes_back(content, stride):
    coded = streams.encode(content, stride)
    assert streams.decode(coded) == content
    assert len(coded.content) <= len(streams.deflate(content))


@pytest.mark.parametrize("stride", [1, 2, 4, 8])
def test_mixing_beats_deflate_on_text_and_on_words(stride):
    words = np.arange(0, 40_000, 20, dtype="<i4").tobytes()
    for content in (TEXT, words):
        mixed = streams.mix(content, stride)
        assert len(mixed) < 0.9 * len(streams.deflate(content))
        back = streams.Coded(streams.MIXED, stride, len(content), mixed)
        assert streams.decode(back) == content


def test_planes_help_floats_that_are_too_many_to_mix():
    floats = np.random.default_rng(0).normal(0, 1, 60_000).astype(np.float16).astype(np.float32)
    coded = streams.encode(floats.tobytes(), 4)
    assert coded.method == streams.PLANES
    assert streams.decode(coded) == floats.tobytes()


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9])
def test_planes_keep_what_is_left_over(length):
    content = bytes(range(length))
    assert streams.join_planes(streams.split_planes(content, 4), 4) == content


def test_lies_about_sizes_are_refused():
    packed = streams.deflate(TEXT)
    for size in (0, len(TEXT) - 1, len(TEXT) + 1, 1 << 40):
        with pytest.raises(FormatError):
            streams.decode(streams.Coded(streams.DEFLATE, 1, size, packed))
    with pytest.raises(FormatError, match="at most"):
        streams.decode(streams.Coded(streams.MIXED, 1, streams.MAX_MIXED + 1, bytes(9999)))
    with pytest.raises(FormatError, match="announced"):
        streams.decode(streams.Coded(streams.STORED, 1, 4, b"abc"))


def test_damaged_deflate_and_unknown_codings_are_refused():
    packed = zlib.compress(TEXT)[2:-4]
    for content in (packed[:-3], packed + b"!", b"\xff" * 9, b""):
        with pytest.raises(FormatError, match="deflated"):
            streams.decode(streams.Coded(streams.DEFLATE, 1, len(TEXT), content))
    with pytest.raises(FormatError, match="newer"):
        streams.decode(streams.Coded(9, 1, 1, b"a"))
    with pytest.raises(FormatError, match="elements of 3"):
        streams.decode(streams.Coded(streams.STORED, 3, 1, b"a"))


@pytest.mark.parametrize("numbers", [[0], [127, 128], [1 << 62, 5, 300]])
def test_numbers_come_back(numbers):
    reader = varint.Reader(varint.write(*numbers), "test")
    assert [reader.number() for _ in numbers] == numbers
    reader.end()


def test_numbers_are_bounded():
    with pytest.raises(ValueError, match="outside"):
        varint.write(-1)
    with pytest.raises(FormatError, match="ends early"):
        varint.Reader(b"\x80", "test").number()
    with pytest.raises(FormatError, match="at most 9"):
        varint.Reader(b"\x0a", "test").number(9)
    with pytest.raises(FormatError, match="nine bytes"):
        varint.Reader(b"\xff" * 12, "test").number()
    with pytest.raises(FormatError, match="too many"):
        varint.Reader(b"ab", "test").end()
