"""The one preprocessing record: from a photograph to the network's input.

Training, evaluation, calibration, conversion, TFLite metadata, `Classifier`
and the Android app all follow this record; it is stored with every run.
`docs/preprocessing.md` states the rule precisely enough to write it again.
"""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqzkit.base import files, records
from sqzkit.base.errors import RunError, UsageError

RESIZE_RULES = ("squash", "shorter_side")
CHANNEL_ORDERS = ("RGB", "BGR")
# Pixels in -1..1, of Caffe, of torchvision, in 0..1, in 0..255.
NAMES = ("default", "caffe", "torchvision", "unit", "raw")
MIN_SIZE = 32
MAX_SIZE = 1024


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """How pixels become the network's input.

    The steps, in order: decode; turn upright by EXIF; composite alpha on
    white; replicate grey to RGB; resize (antialiased bilinear on uint8, as
    Pillow's `Image.BILINEAR`) so that the whole image ("squash") or its
    shorter side ("shorter_side") becomes `resize_size`; cut the central
    `image_size` square; reorder channels; `(pixel - mean) * scale`.

    Attributes:
      image_size: side of the network's square input, pixels, 32..1024.
      resize_size: side before the central crop, at least `image_size`.
      resize: "squash" (both sides, ignoring the aspect) or "shorter_side".
      channel_order: "RGB" or "BGR", the order the network was trained with.
      mean: subtracted, one value per channel *in the network's order*, 0..255.
      scale: multiplied after that, per channel in the network's order.
    """

    image_size: int
    resize_size: int
    resize: str = "shorter_side"
    channel_order: str = "RGB"
    mean: tuple[float, float, float] = (127.5, 127.5, 127.5)
    scale: tuple[float, float, float] = (1 / 127.5, 1 / 127.5, 1 / 127.5)

    def __post_init__(self) -> None:
        if not MIN_SIZE <= self.image_size <= MAX_SIZE:
            raise UsageError(f"image_size {self.image_size}: must be {MIN_SIZE}..{MAX_SIZE} pixels")
        if not self.image_size <= self.resize_size <= 4 * MAX_SIZE:
            raise UsageError(
                f"resize_size {self.resize_size}: must be at least image_size "
                f"({self.image_size}) and at most {4 * MAX_SIZE}"
            )
        for name, legal in (("resize", RESIZE_RULES), ("channel_order", CHANNEL_ORDERS)):
            if (value := getattr(self, name)) not in legal:
                raise UsageError(f"{name} {value!r}: must be one of {', '.join(legal)}")
        for name in ("mean", "scale"):
            values = tuple(float(value) for value in getattr(self, name))
            if len(values) != 3 or not all(map(math.isfinite, values)):
                raise UsageError(f"{name} {values}: must hold three numbers, one per channel")
            object.__setattr__(self, name, values)
        if not all(self.scale):
            raise UsageError(f"scale {self.scale}: no value may be 0")

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON-ready values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Preprocessing":
        """Return the record `to_json` gave; raise `RunError` if it is not one."""
        return records.build(cls, record, "a preprocessing record")

    def save(self, path: Path) -> None:
        """Write the record as JSON, atomically."""
        files.write_json(path, self.to_json())

    @classmethod
    def load(cls, path: Path) -> "Preprocessing":
        """Read a record written by `save`; raise `RunError` naming `path`."""
        try:
            return cls.from_json(files.read_json(path))
        except RunError as error:
            raise RunError(f"{path}: {error}") from error


def default(image_size: int) -> Preprocessing:
    """Return the record for training from scratch at `image_size` pixels."""
    return Preprocessing(image_size=image_size, resize_size=image_size)


def caffe(image_size: int = 227) -> Preprocessing:
    """Return the record of the published Caffe weights.

    BGR minus (104, 117, 123); 256x256 squash and central crop at the usual
    227 pixels, the same proportions at other sizes.
    """
    return Preprocessing(
        image_size=image_size,
        resize_size=round(image_size * 256 / 227),
        resize="squash",
        channel_order="BGR",
        mean=(104.0, 117.0, 123.0),
        scale=(1.0, 1.0, 1.0),
    )


def torchvision(image_size: int = 224) -> Preprocessing:
    """Return the record of torchvision's weights.

    RGB in 0..1, minus the mean of ImageNet and divided by its standard deviation; shorter
    side 256 and central crop at the usual 224 pixels, the same proportions at other sizes.
    """
    mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    return Preprocessing(
        image_size=image_size,
        resize_size=round(image_size * 256 / 224),
        mean=(255 * mean[0], 255 * mean[1], 255 * mean[2]),
        scale=(1 / (255 * deviation[0]), 1 / (255 * deviation[1]), 1 / (255 * deviation[2])),
    )


def named(name: str, image_size: int, flag: str = "--preprocessing") -> Preprocessing:
    """Return the record that a user names, for a network of `image_size` pixels.

    Args:
      name: one of `NAMES`, or the path of a record that `Preprocessing.save` wrote.
      image_size: what the network takes.
      flag: that gave the name.

    Raises:
      UsageError: neither a name nor a record, or a record of another size.
    """
    makers = {"default": default, "caffe": caffe, "torchvision": torchvision}
    if name in makers:
        return makers[name](image_size)
    if name in NAMES:
        scale = ((1 / 255) if name == "unit" else 1.0,) * 3
        return Preprocessing(image_size, image_size, mean=(0, 0, 0), scale=scale)
    if not Path(name).is_file():
        raise UsageError(f"{flag} {name}: must be one of {', '.join(NAMES)} or a file")
    try:
        record = Preprocessing.load(Path(name))
    except RunError as error:
        raise UsageError(f"{flag} {error}") from error
    if record.image_size != image_size:
        raise UsageError(
            f"{flag} {name}: gives {record.image_size} pixels, the model takes {image_size}"
        )
    return record
