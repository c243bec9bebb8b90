"""From an image file to upright RGB pixels: what a viewer shows is what the network sees.

Pillow decodes. This module bounds what a file may cost, mends what viewers tolerate and
Pillow does not, and refuses what has no single meaning. `docs/preprocessing.md` states the rule.
"""

import functools
import io
import struct
import threading
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import GifImagePlugin, Image, JpegImagePlugin, UnidentifiedImageError, features

from sqzkit.base import files
from sqzkit.base.errors import RunError
from sqzkit.preprocessing import color, jpeg_xl, png_color

# File name endings by format. HEIF needs pillow-heif (`pip install 'sqzkit[heif]'`), and JXL
# pillow-jxl-plugin (`sqzkit[jxl]`).
_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif", ".hif"),
    "JXL": (".jxl",),
}
# Images of these kinds are named when they are left out, not taken for other files.
UNSUPPORTED_SUFFIXES = frozenset(
    ".heic .heif .hif .avif .jxl .jp2 .j2k .jpx .jxr .psd .svg .ico .tga .ppm .pgm .pnm .pcx .xcf"
    " .exr .hdr .mpo .dng .raw .cr2 .cr3 .nef .arw .raf .orf .rw2 .pef .srw".split()
)
RULE = 3  # raised when the same file gives other pixels, so that kept ones are not used again
MAX_BYTES = 1 << 29
MAX_PIXELS = 200_000_000
MAX_WHOLE_PIXELS = 100_000_000  # of formats that cannot be decoded at a reduced size
MAX_PLANES = 8  # of JPEG XL, which may have thousands
MAX_PIXELS_PER_BYTE = 1100  # what deflate can make of one color; a photograph has 1 to 60
DIRECT_PIXELS = 4096 * 4096

_ORIENTATION_TAG = 0x0112
_BITS_TAG, _PHOTOMETRIC_TAG, _WHITE_IS_ZERO = 258, 262, 0  # of TIFF
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_SEEN = (b"tRNS", b"eXIf")  # ancillary chunks that change what is seen
_CHUNK = struct.Struct(">I4s")
# Pillow keeps its own limit on the pixels of a file in a global of its module.
_OPEN_LOCK = threading.Lock()


@functools.cache
def formats() -> tuple[str, ...]:
    """Return the names of the formats that can be read with the installed libraries."""
    missing = set() if features.check("avif") else {"AVIF"}
    try:
        import pillow_heif

        pillow_heif.register_heif_opener(thumbnails=False)
    except ImportError:
        missing.add("HEIF")
    if not jpeg_xl.register():
        missing.add("JXL")
    return tuple(name for name in _SUFFIXES if name not in missing)


@functools.cache
def suffixes() -> tuple[str, ...]:
    """Return the file name endings of photographs that can be read, in lower case."""
    return tuple(suffix for name in formats() for suffix in _SUFFIXES[name])


def decode(photograph: Path | str | bytes, direct_pixels: int = DIRECT_PIXELS) -> Image.Image:
    """Return the photograph upright, in RGB, at full size.

    A JPEG of more than `direct_pixels` pixels is decoded at half, a quarter or an eighth of
    its sides. Of an animation the first frame is taken. Colors are converted to sRGB by
    the color profile in the file.

    Raises:
      UsageError: it is a folder.
      RunError: not an image, truncated, damaged, of another format, of more than `MAX_PIXELS`
        pixels (`MAX_WHOLE_PIXELS` if it is not a JPEG), of far more than its bytes could hold,
        or with pixel values that do not say how they look; the message names the file.
    """
    name = "the photograph" if isinstance(photograph, bytes) else str(photograph)
    content = photograph
    if not isinstance(content, bytes):
        content = files.read_bytes(content, MAX_BYTES)
    try:
        if jpeg_xl.is_jpeg_xl(content):
            _refuse_huge_jpeg_xl(content)
        with _open(_essential_png(content) if content.startswith(_PNG) else content) as image:
            # By class, since phones write JPEGs with a second picture, which Pillow calls MPO.
            jpeg = isinstance(image, JpegImagePlugin.JpegImageFile)
            _refuse_huge(*image.size, MAX_PIXELS if jpeg else MAX_WHOLE_PIXELS, len(content))
            _reduce_large_jpeg(image, direct_pixels)
            frame = image.dispose_extent if isinstance(image, GifImagePlugin.GifImageFile) else None
            image.load()
            shown = to_rgb(image)
            if frame and frame != (0, 0, *image.size):
                shown = _on_white(shown, frame)
            # The orientation is known only now: PNG may store it after the pixels.
            return upright(shown, orientation(image))
    except RunError as error:
        raise RunError(f"{name}: {error}") from None
    except UnidentifiedImageError:
        raise RunError(f"{name}: not an image; {', '.join(formats())} can be read") from None
    except Exception as error:
        # Pillow's decoders answer hostile bytes with nearly any exception.
        why = str(error) or type(error).__name__
        raise RunError(f"{name}: damaged or truncated image ({why})") from error


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation 1..8 of a loaded image; 1 where none is stated.

    Only the EXIF block counts (JPEG APP1, PNG eXIf, WebP EXIF), not XMP. Pillow turns TIFF
    itself and expresses the rotation of AVIF as EXIF. JPEG XL comes turned, but for a JPEG in it.
    """
    block = image.info.get("exif")
    if not block or (image.format == "JXL" and not getattr(image, "jpeg", False)):
        return 1
    exif = Image.Exif()
    try:
        exif.load(block)
        value = exif.get(_ORIENTATION_TAG, 1)
    except Exception:
        # A damaged EXIF block does not make the pixels unreadable.
        return 1
    return value if value in _TURNS else 1


def upright(image: Image.Image, turn: int) -> Image.Image:
    """Return the image turned as the EXIF orientation `turn` (1..8) asks."""
    return image.transpose(_TURNS[turn]) if turn in _TURNS else image


def to_rgb(image: Image.Image) -> Image.Image:
    """Return a loaded image in sRGB: alpha on white, 16 bits to the high byte, gray repeated."""
    transparent = image.info.get("transparency")
    profile = image.info.get("icc_profile")
    if image.mode == "RGB" and transparent is None:
        return color.to_srgb(image, profile)
    if image.mode.startswith("I;16"):
        return color.to_srgb(_high_bytes(image, transparent), profile)
    if image.mode in ("I", "F"):
        raise RunError("32-bit pixels have no defined white; save it with 8 or 16 bits a channel")
    if isinstance(transparent, tuple) and max(transparent) > 255:
        raise RunError("a transparent color of 16 bits a channel; save it with an alpha channel")
    if image.has_transparency_data and not _is_opaque_bmp(image):
        with_alpha = image if image.mode == "RGBA" else image.convert("RGBA")
        gray = image.mode in ("1", "L", "LA")
        colors = with_alpha.getchannel("R") if gray else with_alpha.convert("RGB")
        white = Image.new("RGB", image.size, (255, 255, 255))
        # Pillow's blend is the exactly rounded (c * a + 255 * (255 - a)) / 255.
        white.paste(color.to_srgb(colors, profile), mask=with_alpha.getchannel("A"))
        return white
    if image.mode not in ("L", "CMYK"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    return color.to_srgb(image, profile)


def _on_white(image: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """Return the part of an image inside `box`, the rest white: the screen around a GIF's frame."""
    white = Image.new("RGB", image.size, (255, 255, 255))
    white.paste(image.crop(box), box)
    return white


def _high_bytes(image: Image.Image, transparent: int | None) -> Image.Image:
    tags = getattr(image, "tag_v2", {})  # of a TIFF, which Pillow neither scales nor inverts
    if tags.get(_BITS_TAG) == (12,):
        raise RunError("12 bits a channel; save it with 8 or 16 bits a channel")
    values = np.asarray(image)
    high = (values >> 8).astype(np.uint8)
    if tags.get(_PHOTOMETRIC_TAG) == _WHITE_IS_ZERO:
        high = 255 - high
    if transparent is not None:
        high[values == transparent] = 255
    return Image.fromarray(high)


def _is_opaque_bmp(image: Image.Image) -> bool:
    """Return whether an alpha plane of zeros means that the writer did not use it."""
    return image.format == "BMP" and image.mode == "RGBA" and not image.getchannel("A").getbbox()


def _essential_png(content: bytes) -> bytes:
    """Return a PNG without the chunks that do not change what is seen.

    Pillow refuses a file with a large text or color profile, or a wrong checksum in one;
    viewers do not read them. What other chunks say about color becomes a profile.
    """
    kept: list[bytes | memoryview] = [_PNG]
    colors: dict[bytes, bytes] = {}
    position = len(_PNG)
    while position + 12 <= len(content):
        length, kind = _CHUNK.unpack_from(content, position)
        end = position + 12 + length
        if end > len(content):
            break
        chunk = memoryview(content)[position:end]
        if kind == b"IDAT" and colors:
            kept.append(_profile_chunk(colors))
            colors = {}
        if not kind[0] & 0x20:
            kept.append(chunk)
        elif zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big"):
            if kind in _PNG_SEEN:
                kept.append(_scaled_gray(chunk, *content[24:26]) if kind == b"tRNS" else chunk)
            elif kind in png_color.CHUNKS:
                colors[kind] = bytes(chunk[8:-4])
        position = end
        if kind == b"IEND":
            return b"".join(kept)
    return b"".join([*kept, content[position:]])


def _profile_chunk(colors: Mapping[bytes, bytes]) -> bytes:
    """Return an iCCP chunk for what a PNG's chunks say about color; empty for sRGB."""
    profile = png_color.profile(colors)
    if profile is None:
        return b""
    body = b"iCCPprofile\0\0" + zlib.compress(profile, 1)
    return _CHUNK.pack(len(body) - 4, body[:4]) + body[4:] + struct.pack(">I", zlib.crc32(body))


def _scaled_gray(chunk: memoryview, depth: int, color_type: int) -> bytes | memoryview:
    """Return a tRNS chunk in the scale of decoded pixels: Pillow compares 2 and 4 bits with 8."""
    if color_type or depth not in (2, 4) or len(chunk) != 14:
        return chunk
    body = b"tRNS" + struct.pack(">H", chunk[9] * (255 // (2**depth - 1)))
    return struct.pack(">I", 2) + body + struct.pack(">I", zlib.crc32(body))


def _open(content: bytes) -> Image.Image:
    with _OPEN_LOCK:
        limit = Image.MAX_IMAGE_PIXELS
        # `_refuse_huge` is the limit instead: a phone's 200-megapixel JPEG is welcome.
        Image.MAX_IMAGE_PIXELS = None
        try:
            return Image.open(io.BytesIO(content), formats=formats())
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _refuse_huge(width: int, height: int, limit: int, size: int) -> None:
    """Raise `RunError` for what would take much memory, before any pixel is decoded."""
    pixels = width * height
    if pixels > limit:
        raise RunError(
            f"{width}x{height} pixels are more than the limit of {limit:,}; "
            "make the picture smaller"
        )
    if pixels > max(DIRECT_PIXELS, MAX_PIXELS_PER_BYTE * size):
        raise RunError(f"{width}x{height} pixels in {size:,} bytes cannot be a photograph")


def _refuse_huge_jpeg_xl(content: bytes) -> None:
    # Its plug-in decodes a file as it opens it.
    width, height, planes = jpeg_xl.planes(content)
    _refuse_huge(width, height, MAX_WHOLE_PIXELS, len(content))
    if planes > MAX_PLANES:
        raise RunError(f"{planes} planes are more than the limit of {MAX_PLANES}")


def _reduce_large_jpeg(image: Image.Image, direct_pixels: int) -> None:
    for denominator in (1, 2, 4, 8):
        width = -(-image.width // denominator)
        height = -(-image.height // denominator)
        if width * height <= direct_pixels:
            break
    if denominator > 1:
        # Other formats ignore the draft and are decoded whole.
        image.draft(None, (image.width // denominator, image.height // denominator))
