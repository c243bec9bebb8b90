"""From a photograph, as a file or as pixels, to the square that the network sees.

`docs/preprocessing.md` states this rule to the bit; the Android app follows
the same page, and both are held to the golden vectors beside the tests.
Pillow does the work here; TensorFlow is not imported.
"""

import dataclasses
import io
import threading
from pathlib import Path

import numpy as np
from PIL import Image, JpegImagePlugin

from sqzkit.base.errors import RunError
from sqzkit.preprocessing import Preprocessing

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")
SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")
MAXIMUM_BYTES = 1 << 29
MAXIMUM_PIXELS = 200_000_000
MAXIMUM_WHOLE_PIXELS = 100_000_000  # of formats that cannot be decoded smaller
MAXIMUM_PIXELS_A_BYTE = 1100  # what deflate can make of one colour; a photograph has 1 to 60
DIRECT_PIXELS = 4096 * 4096
MAXIMUM_ASPECT = 16

_ORIENTATION_TAG = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Pillow keeps its own bound on the pixels of a file in a global of its module.
_OPEN_LOCK = threading.Lock()


def load_photograph(photograph: Path | str | bytes, preprocessing: Preprocessing) -> np.ndarray:
    """Decode a photograph and make it the network's square.

    JPEG (CMYK too), PNG (palette, 1 to 16 bits, alpha), GIF and animated WebP
    (first frame), BMP. A JPEG of more than `DIRECT_PIXELS` pixels is decoded
    at half, a quarter or an eighth of its sides.
    Args:
      photograph: path of the file, or its bytes.
      preprocessing: the record to follow.

    Returns:
      uint8 [image_size, image_size, 3], RGB.

    Raises:
      RunError: not an image, truncated, damaged, of another format, of more than
        `MAXIMUM_PIXELS` pixels (`MAXIMUM_WHOLE_PIXELS` if it is no JPEG), or of far
        more than its bytes could hold; the message names the file.
    """
    return prepare(decode(photograph), preprocessing)


def decode(photograph: Path | str | bytes) -> Image.Image:
    """Return the photograph upright, in RGB, at full size (see `load_photograph`).

    Raises:
      RunError: as `load_photograph`.
    """
    name = "the photograph" if isinstance(photograph, bytes) else str(photograph)
    content = photograph if isinstance(photograph, bytes) else read(photograph)
    try:
        with _open(content) as image:
            _refuse_huge(image, len(content))
            _reduce_large_jpeg(image)
            image.load()
            # The orientation is known only now: PNG may store it after the pixels.
            return upright(_to_rgb(image), orientation(image))
    except RunError as error:
        raise RunError(f"{name}: {error}") from None
    except Image.UnidentifiedImageError:
        raise RunError(f"{name}: not an image; {', '.join(FORMATS)} can be read") from None
    except Exception as error:
        # Pillow's decoders answer hostile bytes with nearly any exception.
        raise RunError(f"{name}: damaged or truncated image ({error})") from error


def read(path: Path | str) -> bytes:
    """Return a photograph's file; raise `RunError` naming it if that cannot be."""
    try:
        if Path(path).stat().st_size > MAXIMUM_BYTES:
            raise RunError(f"{path}: larger than {MAXIMUM_BYTES:,} bytes")
        return Path(path).read_bytes()
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror or error}") from error


def prepare(image: Image.Image, preprocessing: Preprocessing) -> np.ndarray:
    """Resize and crop an upright image as the record says.

    Args:
      image: any mode; alpha is composited on white, grey is replicated.
      preprocessing: the record to follow.

    Returns:
      uint8 [image_size, image_size, 3], RGB.
    """
    image = _cut_extreme_aspect(_to_rgb(image))
    width, height = target_size(image.width, image.height, preprocessing)
    # Two calls: in one, Pillow's version decides which pass comes first, and
    # the 8 bits kept between the passes make that visible.
    rows = image.resize((width, image.height), Image.Resampling.BILINEAR)
    resized = rows.resize((width, height), Image.Resampling.BILINEAR)
    left = (width - preprocessing.image_size) // 2
    top = (height - preprocessing.image_size) // 2
    square = (left, top, left + preprocessing.image_size, top + preprocessing.image_size)
    return np.array(resized.crop(square))


def normalize(images: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Return `(pixel - mean) * scale` in the network's channel order.

    Args:
      images: uint8 [..., 3], RGB.
      preprocessing: the record to follow.

    Returns:
      float32 of the same shape; every operation is done in float32.
    """
    if preprocessing.channel_order == "BGR":
        images = images[..., ::-1]
    mean = np.asarray(preprocessing.mean, np.float32)
    scale = np.asarray(preprocessing.scale, np.float32)
    return (images.astype(np.float32) - mean) * scale


def target_size(width: int, height: int, preprocessing: Preprocessing) -> tuple[int, int]:
    """Return the (width, height) in pixels to which the record resizes an image.

    The longer side is rounded to the nearest integer, halves up, in integers.
    """
    side = preprocessing.resize_size
    if preprocessing.resize == "squash":
        return side, side
    if width <= height:
        return side, (2 * height * side + width) // (2 * width)
    return (2 * width * side + height) // (2 * height), side


def square_record(preprocessing: Preprocessing, side: int) -> Preprocessing:
    """Return the record that gives the central square of `side` pixels, uncropped."""
    return dataclasses.replace(preprocessing, image_size=side, resize_size=side)


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation 1..8 of a loaded image; 1 where none is stated.

    Only the EXIF block counts (JPEG APP1, PNG eXIf, WebP EXIF), not XMP.
    """
    block = image.info.get("exif")
    if not block:
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


def _open(content: bytes) -> Image.Image:
    with _OPEN_LOCK:
        bound = Image.MAX_IMAGE_PIXELS
        # `_refuse_huge` bounds instead: a phone's 200-megapixel JPEG is welcome.
        Image.MAX_IMAGE_PIXELS = None
        try:
            return Image.open(io.BytesIO(content), formats=FORMATS)
        finally:
            Image.MAX_IMAGE_PIXELS = bound


def _refuse_huge(image: Image.Image, size: int) -> None:
    """Raise `RunError` for what would take much memory, before any pixel is decoded."""
    pixels = image.width * image.height
    # By class, since phones write JPEGs with a second picture, which Pillow calls MPO.
    jpeg = isinstance(image, JpegImagePlugin.JpegImageFile)
    most = MAXIMUM_PIXELS if jpeg else MAXIMUM_WHOLE_PIXELS
    if pixels > most:
        raise RunError(
            f"{image.width}x{image.height} pixels are more than the {most:,} "
            "that are decoded; make the picture smaller"
        )
    if pixels > max(DIRECT_PIXELS, MAXIMUM_PIXELS_A_BYTE * size):
        raise RunError(f"{image.width}x{image.height} pixels in {size:,} bytes are no photograph")


def _reduce_large_jpeg(image: Image.Image) -> None:
    for denominator in (1, 2, 4, 8):
        width = -(-image.width // denominator)
        height = -(-image.height // denominator)
        if width * height <= DIRECT_PIXELS:
            break
    if denominator > 1:
        # Other formats ignore the draft and are decoded whole.
        image.draft(None, (image.width // denominator, image.height // denominator))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I"):
        # 16-bit grey: the high byte, as decoders on phones do.
        high = np.asarray(image) >> 8
        return Image.fromarray(high.clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        with_alpha = image if image.mode == "RGBA" else image.convert("RGBA")
        white = Image.new("RGB", image.size, (255, 255, 255))
        # Pillow's blend is the exactly rounded (c * a + 255 * (255 - a)) / 255.
        white.paste(with_alpha, mask=with_alpha.getchannel("A"))
        return white
    return image.convert("RGB")


def _cut_extreme_aspect(image: Image.Image) -> Image.Image:
    longest = MAXIMUM_ASPECT * min(image.size)
    width, height = min(image.width, longest), min(image.height, longest)
    if (width, height) == image.size:
        return image
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))
