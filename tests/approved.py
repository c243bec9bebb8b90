"""Drawings, pictures and texts as they were when somebody looked at them (tests/golden).

`SQZKIT_APPROVE=1` writes them anew: look at what it wrote before you commit it. Another version
of Matplotlib or Pillow may draw otherwise; then they are approved again.
"""

import dataclasses
import json
import os
import re
from pathlib import Path

import numpy as np
from PIL import Image

from sqzkit.base import settings

GOLDEN = Path(__file__).with_name("golden")
FOLDER = GOLDEN / "drawings"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
IDENTIFIER = re.compile(r"\b[a-z]?[0-9a-f]{10,}\b")  # Matplotlib's: a hash of what it names
TOLERANCE = 0.05  # of a point: another processor may round otherwise
SHADES = 3  # of 255


def check_drawing(name: str, drawing: str) -> None:
    """Compare an SVG with the approved one: texts exactly, numbers within `TOLERANCE`."""
    path = FOLDER / f"{name}.svg"
    if _approving():
        path.write_text(drawing, encoding="utf-8")
    approved, drawn = (_parts(text) for text in (path.read_text(encoding="utf-8"), drawing))
    assert drawn[0] == approved[0], f"{path.name} has other elements or texts"
    np.testing.assert_allclose(drawn[1], approved[1], rtol=0, atol=TOLERANCE, err_msg=path.name)


def check_picture(name: str, picture: Image.Image) -> None:
    """Compare a picture with the approved one, pixel by pixel, within `SHADES`."""
    path = FOLDER / f"{name}.png"
    if _approving():
        picture.save(path, optimize=True)
    approved = np.asarray(Image.open(path).convert("RGB"), int)
    np.testing.assert_allclose(np.asarray(picture, int), approved, atol=SHADES, err_msg=path.name)


def check_settings(kind: type) -> None:
    """Compare the approved defaults and bounds of a record's settings with its own.

    Words, legal names and further settings are free. Those that name a file or folder say so:
    else `~` is not expanded, and a run that is resumed elsewhere looks in another folder.
    """
    path = GOLDEN / "settings" / f"{kind.__name__}.json"
    found = {}
    for item in settings.own(kind):
        default = "required" if item.default is dataclasses.MISSING else item.default
        details = item.setting
        bounds = (details.minimum, details.above, details.below, details.maximum)
        kind_of_path = ["existing path" if details.exists else "path"] if details.path else []
        found[item.flag] = [default, NUMBER.findall(details.default_text), *bounds, *kind_of_path]
    found = json.loads(json.dumps(found))
    if _approving():
        lines = [f" {json.dumps(flag)}: {json.dumps(value)}" for flag, value in found.items()]
        path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    approved = json.loads(path.read_text(encoding="utf-8"))
    assert {flag: found.get(flag) for flag in approved} == approved


def check_values(name: str, found: object) -> None:
    """Compare JSON-ready values with the approved ones of that name."""
    path = GOLDEN / "settings" / f"{name}.json"
    if _approving():
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    assert json.loads(json.dumps(found)) == json.loads(path.read_text(encoding="utf-8"))


def _approving() -> bool:
    return os.environ.get("SQZKIT_APPROVE") == "1"


def _parts(drawing: str) -> tuple[str, list[float]]:
    plain = IDENTIFIER.sub("ID", drawing)
    return NUMBER.sub("#", plain), [float(number) for number in NUMBER.findall(plain)]
