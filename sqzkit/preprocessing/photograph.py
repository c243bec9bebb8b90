"""From upright pixels to the square that the network sees.

`docs/preprocessing.md` states this rule to the bit. The Android app follows the same page, and
both are held to the golden vectors beside the tests. TensorFlow is not imported.
"""

import dataclasses
from pathlib import Path

import numpy as np
from PIL import Image

from sqzkit.preprocessing import Preprocessing
from sqzkit.preprocessing.decoding import decode, to_rgb

MAX_ASPECT = 16


def load_photograph(photograph: Path | str | bytes, preprocessing: Preprocessing) -> np.ndarray:
    """Decode a photograph and make it the network's square.

    Args:
      photograph: path of the file, or its bytes.
      preprocessing: the record to follow.

    Returns:
      uint8 [image_size, image_size, 3], RGB.

    Raises:
      RunError: it cannot be read, as `decoding.decode` says.
    """
    return prepare(decode(photograph), preprocessing)


def prepare(image: Image.Image, preprocessing: Preprocessing) -> np.ndarray:
    """Resize and crop an upright image as the record says.

    Args:
      image: any mode; alpha is composited on white, gray is repeated.
      preprocessing: the record to follow.

    Returns:
      uint8 [image_size, image_size, 3], RGB.
    """
    image = _cut_extreme_aspect(to_rgb(image))
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


def _cut_extreme_aspect(image: Image.Image) -> Image.Image:
    longest = MAX_ASPECT * min(image.size)
    width, height = min(image.width, longest), min(image.height, longest)
    if (width, height) == image.size:
        return image
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))
