import dataclasses
import math
import re
import types

import pytest

from sqzkit.base import assembly
from sqzkit.budget import page
from sqzkit.budget.config import FitConfig
from sqzkit.budget.folder import NO_TIME, Fit, Made
from sqzkit.budget.predict import Prediction
from sqzkit.reporting import figures
from tests import approved
from tests.reporting import pages

CHOSEN = Made(
    *("net_chain", "net", "chain", "finals/trials/x", "quantize", 970, 1000, 9000, 500, 1.5),
    *(0.95, 0.9, 0.97, "00", 1000),
)
ROUNDED = dataclasses.replace(
    CHOSEN, name="net_rounded", recipe="rounded", archive_bytes=990, predicted_bytes=None, top1=0.85
)
HALF = dataclasses.replace(
    ROUNDED, name="net_half", archive_bytes=480, top1=0.75, archive_limit=500
)
PREDICTED = Prediction(100, ((0.0, 3000), (0.3, 1500), (0.96, 300)), 9000, 500, 1.4)
NARROW = dataclasses.replace(ROUNDED, name="narrow_rounded", archive_bytes=490, top1=0.8)
LOOKED = [
    {"name": "wide", "parameters": 90000, "multiply_accumulates": 9, "prediction": None,
     "refused": "too <wide>"},
    {"name": "net", "parameters": 9000, "multiply_accumulates": 9,
     "prediction": dataclasses.asdict(PREDICTED), "refused": ""},
]  # fmt: skip
TEST = {"examples": 1234, "converted_top1": 0.8125, "float_top1": 0.875}


def config(folder, **changes):
    values = {"max_archive_bytes": 1000, "max_latency_ms": 2, "output_dir": folder, **changes}
    return assembly.build(FitConfig, values)


def records(made):
    return {item.name: dataclasses.asdict(item) for item in made}


@pytest.fixture
def text(tmp_path):
    made = config(tmp_path)
    fit = Fit(tmp_path, made.identity())
    fit.write("looked", LOOKED)
    tried = {"name": "net", "sparsity": 0.63, "top1": 0.7, "loss": 1.0}
    fit.write("trials", [tried, {"name": "late", "failed": NO_TIME}])
    failed = {"net_double": {"failed": "no price meets it"}}
    fit.write("files", {**records([CHOSEN, ROUNDED, NARROW, HALF]), **failed})
    fit.write("finals", {"warning": "--hours=0.1 is too short"})
    fit.write("test", TEST)
    return page.write(made, fit, types.SimpleNamespace(name="photos")).read_text()


def test_the_page_has_the_choice_and_why(text):
    assert "the best archive within 1,000 archive bytes, 2 ms" in text
    tiles = dict(re.findall("<b>(.*?)</b><span>(.*?)</span>", text))
    assert tiles == {
        "970": "bytes of best.sqz, of 1,000",
        "90.00 %": "validation accuracy, by which it was chosen",
        "81.25 %": "test accuracy, 1,234 images",
        "87.50 %": "test accuracy of the float model",
        "500": "bytes of memory for an inference",
        "1.5 ms": "fastest inference on one thread",
    }
    assert "4 of 4 files made of the finalists keep to the budget." in text
    assert "90.00 %, the next 85.00 %" in text
    assert "<li>--hours=0.1 is too short</li>" in text
    assert "<li>There was no time for 1 network that may be better: give more --hours.</li>" in text
    assert "sqzkit classify --model=" in text and "sqzkit fit --max_archive_bytes=1000" in text


def test_networks_for_which_there_was_no_time_are_counted():
    known, late = {"name": "net", "top1": 0.7}, {"name": "wide", "failed": NO_TIME}
    other = {"name": "odd", "failed": "the loss is NaN"}
    assert page.late([known, other]) == ""
    assert "no time for 1 network that may" in page.late([late, known, other])
    assert "no time for 2 networks that may" in page.late([late, known, late])


def test_the_page_has_predictions_and_their_errors(text):
    made, networks = pages.read(text).tables
    assert list(made[0].items()) == [
        *(("network", "net"), ("by", "chain"), ("bytes", "970 (+3.1 %)")),  # 1,000 predicted
        *(("validation %", "90.00"), ("float %", "95.00"), ("same answer %", "97.0")),
        *(("memory", "500 (+0.0 %)"), ("ms", "1.5 (-6.7 %)"), ("note", "chosen; front")),
    ]
    # Rounding is not predicted.
    assert [(row["by"], row["bytes"], row["validation %"], row["note"]) for row in made[1:]] == [
        ("rounding", "990", "85.00", ""),
        ("rounding", "490", "80.00", "front"),
        ("rounding", "480", "75.00", "front"),
    ]
    # 63 % zeros are halfway between the counted sparsities: 100 + 900 bytes before the training.
    assert list(networks[1].items()) == [
        *(("network", "net"), ("weights", "9,000"), ("zeros %", "63.0")),
        *(("bytes, untrained", "1,000"), ("bytes, made", "970"), ("memory", "500")),
        *(("trial, validation %", "70.00"), ("ms", "1.4"), ("note", "")),
    ]
    assert list(networks[0].values()) == ["wide", "90,000", *[""] * 6, "too <wide>"]


def test_files_are_drawn_by_size_and_accuracy(text):
    (plot,) = pages.read(text).drawings
    approved.check_drawing("fit_front", plot)
    half, narrow, best = sorted(pages.marks(plot, figures.BLUE))
    assert pages.marks(plot, figures.ORANGE) == [best]
    assert half[1] - narrow[1] == pytest.approx((narrow[1] - best[1]) / 2, rel=0.01)  # 75, 80, 90 %
    octave = (best[0] - narrow[0]) / math.log2(970 / 490)
    assert narrow[0] - half[0] == pytest.approx(octave * math.log2(490 / 480), rel=0.02)
    budget = best[0] + octave * math.log2(1000 / 970)
    upright = [line[0][0] for line in pages.lines(plot) if line[0][0] == line[-1][0]]
    assert upright == pytest.approx([budget], abs=0.1)
    assert [half, narrow, best] in pages.lines(plot)
    heights = {words: y for words, _, y in pages.texts(plot)}
    scale = (heights["76"] - heights["90"]) / 14  # of a point of accuracy
    assert half[1] - best[1] == pytest.approx(15 * scale, rel=0.01)


def test_the_page_says_what_half_and_double_would_give(text):
    assert "half, 500 bytes: 80.00 % or more (-10.00 points), 490 bytes" in text
    assert "double, 2,000 bytes: 90.00 % or more (+0.00 points), 970 bytes" in text
    assert "net_double: no price meets it" in text


def test_a_file_is_on_the_front_if_no_smaller_one_is_as_accurate():
    assert page.front([CHOSEN, ROUNDED, HALF]) == {"net_chain", "net_half"}
    equal = dataclasses.replace(CHOSEN, name="larger", archive_bytes=971)
    assert page.front([equal, CHOSEN]) == {"net_chain"}


def test_reasons_name_equal_files_and_a_budget_above_the_plain_file(tmp_path):
    equal = dataclasses.replace(ROUNDED, top1=CHOSEN.top1)
    found = page.reasons(CHOSEN, [CHOSEN, equal], config(tmp_path), LOOKED)
    assert "2 are equally accurate" in found[1] and len(found) == 2
    large = config(tmp_path, max_archive_bytes=9000)
    found = page.reasons(CHOSEN, [CHOSEN], large, LOOKED)
    assert found[0] == "The only file made of the finalists keeps to the budget."
    assert "above the plain .tflite (9,000" in found[-1]


def test_a_file_in_words():
    words = page.file_in_words(dataclasses.asdict(CHOSEN))
    assert words == (
        "970 bytes (1,000 predicted), memory 500 bytes, 1.5 ms, validation accuracy 90.00 %"
    )
    assert page.file_in_words({"failed": "why"}) == "not made: why"
