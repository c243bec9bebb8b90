"""Which bytes of an image file make its picture, and which only say something about it.

A photograph stays the same when a program edits its EXIF block, its caption or its color
profile: so it is recognized by the first kind of bytes alone.
"""

import hashlib
from collections.abc import Iterator

DIGEST_LETTERS = 32  # hexadecimal digits
_Part = tuple[bool, memoryview]  # whether it makes the picture, and the bytes
_PNG_SIGNATURE = 8
_PNG_PICTURE = (b"IHDR", b"PLTE", b"tRNS", b"IDAT")
_WEBP_OTHER = (b"EXIF", b"XMP ", b"ICCP", b"VP8X")


def digests(content: bytes) -> tuple[str, str]:
    """Return the beginnings of the SHA-256 of a file's picture and of its other bytes.

    Of files other than JPEG, PNG and WebP, and of damaged ones, all bytes are the picture.
    """
    sums = {True: hashlib.sha256(), False: hashlib.sha256()}
    size = 0
    for is_picture, part in _parts(content):
        sums[is_picture].update(part)
        size += len(part) * is_picture
    if not size:
        sums[True].update(content)
    picture, other = (sums[kind].hexdigest()[:DIGEST_LETTERS] for kind in (True, False))
    return picture, other


def _parts(content: bytes) -> Iterator[_Part]:
    view = memoryview(content)
    if content[:2] == b"\xff\xd8":
        return _jpeg(content, view)
    if content[:_PNG_SIGNATURE] == b"\x89PNG\r\n\x1a\n":
        return _png(view)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return _webp(view)
    return iter([(True, view)])


def _jpeg(content: bytes, view: memoryview) -> Iterator[_Part]:
    """Yield segments up to the first scan, what follows up to the end marker, and the rest."""
    at = 2
    while at + 4 <= len(view) and view[at] == 0xFF and view[at + 1] != 0xDA:
        marker = view[at + 1]
        size = 1 if marker == 0xFF else 2 + int.from_bytes(view[at + 2 : at + 4], "big")
        # APP14 says how colors are coded; the other APP segments and comments do not.
        other = (0xE0 <= marker <= 0xEF and marker != 0xEE) or marker in (0xFE, 0xFF)
        yield not other, view[at : at + size]
        at += size
    end = content.find(b"\xff\xd9", at)
    end = len(view) if end < 0 else end
    yield True, view[at:end]
    yield False, view[end:]


def _png(view: memoryview) -> Iterator[_Part]:
    at = _PNG_SIGNATURE
    while at + 12 <= len(view):
        end = at + 12 + int.from_bytes(view[at : at + 4], "big")
        is_picture = bytes(view[at + 4 : at + 8]) in _PNG_PICTURE
        # Without the length, since programs cut the pixels into chunks differently.
        yield is_picture, view[at + 8 : end - 4]
        at = end
    yield False, view[at:]


def _webp(view: memoryview) -> Iterator[_Part]:
    at = 12
    while at + 8 <= len(view):
        size = int.from_bytes(view[at + 4 : at + 8], "little")
        end = at + 8 + size + size % 2
        yield bytes(view[at : at + 4]) not in _WEBP_OTHER, view[at:end]
        at = end
    yield False, view[at:]
