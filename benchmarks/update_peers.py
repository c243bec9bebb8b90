"""Other programs' files of what differs between two files."""

import importlib
import lzma

import numpy as np
import zstandard


def bsdiff(old: bytes, new: bytes) -> int | None:
    """Return the bytes of bsdiff4's patch, None if it is not installed."""
    try:
        return len(importlib.import_module("bsdiff4").diff(old, new))
    except ImportError:
        return None


def zstd(old: bytes, new: bytes) -> int:
    """Return the bytes of `zstd -19 --patch-from` as its library does it."""
    window = max(len(old) + len(new), 1024).bit_length()
    settings = zstandard.ZstdCompressionParameters.from_level(
        19, window_log=min(window, zstandard.WINDOWLOG_MAX), enable_ldm=True
    )
    known = zstandard.ZstdCompressionDict(old, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    packer = zstandard.ZstdCompressor(dict_data=known, compression_params=settings)
    return len(packer.compress(new))


def xz_of_difference(old: bytes, new: bytes) -> int:
    """Return the bytes of xz -9e of new minus old; beyond the old one's end, of new."""
    known = np.zeros(len(new), np.uint8)
    known[: len(old)] = np.frombuffer(old, np.uint8)[: len(new)]
    difference = (np.frombuffer(new, np.uint8) - known).tobytes()
    return len(lzma.compress(difference, preset=9 | lzma.PRESET_EXTREME))


def sizes(old: bytes, new: bytes) -> list[int | None]:
    """Return the bytes of bsdiff4's, zstd's and xz's file; None for what is not installed."""
    return [bsdiff(old, new), zstd(old, new), xz_of_difference(old, new)]


def best(old: bytes, new: bytes) -> int:
    """Return the bytes of the smallest of them."""
    return min(size for size in sizes(old, new) if size is not None)
