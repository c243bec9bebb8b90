"""The images from which an integer file's ranges are measured.

The converter keeps the smallest and largest value of every activation (not a
moving average, which clips the logits: `facts`: 48.0 % top-1 instead of 65.6).
"""

import hashlib
from collections.abc import Callable, Iterator

import numpy as np

from sqzkit.base.errors import UsageError

MINIMUM_IMAGES = 2


def representative_dataset(images: np.ndarray) -> Callable[[], Iterator[list[np.ndarray]]]:
    """Return what `TFLiteConverter.representative_dataset` wants.

    One pixel of the first image is made black and one white, so that the
    input's range is exactly 0..255: then its scale is 1, and a byte of the
    photograph is the quantized value itself.
    Args:
      images: uint8 [N, S, S, 3], RGB, distinct (see `check_distinct`).

    Raises:
      UsageError: the images are too few or not distinct.
    """
    check_distinct(images)
    first = images[0].copy()
    first[0, 0], first[0, 1] = 0, 255

    def generate() -> Iterator[list[np.ndarray]]:
        yield [first[None].astype(np.float32)]
        for image in images[1:]:
            yield [image[None].astype(np.float32)]

    return generate


def check_distinct(images: np.ndarray) -> None:
    """Raise `UsageError` unless there are enough images, all different.

    Args:
      images: uint8 [N, S, S, 3].
    """
    if len(images) < MINIMUM_IMAGES:
        raise UsageError(
            f"{len(images)} representative images: int8 and int16x8 need {MINIMUM_IMAGES} or "
            "more, better 100; give --representative_dataset_dir"
        )
    digests = {hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest() for image in images}
    # A data set may well hold a few copies; one image over and over is a mistake.
    if 2 * len(digests) <= len(images):
        raise UsageError(
            f"only {len(digests)} of {len(images)} representative images are distinct: "
            "calibration on repeated images is worthless; give other photographs"
        )
