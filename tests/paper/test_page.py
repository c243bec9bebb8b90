import csv
import dataclasses
import io
import os

import pytest

from sqzkit.base import tables
from sqzkit.data.dataset import ImageDataset
from sqzkit.paper import page
from sqzkit.paper.config import QUICK, CompareConfig
from sqzkit.paper.folder import Artefact, Comparison, Row
from sqzkit.reporting import figures
from tests import approved
from tests.reporting import pages


def row(name, size, paper_size, top1=0.9, latency=1.5, notes=()):
    """A row whose two files have sizes of their own."""
    yours = Artefact(f"files/{name}.yours.tflite", size, "", 64, 2, latency)
    paper = Artefact(f"files/{name}.paper.layers", paper_size, "", 227, 1000)
    return Row(name, f"runs/{name}", "train", top1, 0.975, 360, yours, paper, notes)


ROWS = (
    row("alexnet", 4000, 60_000, latency=None),
    row("svd", 1000, 12_000, notes=("ranks 3 and 4",)),
    row("evolved", 20, 500, top1=0.85),
)


def test_every_size_is_set_in_ratio_to_alexnets_of_the_same_kind():
    lines = list(csv.DictReader(io.StringIO(tables.to_csv(page.records(ROWS)))))
    assert list(lines[1].items()) == [
        ("row", "svd"),
        ("file", "files/svd.yours.tflite"),
        ("bytes", "1000"),
        ("ratio", "4"),
        ("top1", "0.9000"),
        ("top5", "0.9750"),
        ("test_images", "360"),
        ("image_size", "64"),
        ("latency_ms", "1.5"),
        ("paper_size_file", "files/svd.paper.layers"),
        ("paper_size_bytes", "12000"),
        ("paper_size_ratio", "5"),
        ("paper_size_latency_ms", ""),
        ("paper_megabytes", "48"),
        ("paper_ratio", "5"),
        ("paper_top1", "56.0"),
        ("paper_top5", "79.4"),
    ]
    assert [line["ratio"] for line in lines] == ["1", "4", "200"]
    assert [line["paper_size_ratio"] for line in lines] == ["1", "5", "120"]
    assert list(lines[2].values())[-4:] == [""] * 4  # the paper has no such row
    assert lines[0]["latency_ms"] == ""


def test_markdown_has_a_cell_for_every_column():
    lines = tables.to_markdown(page.paper_table(ROWS)).splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines]
    assert cells[0] == [
        *("network", "bytes", "times smaller", "latency, ms", "paper: MB"),
        *("paper: times smaller", "paper: top-1", "paper: top-5", "file"),
    ]
    assert lines[1] == "| --- |" + " ---: |" * 8
    assert cells[3] == [
        *("AlexNet, SVD of its dense layers", "12,000", "5x", "-"),
        *("48", "5x", "56.0 %", "79.4 %", "files/svd.paper.layers"),
    ]
    assert cells[4][1:8] == ["500", "120x", "-", "-", "-", "-", "-"]


@pytest.fixture
def written(tmp_path):
    """The page as data, and the folder it is in."""
    config = dataclasses.replace(CompareConfig("out"), effort=QUICK)
    folder = Comparison(tmp_path, {})
    dataset = ImageDataset("<hands>", ("a", "b"), {})
    path = page.write_table(ROWS, config, folder, dataset)
    return pages.read(path.read_text(encoding="utf-8")), tmp_path


def test_the_page_holds_both_tables(written):
    found, folder = written
    yours, paper = found.tables
    assert [list(line.values())[:-1] for line in yours] == [
        ["AlexNet", "4,000", "1x", "90.00%", "97.50%", "64", "-"],
        ["AlexNet, SVD of its dense layers", "1,000", "4x", "90.00%", "97.50%", "64", "1.50"],
        ["SqueezeNet, evolved", "20", "200x", "85.00%", "97.50%", "64", "1.50"],
    ]
    assert list(yours[0])[1:] == [
        *("bytes", "times smaller", "top-1", "top-5", "pixels", "latency, ms", "file")
    ]
    assert paper == page.paper_table(ROWS)
    assert found.headings[0] == "<hands>: the SqueezeNet paper's table 2"
    assert found.paragraphs[0].startswith("2 classes, 360 test images; every network was trained b")
    assert "with 1,000 classes and inputs of 227 pixels" in found.paragraphs[3]
    (command,) = found.commands
    assert command.endswith(f"sqzkit compare --output_dir={os.path.abspath('out')} --quick")
    assert "Notes" in found.headings and found.outside == []
    text = (folder / "compare.md").read_text()
    assert text.startswith("# <hands>: the SqueezeNet paper's table 2\n\n`")
    assert text.count("\n| ") == 2 * 5
    assert (folder / "compare.csv").read_text() == tables.to_csv(page.records(ROWS))


def test_drawings_are_as_approved():
    approved.check_drawing("accuracy_over_size", page.accuracy_plot(ROWS))
    approved.check_drawing("ratios", page.ratio_plot(ROWS))


def test_accuracy_is_drawn_over_size(written):
    found, _ = written
    alexnet, svd = pages.marks(found.drawings[0], figures.ORANGE)
    (evolved,) = pages.marks(found.drawings[0], figures.BLUE)
    assert alexnet[0] > svd[0] > evolved[0]  # the smaller, the further left
    assert alexnet[1] == svd[1] < evolved[1]  # the more accurate, the higher
    labels = [text for text, _, _ in pages.texts(found.drawings[0])]
    assert {"AlexNet", "AlexNet, SVD of its dense layers", "SqueezeNet, evolved"} <= set(labels)


def test_ratios_are_drawn_beside_the_papers(written):
    found, _ = written
    placed = pages.texts(found.drawings[1])
    heights = {text: y for text, _, y in placed}
    ours = {
        "AlexNet": "1.0",
        "AlexNet, SVD of its dense layers": "5.0",
        "SqueezeNet, evolved": "120.0",
    }
    for name, words in ours.items():
        # The name stands at the middle of its two bars, ours above the paper's.
        assert 0 < heights[name] - heights[words] < 12
    printed = [y for text, _, y in placed if text in ("1", "5")]
    assert len(printed) == 2
    assert all(
        0 < y - heights[name] < 12 for y, name in zip(sorted(printed), list(ours)[:2], strict=True)
    )
