import gzip
import lzma

import zstandard

from sqzkit.conversion.outputs import sizes


def test_sizes_are_those_of_the_compressors(converted):
    content = converted["int8"]
    found = sizes(content)
    assert found["tflite"] == len(content)
    assert found["gzip"] == len(gzip.compress(content, 9, mtime=0))
    assert found["zstd"] == len(zstandard.ZstdCompressor(level=19).compress(content))
    assert found["xz"] == len(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))
    assert sizes(bytes(10_000))["xz"] < 200
