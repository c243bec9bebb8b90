import re
from xml.etree import ElementTree

import pytest

from sqzkit.reporting import compression
from sqzkit.runs.folder import RunFolder
from tests import approved
from tests.reporting import pages

SIZES = {"float32_bytes": 2_900_000, "int8_bytes": 740_000}
STAGES = [
    {"stage": "train", "sparsity": 0.0, "distinct": 73_728, "archive_bytes": 610_000, **SIZES},
    {"stage": "prune", "sparsity": 0.9, "distinct": 7_000, "archive_bytes": 120_000, **SIZES},
    {"stage": "quantize", "sparsity": 0.9, "distinct": 16, "archive_bytes": 58_000, **SIZES},
]
LAYER = {
    "name": "fire2/expand3x3",
    "weights": 9216,
    "density": 0.1,
    "distinct": 16,
    "code_bits": 4,
    "index_bits": 3,
    "code_bytes": 461,
    "index_bytes": 462,
    "codebook_bytes": 64,
    "huffman_bytes": 800,
    "coder_bytes": 600,
    "entropy_bytes": 588.7,
}
HISTOGRAM = {"edges": [-1.0, 0.0, 1.0], "counts": [3, 4], "centroids": [-0.5, 0.0, 0.5]}
EMPTY = {"edges": [], "counts": [], "centroids": []}


@pytest.fixture
def stages():
    return [{**row, "float_top1": 0.99, "int8_top1": 0.985} for row in STAGES]


@pytest.fixture
def folder(tmp_path, stages):
    folder = RunFolder(tmp_path)
    record = {
        "stages": stages,
        "layers": [LAYER, {**LAYER, "name": "total"}],
        "histograms": {"fire2/expand3x3": HISTOGRAM, "<conv10>": EMPTY},
    }
    folder.write_record(compression.RECORD, record)
    return folder


def test_the_section_shows_every_stage_and_layer(folder):
    html = compression.render(folder)
    found = pages.read(html)
    stages, layers = found.tables
    assert list(stages[2].items()) == [
        ("after stage", "quantize"),
        ("zeros", "90.00 %"),
        ("distinct values", "16"),
        ("top-1, float32", "99.00 %"),
        ("top-1, int8", "98.50 %"),
        ("float32 bytes", "2,900,000"),
        ("int8 bytes", "740,000"),
        ("bytes as .sqz", "58,000"),
        ("times smaller", "50.0"),  # than the float32 file before compression
    ]
    assert [row["after stage"] for row in stages] == ["train", "prune", "quantize"]
    assert [row["times smaller"] for row in stages] == ["4.8", "24.2", "50.0"]
    assert list(layers[0].values()) == [
        *("fire2/expand3x3", "9,216", "10.00 %", "16", "4 + 3", "461", "462", "64"),
        *("800", "600", "589"),
    ]
    assert [row["layer"] for row in layers] == ["fire2/expand3x3", "total"]
    assert len(found.drawings) == 2 and found.outside == []
    names = [text for text, _, _ in pages.texts(found.drawings[1])]
    assert "fire2/expand3x3" in names and "<conv10>" in names


def test_a_run_that_was_only_trained_has_no_section(folder, stages, tmp_path):
    folder.write_record(compression.RECORD, {"stages": stages[:1], "layers": [], "histograms": {}})
    assert compression.render(folder) is None
    assert compression.render(RunFolder(tmp_path / "none")) is None


@pytest.mark.parametrize(("kind", "most"), [("stages", 16), ("layers", 400)])
def test_more_than_can_be_drawn_is_refused(folder, stages, kind, most, monkeypatch):
    monkeypatch.setattr(compression, "histograms", lambda layers: f"{len(layers)} drawings")
    record = {"stages": stages, "layers": [LAYER], "histograms": {}}
    for count in (most, most + 1):
        if kind == "stages":
            record["stages"] = [stages[0]] * count
        else:
            record["histograms"] = {f"layer{index}": HISTOGRAM for index in range(count)}
        folder.write_record(compression.RECORD, record)
        if count == most:
            assert f"{len(record['histograms'])} drawings" in compression.render(folder)
    with pytest.raises(ValueError, match="more than 16 stages or 400 layers"):
        compression.render(folder)


def test_the_waterfall_goes_from_float_to_the_last_archive(stages):
    steps = compression.waterfall_steps(stages)
    assert [name for name, _, _ in steps] == [
        "float32 .tflite",
        "int8 .tflite",
        "as .sqz",
        "prune, as .sqz",
        "quantize, as .sqz",
    ]
    assert [size for _, size, _ in steps] == [2_900_000, 740_000, 610_000, 120_000, 58_000]
    assert steps[0][2] == 0.99
    assert steps[-1][2] == 0.985


def test_the_waterfall_writes_size_ratio_and_accuracy_beside_each_step(stages):
    drawn = pages.texts(compression.waterfall(stages))
    heights = {text: y for text, _, y in drawn}
    for (name, _, _), words in zip(
        compression.waterfall_steps(stages),
        (
            "2,900.0 KB · 1.0x · 99.00 %",
            "740.0 KB · 3.9x · 98.50 %",
            "610.0 KB · 4.8x · 98.50 %",
            "120.0 KB · 24.2x · 98.50 %",
            "58.0 KB · 50.0x · 98.50 %",
        ),
        strict=True,
    ):
        (height,) = [y for text, y in heights.items() if text.strip() == words]
        assert height == pytest.approx(heights[name], abs=3)


def test_drawings_are_as_approved(stages):
    approved.check_drawing("waterfall", compression.waterfall(stages))
    layers = {**{f"layer{index}": HISTOGRAM for index in range(5)}, "empty": EMPTY}
    approved.check_drawing("histograms", compression.histograms(layers))


def test_drawings_are_whole_svg_and_the_same_every_time(stages):
    layers = {f"layer{index}": HISTOGRAM for index in range(6)}
    for draw, content in ((compression.waterfall, stages), (compression.histograms, layers)):
        drawing = draw(content)
        ElementTree.fromstring(re.sub(r"\sxlink:href", " href", drawing))
        assert draw(content) == drawing
