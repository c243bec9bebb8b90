"""Photographs with their answers on one picture, to be looked at."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sqzkit.tflite.classifier import Prediction

TILE = 224
COLUMNS = 5
MAX_PHOTOGRAPHS = 400
_LINE = 16
_FONT_SIZE = 12
_MARGIN = 8
_SHOWN = 3
_PAPER = (255, 255, 255)
_INK = (32, 32, 32)
_PALE = (120, 120, 120)
_BAR = (198, 219, 239)


@dataclasses.dataclass(frozen=True)
class Answered:
    """One photograph as the network saw it, uint8 [S, S, 3], RGB, and its answers, best first."""

    name: str
    pixels: np.ndarray
    predictions: Sequence[Prediction]


def draw(answered: Sequence[Answered]) -> Image.Image:
    """Return the sheet: a tile for each photograph (up to `MAX_PHOTOGRAPHS`), with its answers."""
    shown = answered[:MAX_PHOTOGRAPHS]
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    lines = 1 + max(len(item.predictions[:_SHOWN]) for item in shown)
    width, height = TILE + _MARGIN, TILE + lines * _LINE + 2 * _MARGIN
    sheet = Image.new("RGB", (columns * width + _MARGIN, rows * height + _MARGIN), _PAPER)
    for index, item in enumerate(shown):
        left = _MARGIN + index % columns * width
        top = _MARGIN + index // columns * height
        _draw_tile(sheet, left, top, item)
    return sheet


def _draw_tile(sheet: Image.Image, left: int, top: int, item: Answered) -> None:
    picture = Image.fromarray(item.pixels)
    # Small inputs are enlarged without smoothing, to show what the network sees.
    grows = picture.width < TILE
    method = Image.Resampling.NEAREST if grows else Image.Resampling.LANCZOS
    sheet.paste(picture.resize((TILE, TILE), method), (left, top))
    canvas = ImageDraw.Draw(sheet)
    line = top + TILE + 2
    _write(canvas, left, line, TILE, item.name, _PALE)
    for prediction in item.predictions[:_SHOWN]:
        line += _LINE
        bar = round(TILE * prediction.probability)
        if bar:
            canvas.rectangle((left, line, left + bar - 1, line + _LINE - 3), fill=_BAR)
        percent = f"{prediction.probability:.0%}"
        length = canvas.textlength(percent, font=_font())
        canvas.text((left + TILE - length - 2, line), percent, fill=_INK, font=_font())
        _write(canvas, left + 2, line, TILE - length - 10, prediction.label, _INK)


def _write(
    canvas: ImageDraw.ImageDraw,
    left: int,
    top: int,
    width: float,
    text: str,
    ink: tuple[int, int, int],
) -> None:
    """Write one line of text, shortened where it is wider than `width` pixels."""
    text = text.replace("\n", " ")
    short = text
    while short and canvas.textlength(short, font=_font()) > width:
        text = text[:-1]
        short = text + "..."
    canvas.text((left, top), short, fill=ink, font=_font())


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_FONT_SIZE)
