import numpy as np
import pytest

from sqzkit.reporting import contact_sheet
from sqzkit.reporting.contact_sheet import Answered, draw
from sqzkit.tflite.classifier import Prediction
from tests import approved


def answered(shade, probability=0.5, label="cat", size=32):
    pixels = np.full((size, size, 3), shade, np.uint8)
    return Answered(f"{shade}.png", pixels, [Prediction(0, label, probability)])


def bar(sheet):
    row = np.array(sheet)[contact_sheet._MARGIN + contact_sheet.TILE + 2 + 16 + 1]
    return int((row == contact_sheet._BAR).all(axis=1).sum())


def test_every_photograph_is_on_it():
    sheet = np.array(draw([answered(shade) for shade in (10, 60, 110, 160, 210, 30, 80)]))
    centre = contact_sheet._MARGIN + contact_sheet.TILE // 2
    step = contact_sheet.TILE + contact_sheet._MARGIN
    first_row = [sheet[centre, centre + i * step, 0] for i in range(5)]
    assert first_row == [10, 60, 110, 160, 210]
    assert sheet.shape[0] > 2 * contact_sheet.TILE
    assert (sheet == 30).any()
    assert (sheet == 80).any()


def test_bars_are_as_long_as_the_probabilities():
    lengths = [bar(draw([answered(9, p, label="")])) for p in (0.0, 0.25, 1.0)]
    assert lengths[0] == 0
    assert lengths[1] < 0.3 * contact_sheet.TILE
    # The percentage is written over the bar's end.
    assert lengths[2] > 0.8 * contact_sheet.TILE


@pytest.mark.parametrize("label", ["", "a" * 500, "línea\nbreak", "狗"])
def test_any_label_can_be_written(label):
    sheet = draw([answered(9, label=label)])
    assert sheet.width == contact_sheet.TILE + 2 * contact_sheet._MARGIN


def test_large_inputs_are_reduced_and_the_rest_left_out(monkeypatch):
    monkeypatch.setattr(contact_sheet, "MAX_PHOTOGRAPHS", 2)
    sheet = draw([answered(9, size=300)] * 3)
    assert sheet.width == 2 * contact_sheet.TILE + 3 * contact_sheet._MARGIN


def test_the_sheet_is_as_approved():
    ramp = np.add.outer(range(16), range(16)).astype(np.uint8)[..., None] * np.array([8, 4, 1])
    predictions = [
        Prediction(0, "a label that is too long for its line", 0.75),
        Prediction(1, "cat", 0.2),
        Prediction(2, "dog", 0.001),
        Prediction(3, "not shown", 0.0),
    ]
    pictures = [Answered(f"{i}.png", ramp.astype(np.uint8), predictions[i:]) for i in range(3)]
    approved.check_picture("contact_sheet", draw(pictures * 2))
