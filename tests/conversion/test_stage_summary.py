import dataclasses

import numpy as np
import pytest

from sqzkit.base.errors import InvariantError
from sqzkit.coding import sqz
from sqzkit.conversion import converter, stage_summary
from sqzkit.data.dataset import ImageDataset, Split
from sqzkit.data.pipeline import raw_images
from sqzkit.runs.loading import load_run
from sqzkit.tflite.classifier import Classifier
from sqzkit.tflite.flatbuffer import TFLiteFile


def test_every_stage_is_measured(finished_chain):
    folder, _ = finished_chain
    record = folder.read_record(stage_summary.RECORD)
    stages = record["stages"]
    assert [row["stage"] for row in stages] == ["train", "prune", "cluster", "quantize"]
    assert [row["sparsity"] > 0.4 for row in stages] == [False, True, True, True]
    assert [row["distinct"] <= 8 for row in stages] == [False, False, True, True]
    for row, entry in zip(stages, folder.finished_stages(), strict=True):
        assert row["archive_bytes"] < row["int8_bytes"] < row["float32_bytes"]
        assert row["float_top1"] == entry["metrics"]["top1"]
        model = load_run(folder.path, row["stage"]).model
        kernels = [layer.kernel.numpy() for layer in model.layers if hasattr(layer, "kernel")]
        zeros = sum(np.count_nonzero(kernel == 0) for kernel in kernels)
        assert row["sparsity"] == pytest.approx(zeros / sum(kernel.size for kernel in kernels))
        assert row["distinct"] == max(np.unique(kernel).size for kernel in kernels)
    total = record["layers"][-1]  # of the last stage
    assert total["density"] == pytest.approx(1 - stages[-1]["sparsity"])
    assert stages[-1]["archive_bytes"] < stages[1]["archive_bytes"] < stages[0]["archive_bytes"]


def test_the_tables_are_written_for_people_and_programs(finished_chain):
    folder, _ = finished_chain
    names = [row["name"] for row in folder.read_record(stage_summary.RECORD)["layers"]]
    assert names[0] == "conv1"
    assert names[-1] == "total"
    for suffix in (".csv", ".md"):
        text = (folder.path / f"{stage_summary.RECORD}{suffix}").read_text()
        assert all(name in text for name in names)
    assert "| quantize |" in (folder.path / f"{stage_summary.RECORD}.md").read_text()


def test_what_was_measured_is_not_measured_again(finished_chain, corners, monkeypatch):
    folder, _ = finished_chain
    before = folder.read_record(stage_summary.RECORD)

    def fail(*_):
        raise AssertionError("measured again")

    monkeypatch.setattr(stage_summary, "_measure", fail)
    monkeypatch.setattr(stage_summary, "_layers", lambda *_: ([], {}))
    rows = stage_summary.summarize(folder, corners)
    assert [row.stage for row in rows] == [row["stage"] for row in before["stages"]]
    folder.write_record(stage_summary.RECORD, before)


def test_a_row_in_words_and_in_markdown():
    row = stage_summary.StageRow("prune", 0.9, 300, 0.99, 0.985, 2_900_000, 740_000, 58_000)
    assert stage_summary.in_words(row) == (
        "prune: 90.0 % zeros, int8 top-1 98.50 %, .tflite float32 2,900,000 bytes, "
        "int8 740,000, .sqz 58,000"
    )
    first = dataclasses.replace(row, stage="train", float32_bytes=5_800_000)
    line = stage_summary.stages_to_markdown([first, row]).splitlines()[-1]
    assert line == (  # times smaller than the first stage was in float
        "| prune | 90.0 % | 300 | 99.00 % | 98.50 % | 2,900,000 | 740,000 | 58,000 | 100.0 |"
    )


def test_rows_that_lack_a_figure_are_measured_again():
    """Those of a former version, which did not know it, and damaged ones."""
    row = dataclasses.asdict(stage_summary.StageRow("prune", 0.9, 300, 0.99, 0.985, 29, 7, 5))
    former = {name: value for name, value in row.items() if name != "archive_bytes"}
    assert stage_summary._measured({"stages": [former, row, "row", None]}) == [row]
    assert stage_summary._measured({"stages": "rows"}) == stage_summary._measured({}) == []


def test_the_histogram_is_of_the_weights_that_are_left():
    kernel = np.array([0.0, 0.0, 0.5, -0.5, 0.5])
    found = stage_summary.histogram(kernel)
    assert sum(found["counts"]) == 3
    assert found["centroids"] == [-0.5, 0.0, 0.5]
    assert len(found["edges"]) == len(found["counts"]) + 1
    assert stage_summary.histogram(np.zeros(4)) == {"edges": [], "counts": [], "centroids": []}
    many = stage_summary.histogram(np.arange(1.0, 400.0))
    assert many["centroids"] == []
    most = stage_summary.histogram(np.arange(1.0, 1.0 + stage_summary.MAX_DRAWN_CENTROIDS))
    assert len(most["centroids"]) == stage_summary.MAX_DRAWN_CENTROIDS


def relabelled(dataset, name, labels):
    """The data set with other labels of one split."""
    pairs = zip(dataset.splits[name].examples, labels, strict=True)
    examples = tuple(dataclasses.replace(e, label=int(label)) for e, label in pairs)
    splits = {**dataset.splits, name: Split(examples)}
    return ImageDataset(dataset.name, dataset.labels, splits)


def test_accuracy_is_measured_on_the_test_split_and_ranges_on_the_training_split(
    finished_chain, corners, monkeypatch
):
    """Of a data set of which the int8 file knows the test split alone by heart."""
    folder, _ = finished_chain
    entry, make, calibrated = folder.finished_stages()[0], converter.convert_model, []

    def watched(model, record, labels, options, images=None):
        calibrated.extend([] if images is None else [images])
        return make(model, record, labels, options, images)

    monkeypatch.setattr(converter, "convert_model", watched)
    model = load_run(folder.path, entry["stage"]).model
    content = stage_summary.convert(folder, corners, model)
    file = Classifier(content)
    known = {}
    for name in ("train", "validation", "test"):
        pixels, labels = raw_images(corners, name, folder.preprocessing)
        answers = file.predict(pixels).argmax(axis=1)
        known[name] = relabelled(corners, name, answers)
        assert (answers == labels).mean() < 0.9, "else the splits are not told apart"
    entry = {**entry, "metrics": {**entry["metrics"], "top1": 0.125}}
    measured = {name: stage_summary._measure(folder, known[name], entry) for name in known}
    found = {name: row.int8_top1 for name, row in measured.items()}
    assert found["test"] == 1.0
    assert found["train"] == found["validation"] < 0.9
    row = measured["test"]
    assert (row.float_top1, row.int8_bytes) == (0.125, len(content))
    assert row.archive_bytes == len(sqz.pack(content))
    steps = stage_summary.CALIBRATION_STEPS
    expected, _ = raw_images(corners, "train", folder.preprocessing, steps, 0)
    for images in calibrated:
        np.testing.assert_array_equal(images, expected)


def test_a_stage_whose_int8_file_lost_a_zero_is_not_measured(finished_chain, corners, monkeypatch):
    folder, _ = finished_chain
    make = converter.convert_model

    def careless(*arguments):
        file = TFLiteFile(make(*arguments))
        victim = file.convolutions()[0].kernel
        values = file.data(victim).copy()
        values.flat[int(np.argmax(values == 0))] = 55
        return file.replace({victim.index: values})

    monkeypatch.setattr(converter, "convert_model", careless)
    with pytest.raises(InvariantError, match="conv1: .*pruned weights came back"):
        stage_summary._measure(folder, corners, folder.finished_stages()[1])
