"""The report page of a taught head, and where the network looked in the worst mistakes."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sqzkit.data.dataset import Example
from sqzkit.reporting import templates
from sqzkit.teaching import fitting
from sqzkit.teaching.features import FeatureReader
from sqzkit.teaching.fitting import Answers
from sqzkit.teaching.head import Taught

MAX_MISTAKES = 12
MAX_CONFUSION = 40  # classes; more are not legible
_SIDE = 224


def class_map(reader: FeatureReader, taught: Taught, image: np.ndarray, label: int) -> np.ndarray:
    """Return where a class is seen: float64 [H, W], the score's share of each place.

    Its mean over the places is the class's score, up to the rounding of the features.

    Args:
      reader: of the model.
      taught: the head.
      image: uint8 [S, S, 3], prepared.
      label: number of the class.
    """
    found, steps = taught.discriminant, reader.steps
    values = reader.map(image) * steps
    return np.asarray(values @ found.coefficients[label] + found.biases[label])


def overlay(image: np.ndarray, shares: np.ndarray) -> Image.Image:
    """Return a photograph with the places that speak for a class in red."""
    positive = np.maximum(shares, 0)
    strength = positive / max(positive.max(), 1e-9)
    small = Image.fromarray(np.uint8(np.rint(strength * 170)))
    mask = small.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    picture = Image.fromarray(image).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    return Image.composite(Image.new("RGB", (_SIDE, _SIDE), (230, 30, 30)), picture, mask)


def mistakes(
    reader: FeatureReader, taught: Taught, examples: Sequence[Example], found: Answers | None
) -> list[dict[str, Any]]:
    """Return the wrong answers that the head was most certain of, with their maps as pictures."""
    if found is None:
        return []
    chances = fitting.probabilities(found.scores, taught.choice.temperature)
    given = chances.argmax(1)
    wrong = np.flatnonzero(given != found.labels)
    worst = wrong[np.argsort(-chances[wrong, given[wrong]], kind="stable")][:MAX_MISTAKES]
    shown = []
    for index in worst:
        image = examples[index].load(reader.classifier.preprocessing)
        picture = overlay(image, class_map(reader, taught, image, int(given[index])))
        shown.append(
            {
                "picture": _data_address(picture),
                "truth": taught.labels[found.labels[index]],
                "answer": taught.labels[given[index]],
                "probability": float(chances[index, given[index]]),
            }
        )
    return shown


def render(record: dict[str, Any], found: Answers | None, shown: list[dict[str, Any]]) -> str:
    """Return the page as HTML text."""
    labels = record["labels"]
    confusion = None
    if found is not None and len(labels) <= MAX_CONFUSION:
        confusion = list(zip(labels, record["confusion"], strict=True))
    template = Path(__file__).with_name("page.html")
    counts = list(zip(labels, record["photographs"], strict=True))
    return templates.render(template, **record, counts=counts, rows=confusion, mistakes=shown)


def _data_address(picture: Image.Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
