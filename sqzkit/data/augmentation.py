"""Augmentation presets: vectorized, and a pure function of numbers drawn outside.

Every example takes one row of uniform numbers, drawn per (seed, epoch,
example); so a resumed run sees the same images bit for bit, and another batch
size or number of replicas changes them by no more than rounding does.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from sqzkit.base.errors import UsageError
from sqzkit.preprocessing import MAX_SIZE, Preprocessing

UNIFORMS = 8
_LEFT, _TOP, _FLIP, _AREA, _ASPECT, _BRIGHTNESS, _CONTRAST, _SATURATION = range(UNIFORMS)
# Gray by ITU-R BT.601, as Pillow and JPEG have it.
_LUMA = (0.299, 0.587, 0.114)


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What may be changed about a training image.

    Attributes:
      name: what to call it on the command line.
      shift: largest shift to each side as a share of the image's side, 0..0.5;
        what comes into view is a reflection.
      smallest_area: area of the smallest random crop, 1 for none, above 0..1.
      aspect: crops are up to this much wider or higher than square, 1 or more.
      brightness: largest added share of 255, 0..1.
      contrast: largest relative change of the distance from mean gray, 0..1.
      saturation: largest relative change of the distance from gray, 0..1.
      flip: whether images are mirrored at random where the data set allows it.
    """

    name: str
    shift: float = 0.0
    smallest_area: float = 1.0
    aspect: float = 1.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    flip: bool = False

    @property
    def crops(self) -> bool:
        """Whether the geometry changes in more than a mirror image."""
        return self.shift > 0 or self.smallest_area < 1

    @property
    def colors(self) -> bool:
        """Whether colors change."""
        return max(self.brightness, self.contrast, self.saturation) > 0

    def training_side(self, preprocessing: Preprocessing) -> int:
        """Return the side in pixels of the squares to keep for training.

        Where the record resizes beyond the network's input, that margin is
        what crops move in; a preset that scales gets a margin of one seventh
        anyway, so that its crops need not all be enlarged.
        """
        if not self.crops:
            return preprocessing.image_size
        if self.smallest_area < 1 and preprocessing.resize_size == preprocessing.image_size:
            return min(MAX_SIZE, round(preprocessing.image_size * 8 / 7))
        return min(MAX_SIZE, preprocessing.resize_size)


PRESETS = {
    preset.name: preset
    for preset in (
        Augmentation("none"),
        Augmentation("light", shift=0.125, flip=True),
        Augmentation(
            "standard",
            smallest_area=0.5,
            aspect=4 / 3,
            brightness=0.125,
            contrast=0.25,
            saturation=0.25,
            flip=True,
        ),
    )
}


def preset(name: str) -> Augmentation:
    """Return the preset called `name`; raise `UsageError` if there is none."""
    if name not in PRESETS:
        raise UsageError(f"--augmentation {name!r}: must be one of {', '.join(PRESETS)}")
    return PRESETS[name]


def draw(seed: int, epoch: int, num_examples: int) -> np.ndarray:
    """Return the random numbers of one epoch, float32 [num_examples, UNIFORMS], 0..1.

    Row i belongs to example i, in whatever batch and place it comes.
    """
    generator = np.random.Generator(np.random.Philox(key=[seed, 2 * epoch + 1]))
    return generator.random((num_examples, UNIFORMS), np.float32)


def is_mirrored(uniforms: tf.Tensor, augmentation: Augmentation, flip: bool) -> tf.Tensor | None:
    """Return which images `augment` mirrors, bool [B]; None: it mirrors none."""
    return uniforms[:, _FLIP] < 0.5 if augmentation.flip and flip else None


def augment(
    images: tf.Tensor, uniforms: tf.Tensor, augmentation: Augmentation, flip: bool, side: int
) -> tf.Tensor:
    """Return augmented images.

    Args:
      images: uint8 [B, T, T, 3], RGB, T as `training_side` says.
      uniforms: float32 [B, UNIFORMS] in 0..1, as `draw` gives them.
      augmentation: the preset.
      flip: whether a mirror image keeps its meaning.
      side: S, side of the network's input.

    Returns:
      float32 [B, S, S, 3], RGB, 0..255, not rounded.
    """
    mirrored = is_mirrored(uniforms, augmentation, flip)
    if augmentation.smallest_area < 1:
        images = _resized_crop(images, uniforms, augmentation, mirrored, side)
    else:
        images = _shift(images, uniforms, augmentation, mirrored, side)
    images = tf.cast(images, tf.float32)
    return _color(images, uniforms, augmentation) if augmentation.colors else images


def _shift(
    images: tf.Tensor,
    uniforms: tf.Tensor,
    augmentation: Augmentation,
    mirrored: tf.Tensor | None,
    side: int,
) -> tf.Tensor:
    """Cut squares of `side` at random places, by whole pixels, and mirror them."""
    whole = images.shape[1]
    margin = (whole - side) // 2
    reach = margin if margin > 0 else round(augmentation.shift * side)
    along = tf.range(side)[tf.newaxis]
    if augmentation.crops:
        rows = _reflected(along + _offset(uniforms, _TOP, margin, reach), whole)
        images = tf.gather(images, rows, axis=1, batch_dims=1)
    if mirrored is not None:
        along = tf.where(mirrored[:, tf.newaxis], side - 1 - along, along)
    if augmentation.crops or mirrored is not None:
        columns = _reflected(along + _offset(uniforms, _LEFT, margin, reach), whole)
        images = tf.gather(images, columns, axis=2, batch_dims=1)
    return images


def _offset(uniforms: tf.Tensor, column: int, margin: int, reach: int) -> tf.Tensor:
    """Return int32 [B, 1] in margin - reach .. margin + reach, all equally likely."""
    steps = tf.floor(uniforms[:, column, tf.newaxis] * (2 * reach + 1))
    return tf.cast(steps, tf.int32) + (margin - reach)


def _reflected(indices: tf.Tensor, whole: int) -> tf.Tensor:
    """Fold indices just outside 0..whole - 1 back, the border pixel not repeated."""
    return (whole - 1) - tf.abs((whole - 1) - tf.abs(indices))


def _resized_crop(
    images: tf.Tensor,
    uniforms: tf.Tensor,
    augmentation: Augmentation,
    mirrored: tf.Tensor | None,
    side: int,
) -> tf.Tensor:
    """Cut rectangles of random area, aspect and place; scale them to `side`, bilinearly."""
    whole = images.shape[1]
    area = 1 - (1 - augmentation.smallest_area) * uniforms[:, _AREA]
    stretch = tf.exp(_signed(uniforms, _ASPECT) * float(np.log(augmentation.aspect) / 2))
    bounds = []
    for extent, column in ((tf.sqrt(area) / stretch, _TOP), (tf.sqrt(area) * stretch, _LEFT)):
        length = tf.minimum(extent, 1.0) * whole
        start = uniforms[:, column] * (whole - length)
        # Pixel centers: output i + 0.5 comes from start + (i + 0.5) * length / side.
        half = 0.5 * length / side
        bounds.append((start + half - 0.5, start + length - half - 0.5))
    (top, bottom), (left, right) = bounds
    if mirrored is not None:
        left, right = tf.where(mirrored, right, left), tf.where(mirrored, left, right)
    boxes = tf.stack([top, left, bottom, right], axis=1) / (whole - 1)
    return tf.image.crop_and_resize(
        images, tf.clip_by_value(boxes, 0.0, 1.0), tf.range(tf.shape(images)[0]), (side, side)
    )


def _color(images: tf.Tensor, uniforms: tf.Tensor, augmentation: Augmentation) -> tf.Tensor:
    """Change saturation about gray, contrast about mean gray, and brightness.

    All three are linear in a pixel, so one 3x3 matrix and one offset an image
    do them in a single pass.
    """
    brightness, contrast, saturation = (
        (_signed(uniforms, column) * reach)[:, tf.newaxis, tf.newaxis]
        for column, reach in (
            (_BRIGHTNESS, 255 * augmentation.brightness),
            (_CONTRAST, augmentation.contrast),
            (_SATURATION, augmentation.saturation),
        )
    )
    luma = tf.constant(_LUMA)[:, tf.newaxis]
    to_gray = tf.tile(luma, [1, 3])
    matrix = (1 + contrast) * ((1 + saturation) * tf.eye(3) - saturation * to_gray)
    mean = tf.reduce_mean(images, axis=[1, 2])[:, tf.newaxis] @ luma
    shape = tf.shape(images)
    pixels = tf.reshape(images, [shape[0], -1, 3]) @ matrix + (brightness - contrast * mean)
    return tf.reshape(tf.clip_by_value(pixels, 0.0, 255.0), shape)


def _signed(uniforms: tf.Tensor, column: int) -> tf.Tensor:
    return 2 * uniforms[:, column] - 1
