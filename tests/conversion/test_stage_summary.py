import numpy as np

from sqzkit.conversion import stage_summary


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
        assert 0 <= row["int8_top1"] <= 1
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
    line = stage_summary.stages_to_markdown([row]).splitlines()[-1]
    assert line == (
        "| prune | 90.0 % | 300 | 99.00 % | 98.50 % | 2,900,000 | 740,000 | 58,000 | 50.0 |"
    )


def test_the_histogram_is_of_the_weights_that_are_left():
    kernel = np.array([0.0, 0.0, 0.5, -0.5, 0.5])
    found = stage_summary.histogram(kernel)
    assert sum(found["counts"]) == 3
    assert found["centroids"] == [-0.5, 0.0, 0.5]
    assert len(found["edges"]) == len(found["counts"]) + 1
    assert stage_summary.histogram(np.zeros(4)) == {"edges": [], "counts": [], "centroids": []}
    many = stage_summary.histogram(np.arange(1.0, 400.0))
    assert many["centroids"] == []
