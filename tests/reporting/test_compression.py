import re
from xml.etree import ElementTree

import pytest

from sqzkit.reporting import compression
from sqzkit.runs.folder import RunFolder

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
    "index_bits": 4,
    "code_bytes": 461,
    "index_bytes": 461,
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
    page = compression.render(folder)
    for text in ("prune", "quantize", "98.50 %", "58,000", "50.0", "fire2/expand3x3", "589"):
        assert text in page, text
    assert "&lt;conv10&gt;" in page
    assert "<conv10>" not in page
    assert page.count("<svg") == 2
    assert not re.search(r'(src|href)="https?:', page)


def test_a_run_that_was_only_trained_has_no_section(folder, stages, tmp_path):
    folder.write_record(compression.RECORD, {"stages": stages[:1], "layers": [], "histograms": {}})
    assert compression.render(folder) is None
    assert compression.render(RunFolder(tmp_path / "none")) is None


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
    drawing = compression.waterfall(stages)
    assert "50.0x" in drawing
    assert "98.50 %" in drawing


def test_drawings_are_whole_svg_and_the_same_every_time(stages):
    layers = {f"layer{index}": HISTOGRAM for index in range(6)}
    for draw, content in ((compression.waterfall, stages), (compression.histograms, layers)):
        drawing = draw(content)
        ElementTree.fromstring(re.sub(r"\sxlink:href", " href", drawing))
        assert draw(content) == drawing
