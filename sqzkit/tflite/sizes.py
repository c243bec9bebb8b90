"""How many bytes a file takes as it is and through the compressors people have."""

import gzip
import lzma

import zstandard

_ZSTD_LEVEL = 19


def sizes(content: bytes) -> dict[str, int]:
    """Return bytes by form: "tflite" (as it is), "gzip" -9, "zstd" -19 and "xz" -9e."""
    return {
        "tflite": len(content),
        "gzip": len(gzip.compress(content, compresslevel=9, mtime=0)),
        "zstd": len(zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(content)),
        "xz": len(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)),
    }
