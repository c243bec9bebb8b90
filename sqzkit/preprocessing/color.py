"""From the color space that a photograph's profile names to sRGB, which every viewer shows.

Phones write Display P3, cameras Adobe RGB: read as sRGB, their colors are too pale. LittleCMS
converts, by way of Pillow.
"""

import functools
import io

import numpy as np
from PIL import Image, ImageCms

MAX_PROFILE = 1 << 20  # bytes; a profile of a camera has some hundreds, of a press some 500,000
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # of Pillow, by the profile's color space
_LEVELS = np.linspace(0, 255, 9).astype(np.uint8)
_NOTICEABLE = 1  # of 255: the profiles that are called sRGB differ by that much


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return an image in RGB, its colors converted to sRGB.

    A profile that is damaged or made for another kind of image is ignored, as viewers do.

    Args:
      image: of mode L, RGB or CMYK.
      profile: the ICC profile that its file holds, or None.
    """
    for mode in dict.fromkeys((image.mode, "RGB")):
        transform = _transform(profile, mode) if profile else None
        if transform is not None:
            return transform.apply(image.convert(mode))
    return image.convert("RGB")


@functools.lru_cache(16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return how to convert images of a mode, or None if that would change nothing to be seen."""
    if len(profile) > MAX_PROFILE:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if _MODES.get(source.profile.xcolor_space.strip()) != mode:
            return None
        srgb = ImageCms.createProfile("sRGB")
        # Colorimetric, since browsers and Android move no black point.
        transform = ImageCms.buildTransform(
            source,
            srgb,
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.HIGHRESPRECALC,
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    if mode == "RGB":
        grid = np.stack(np.meshgrid(_LEVELS, _LEVELS, _LEVELS), -1).reshape(27, 27, 3)
        shown = np.asarray(transform.apply(Image.fromarray(grid)))
        if np.abs(shown.astype(int) - grid).max() <= _NOTICEABLE:
            return None
    return transform
