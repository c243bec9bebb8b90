"""The golden vectors of the preprocessing rule, and how they were made.

`python -m tests.preprocessing.cases` writes tests/golden/preprocessing
anew: do so only when the rule itself is changed, with docs/preprocessing.md.
Encoded files that are there already are kept, because encoders differ.
"""

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from sqzkit import preprocessing
from sqzkit.preprocessing import decoding, photograph
from tests.preprocessing import profiles

FOLDER = Path(__file__).resolve().parent.parent / "golden" / "preprocessing"

# name: (width, height, channels, orientation, image_size, resize_size, resize)
PIXELS = {
    "one_pixel": (1, 1, 3, 1, 32, 32, "shorter_side"),
    "two_by_three": (2, 3, 3, 1, 32, 36, "shorter_side"),
    "digits_size_enlarged": (8, 8, 3, 1, 32, 32, "shorter_side"),
    "odd_enlarged": (13, 17, 3, 1, 33, 37, "shorter_side"),
    "enlarged_squash": (19, 11, 3, 1, 32, 35, "squash"),
    "same_size": (32, 32, 3, 1, 32, 32, "shorter_side"),
    "same_width": (32, 45, 3, 1, 32, 32, "shorter_side"),
    "same_height": (47, 32, 3, 1, 32, 32, "shorter_side"),
    "halved": (64, 64, 3, 1, 32, 32, "shorter_side"),
    "odd_crop": (33, 47, 3, 1, 32, 35, "shorter_side"),
    "rounded_half_up": (32, 49, 3, 1, 33, 33, "shorter_side"),
    "wide": (71, 29, 3, 1, 32, 36, "shorter_side"),
    "tall": (29, 71, 3, 1, 32, 36, "shorter_side"),
    "caffe_proportions": (60, 43, 3, 1, 47, 53, "squash"),
    "shrunk_much": (97, 71, 3, 1, 32, 32, "shorter_side"),
    "shrunk_and_enlarged": (21, 97, 3, 1, 32, 32, "squash"),
    "ribbon_upright": (3, 200, 3, 1, 32, 32, "shorter_side"),
    "ribbon_lying": (121, 2, 3, 1, 32, 32, "squash"),
    "alpha": (27, 21, 4, 1, 32, 32, "shorter_side"),
    "alpha_turned": (21, 27, 4, 5, 32, 34, "shorter_side"),
    **{f"orientation_{turn}": (23, 17, 3, turn, 32, 33, "shorter_side") for turn in range(1, 9)},
    "orientation_6_squash": (23, 17, 3, 6, 32, 32, "squash"),
}


def pixels(name):
    """uint8 [H, W, C]: noise, flat areas and hard edges, the same for ever."""
    width, height, channels = PIXELS[name][:3]
    # A generator of our own: NumPy may change the streams of its distributions.
    state = sum(ord(letter) * (i + 1) for i, letter in enumerate(name))
    count = width * height * channels
    numbers = np.empty(count, np.uint8)
    for i in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        numbers[i] = state >> 56
    image = numbers.reshape(height, width, channels)
    image[: height // 3, : width // 3] = 255
    image[-(height // 4) or height :, -(width // 4) or width :] = 0
    return image


def scene(width, height):
    """A smooth photograph-like picture without symmetry, uint8 [H, W, 3]."""
    y, x = np.mgrid[0:height, 0:width]
    red = 255 * x // (width - 1)
    green = 255 * y // (height - 1)
    blue = 40 + 160 * ((x * 3 < width) & (y * 2 < height))
    return np.stack([red, green, blue], -1).astype(np.uint8)


def encoded():
    """Bytes by file name, for every kind of file."""
    small = Image.fromarray(scene(48, 36))
    grey = small.convert("L")
    alpha = Image.fromarray((255 * np.mgrid[0:36, 0:48][1] // 47).astype(np.uint8))
    deep = Image.fromarray((np.mgrid[0:36, 0:48][0] * 1790 + 77).astype(np.uint16))
    rgba = small.copy()
    rgba.putalpha(alpha)
    grey_alpha = Image.merge("LA", (grey, alpha))
    palette = small.quantize(16)
    made = {
        "grey.png": _save(grey, "PNG"),
        "grey_alpha.png": _save(grey_alpha, "PNG"),
        "alpha.png": _save(rgba, "PNG"),
        "palette.png": _save(palette, "PNG"),
        "palette_transparent.png": _save(palette, "PNG", transparency=3),
        "bilevel.png": _save(grey.convert("1"), "PNG"),
        "grey_16_bit.png": _save(deep, "PNG"),
        "turned.png": _save(small, "PNG", exif=_exif(6)),
        "colour.bmp": _save(small, "BMP"),
        "animated.gif": _save(
            palette, "GIF", save_all=True, append_images=[palette.rotate(180)], duration=50
        ),
        "lossless.webp": _save(small, "WEBP", lossless=True),
        "turned.webp": _save(small, "WEBP", lossless=True, exif=_exif(8)),
        "grey.jpg": _save(grey, "JPEG", quality=90),
        "profile_p3.png": _save(small, "PNG", icc_profile=profiles.rgb(profiles.DISPLAY_P3, 2.2)),
        "profile_grey.png": _save(grey, "PNG", icc_profile=profiles.gray(1.8)),
        "profile_adobe.jpg": _save(
            small, "JPEG", quality=92, icc_profile=profiles.rgb(profiles.ADOBE_RGB, 2.2)
        ),
    }
    for turn in range(1, 9):
        stored = _stored_for(turn)
        made[f"orientation_{turn}.jpg"] = _save(stored, "JPEG", quality=92, exif=_exif(turn))
    return made


def _stored_for(turn):
    """The scene as a camera held that way stores it, so that all eight look alike upright."""
    back = {6: 8, 8: 6}.get(turn, turn)
    return decoding.upright(Image.fromarray(scene(48, 36)), back)


def _exif(turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    return exif.tobytes()


def _save(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def record(image_size, resize_size, resize):
    return preprocessing.Preprocessing(image_size, resize_size, resize)


def write():
    """Write every vector and the index that both test suites read."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    cases = []
    for name, (width, height, channels, turn, *sizes) in PIXELS.items():
        image = pixels(name)
        (FOLDER / f"{name}.raw").write_bytes(image.tobytes())
        upright = decoding.upright(Image.fromarray(image), turn)
        square = photograph.prepare(upright, record(*sizes))
        cases.append(
            {
                "name": name,
                "kind": "pixels",
                "input": f"{name}.raw",
                "width": width,
                "height": height,
                "channels": channels,
                "orientation": turn,
                **_outcome(name, square, sizes),
            }
        )
    for name, content in encoded().items():
        path = FOLDER / name
        if not path.exists():
            path.write_bytes(content)
        sizes = (32, 34, "shorter_side")
        square = photograph.load_photograph(path, record(*sizes))
        # Decoders differ in the last bits of a JPEG and of a converted color.
        exact = path.suffix != ".jpg" and "profile" not in name
        cases.append(
            {"name": name, "kind": "file", "input": name, **_outcome(name, square, sizes)}
            | {"exact": exact}
        )
    text = json.dumps({"cases": cases}, indent=1) + "\n"
    (FOLDER / "index.json").write_text(text)


def _outcome(name, square, sizes):
    (FOLDER / f"{name}.expected").write_bytes(square.tobytes())
    return {
        "image_size": sizes[0],
        "resize_size": sizes[1],
        "resize": sizes[2],
        "expected": f"{name}.expected",
        "exact": True,
    }


if __name__ == "__main__":
    write()
