"""docs/preprocessing.md written down a second time, in plain NumPy without Pillow.

That this agrees with `sqzkit.preprocessing.photograph` bit for bit shows that the page
is precise enough to write the rule again, as the Android app does.
"""

import math

import numpy as np

PRECISION_BITS = 22
MAXIMUM_ASPECT = 16


def prepare(pixels, orientation, record):
    """pixels: uint8 [H, W, 3 or 4]; record: JSON of a Preprocessing -> uint8 [S, S, 3]."""
    upright = turn(on_white(pixels), orientation)
    upright = cut_extreme_aspect(upright)
    height, width = upright.shape[:2]
    new_width, new_height = target_size(width, height, record["resize_size"], record["resize"])
    resized = resize(upright, new_width, new_height)
    side = record["image_size"]
    left, top = (new_width - side) // 2, (new_height - side) // 2
    return resized[top : top + side, left : left + side]


def on_white(pixels):
    if pixels.shape[-1] == 3:
        return pixels
    colour, alpha = pixels[..., :3].astype(int), pixels[..., 3:].astype(int)
    return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def turn(pixels, orientation):
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def cut_extreme_aspect(pixels):
    height, width = pixels.shape[:2]
    longest = MAXIMUM_ASPECT * min(height, width)
    left, top = max(0, width - longest) // 2, max(0, height - longest) // 2
    return pixels[top : top + longest, left : left + longest]


def target_size(width, height, side, rule):
    if rule == "squash":
        return side, side
    if width <= height:
        return side, (2 * height * side + width) // (2 * width)
    return (2 * width * side + height) // (2 * height), side


def resize(pixels, new_width, new_height):
    if pixels.shape[1] != new_width:
        pixels = resample_rows(pixels, new_width)
    if pixels.shape[0] != new_height:
        pixels = resample_rows(pixels.transpose(1, 0, 2), new_height).transpose(1, 0, 2)
    return pixels


def resample_rows(pixels, new_width):
    """Resample along axis 1 to uint8."""
    width = pixels.shape[1]
    out = np.empty((pixels.shape[0], new_width, 3), np.uint8)
    for x in range(new_width):
        first, weights = fixed_point_weights(x, width, new_width)
        total = np.full((pixels.shape[0], 3), 1 << (PRECISION_BITS - 1), np.int64)
        for k, weight in enumerate(weights):
            total += weight * pixels[:, first + k].astype(np.int64)
        out[:, x] = (total >> PRECISION_BITS).clip(0, 255)
    return out


def fixed_point_weights(x, width, new_width):
    scale = width / new_width
    support = max(scale, 1.0)
    centre = (x + 0.5) * scale
    first = max(0, int(centre - support + 0.5))
    last = min(width, int(centre + support + 0.5))
    inverse = 1.0 / support
    weights = [max(0.0, 1.0 - abs((i - centre + 0.5) * inverse)) for i in range(first, last)]
    total = 0.0
    for weight in weights:
        total += weight
    weights = [weight / total for weight in weights]
    return first, [math.floor(weight * (1 << PRECISION_BITS) + 0.5) for weight in weights]
