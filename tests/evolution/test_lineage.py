import dataclasses
import json
from pathlib import Path

import pytest
from PIL import Image

from sqzkit.base import files
from sqzkit.base.errors import RunError, UsageError
from sqzkit.evolution import lineage
from sqzkit.evolution.lineage import Generation, Lineage, format_table, plot

CHILD = {"folder": "x", "parameters": 7, "validation_top1": 0.9, "validation_loss": 0.3}
ANCESTOR = Generation("ancestor", "runs/a", 1000, 4000, 8.0, 0.99, 0.98)
FIRST = Generation("generation_01", "generation_01", 260, 1000, 3.2, 0.97, 0.95, (CHILD, CHILD))


def test_a_lineage_goes_on_where_it_was(tmp_path):
    folder = tmp_path / "evolution"
    Lineage(folder, {"seed": 1}).add(ANCESTOR)
    lineage = Lineage(folder, {"seed": 1})
    lineage.add(FIRST)
    assert Lineage(folder, {"seed": 1}).generations == [ANCESTOR, FIRST]


def test_another_evolution_is_refused(tmp_path):
    Lineage(tmp_path / "evolution", {"seed": 1}).add(ANCESTOR)
    with pytest.raises(UsageError, match="seed: 1 there, 2 asked"):
        Lineage(tmp_path / "evolution", {"seed": 2})


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="does not hold an evolution"):
        Lineage(tmp_path, {})


def test_what_a_killed_beginning_left_is_no_obstacle(tmp_path):
    with files.atomic_path(tmp_path / "lineage.json") as temporary:
        temporary.write_text("half")
        (tmp_path / temporary.name.replace(".json", "x.json")).write_text("half")
    (tmp_path / "lineage.json").unlink()
    assert [path.name[0] for path in tmp_path.iterdir()] == ["."]
    Lineage(tmp_path, {}).add(ANCESTOR)


def test_a_damaged_record_is_refused(tmp_path):
    Lineage(tmp_path / "e", {}).add(ANCESTOR)
    record = json.loads((tmp_path / "e" / "lineage.json").read_text())
    del record["generations"][0]["parameters"]
    (tmp_path / "e" / "lineage.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match="not a generation"):
        Lineage(tmp_path / "e", {})


@pytest.mark.parametrize(
    ("name", "least"), [("parameters", 1), ("tflite_bytes", 1), ("latency_ms", 0.01)]
)
def test_sizes_and_latency_are_above_zero(name, least):
    assert getattr(dataclasses.replace(ANCESTOR, **{name: least}), name) == least
    with pytest.raises(UsageError, match="ancestor: sizes and latency must be above 0"):
        dataclasses.replace(ANCESTOR, **{name: 0})


def test_neither_the_ancestor_nor_the_last_training_is_a_generation():
    lineage = Lineage(Path("nowhere"), {})
    final = dataclasses.replace(FIRST, name="final")
    bred = []
    for generation in (ANCESTOR, FIRST, dataclasses.replace(FIRST, name="generation_02"), final):
        lineage.generations.append(generation)
        bred.append(lineage.bred)
    assert bred == [0, 1, 2, 2]


def test_the_last_training_is_dropped_when_generations_follow(tmp_path):
    lineage = Lineage(tmp_path, {})
    lineage.generations = [ANCESTOR, FIRST, Generation("final", "final", 250, 1000, 2.0, 1, 1)]
    lineage.drop_final()
    assert lineage.generations == [ANCESTOR, FIRST]


def test_the_table_sets_all_beside_the_ancestor():
    lines = format_table([ANCESTOR, FIRST]).splitlines()
    assert len(lines) == 3
    assert lines[2].split() == [
        *("generation_01", "260", "3.8x", "1,000", "3.20", "2.5x", "97.00%", "95.00%")
    ]


def test_the_plot_shows_every_generation(tmp_path, monkeypatch):
    real, drawn = lineage.figures.figure, []

    def watched(*size, **rows):
        drawn.append(real(*size, **rows))
        return drawn[0]

    monkeypatch.setattr(lineage.figures, "figure", watched)
    plot([ANCESTOR, FIRST], tmp_path / "lineage.png")
    figure, (sizes, accuracies, latencies) = drawn[0]
    assert figure.get_suptitle() == (
        "generation 01: 3.8 times smaller, 2.5 times faster, -3.00 points on the test split"
    )
    shown = [{line.get_label(): [*line.get_ydata()] for line in axes.lines} for axes in figure.axes]
    assert [*shown[0].values()] == [[1.0, 0.26]] and [*shown[2].values()] == [[8.0, 3.2]]
    assert shown[1] == {
        "test": [98, 95],
        "validation": [99, 97],
        "validation, each offspring": [90, 90],
    }
    assert [*accuracies.lines[2].get_xdata()] == [1, 1]  # of the generation they were born in
    names = [(label.get_text(), label.get_rotation()) for label in latencies.get_xticklabels()]
    assert names == [("ancestor", 90), ("01", 90)]
    assert (sizes.get_yscale(), latencies.get_ylim()[0]) == ("log", 0)
    with Image.open(tmp_path / "lineage.png") as image:
        assert image.format == "PNG" and min(image.size) > 400


@pytest.mark.parametrize(
    "record",
    [
        [],
        {"generations": []},
        {"evolution": {}, "generations": 3},
        {"evolution": {}, "generations": [3]},
        {"evolution": {}, "generations": [{"name": "ancestor"}]},
        {"evolution": {}, "generations": [{**ANCESTOR.to_json(), "latency_ms": 0}]},
        {"evolution": {}, "generations": [{**ANCESTOR.to_json(), "top1": "high"}]},
    ],
)
def test_a_damaged_lineage_is_a_run_error(tmp_path, record):
    files.write_json(tmp_path / "lineage.json", record)
    with pytest.raises(RunError, match="not (a generation|the (lineage|record) of an evolution)"):
        Lineage(tmp_path, {})
