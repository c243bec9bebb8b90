"""Draw the app's examples and the tests': `python android_demo/tools/draw_samples.py`.

A picture's name is a class of the models it is for; the app shows those that
the model in use has. They are drawn here, so that no photograph of anybody's
lies in the repository.
"""

import random
from pathlib import Path

from PIL import Image, ImageDraw

SOURCES = Path(__file__).resolve().parents[1] / "app/src"
OUT = SOURCES / "main/assets/samples"
TEST_OUT = SOURCES / "test/assets/samples"
SIDE = 256
LARGE = 4 * SIDE

# Strokes of digits on a field of 0..7 by 0..7, as people write them.
DIGITS = {
    "0": [[(3.5, 0.8), (2, 2), (1.8, 4.5), (3, 6.4), (4.8, 6), (5.4, 4), (5, 1.8), (3.5, 0.8)]],
    "3": [[(2, 1), (4.6, 0.9), (4.9, 2.2), (3.2, 3.4), (5, 4.4), (4.8, 6), (3, 6.6), (1.8, 6)]],
    "7": [[(1.6, 1), (5.4, 1), (4.2, 3.6), (3.2, 6.6)], [(2.4, 3.8), (5, 3.6)]],
}


def digit(strokes: list) -> Image.Image:
    """Return a digit as the data set has them: white on black, 8x8 pixels enlarged."""
    picture = Image.new("L", (LARGE, LARGE))
    draw = ImageDraw.Draw(picture)
    unit = LARGE / 8
    for stroke in strokes:
        points = [((x + 0.5) * unit, (y + 0.5) * unit) for x, y in stroke]
        draw.line(points, fill=255, width=int(1.1 * unit), joint="curve")
    small = picture.resize((8, 8), Image.Resampling.BOX)
    return small.resize((SIDE, SIDE), Image.Resampling.NEAREST)


def traffic_light() -> Image.Image:
    """Return a traffic light that shows red, before a sky."""
    picture = Image.new("RGB", (LARGE, LARGE), (150, 186, 220))
    draw = ImageDraw.Draw(picture)
    for y in range(0, LARGE, 64):
        sky = (110 + y // 14, 160 + y // 18, 214 + y // 40)
        draw.rectangle((0, y, LARGE, y + 63), fill=sky)
    draw.rectangle((0.48 * LARGE, 0.8 * LARGE, 0.54 * LARGE, LARGE), fill=(70, 72, 70))
    housing = (0.36 * LARGE, 0.08 * LARGE, 0.66 * LARGE, 0.86 * LARGE)
    draw.rounded_rectangle(housing, 60, fill=(28, 32, 28))
    lamps = ((0.22, (250, 40, 30)), (0.47, (70, 58, 20)), (0.72, (16, 60, 36)))
    for height, colour in lamps:
        x, y, r = 0.51 * LARGE, height * LARGE, 0.1 * LARGE
        draw.ellipse((x - 1.15 * r, y - 1.15 * r, x + 1.15 * r, y + 1.15 * r), fill=(10, 12, 10))
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    return picture


def crossword() -> Image.Image:
    """Return a crossword puzzle as newspapers print it."""
    picture = Image.new("RGB", (LARGE, LARGE), (240, 238, 230))
    draw = ImageDraw.Draw(picture)
    dice = random.Random(5)
    cells, margin = 11, 40
    size = (LARGE - 2 * margin) / cells
    for row in range(cells):
        for column in range(cells):
            mirrored = (row * cells + column) % (cells * cells // 2 + 1)
            dark = random.Random(mirrored * 7 + 3).random() < 0.2
            left, top = margin + column * size, margin + row * size
            fill = (20, 20, 20) if dark else (255, 255, 252)
            box = (left, top, left + size, top + size)
            draw.rectangle(box, fill=fill, outline=(10, 10, 10), width=5)
            if not dark and dice.random() < 0.35:
                number = str(dice.randrange(1, 40))
                draw.text((left + 10, top + 6), number, fill=(10, 10, 10), font_size=24)
    return picture


def main() -> None:
    """Write all pictures."""
    for folder in (OUT, TEST_OUT):
        folder.mkdir(parents=True, exist_ok=True)
    for name, strokes in DIGITS.items():
        digit(strokes).save(TEST_OUT / f"{name}.png", optimize=True)
    # Few colors as PNG: a fifth of the bytes of a JPEG, in an APK that must be small.
    light, puzzle = (
        picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        for picture in (traffic_light(), crossword())
    )
    light.quantize(24, dither=Image.Dither.NONE).save(OUT / "traffic light.png", optimize=True)
    puzzle.convert("1", dither=Image.Dither.NONE).save(OUT / "crossword puzzle.png", optimize=True)


if __name__ == "__main__":
    main()
