"""How many bytes a file takes as it is and through the compressors people have."""

import gzip
import lzma
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import zstandard


def sizes(content: bytes) -> dict[str, int]:
    """Return bytes by form: "tflite" (as it is), "gzip" -9, "zstd" -19 and "xz" -9e."""
    # Side by side, because each leaves Python's lock to the others; the slowest begins first.
    with ThreadPoolExecutor() as pool:
        under_way = {form: pool.submit(compress, content) for form, compress in _FORMS.items()}
    compressed = {form: len(future.result()) for form, future in under_way.items()}
    return {"tflite": len(content), **{form: compressed[form] for form in ("gzip", "zstd", "xz")}}


def _xz(content: bytes) -> bytes:
    return lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)


def _zstd(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=19).compress(content)


def _gzip(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=9, mtime=0)


_FORMS: dict[str, Callable[[bytes], bytes]] = {"xz": _xz, "zstd": _zstd, "gzip": _gzip}
