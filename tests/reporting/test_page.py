import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from sqzkit import preprocessing
from sqzkit.base import files
from sqzkit.base.errors import RunError
from sqzkit.models import spec
from sqzkit.reporting import figures, page
from sqzkit.runs.folder import RunFolder

LABELS = ("cat", "dog <script>", "owl")


@pytest.fixture
def folder(tmp_path):
    """A run folder with every record the page reads."""
    folder = RunFolder(tmp_path / "run")
    folder.write_spec(spec.tiny(3).to_json())
    folder.write_preprocessing(preprocessing.default(32))
    folder.write_labels(LABELS)
    for stage, epochs in (("train", 3), ("prune", 2)):
        for epoch in range(epochs):
            folder.append_metrics(
                {
                    "stage": stage,
                    "epoch": epoch + 1,
                    "loss": 1 / (epoch + 1),
                    "accuracy": 0.5 + 0.1 * epoch,
                    "validation_loss": 1.1 / (epoch + 1),
                    "validation_accuracy": 0.45 + 0.1 * epoch,
                }
            )
        folder.weights_path(stage).write_text(stage)
        folder.finish_stage(stage, {"top1": 0.9}, {})
    folder.write_record(
        "layers",
        [{"name": "conv1", "kind": "Conv2D", "output_shape": [15, 15, 8], "parameters": 224}],
    )
    (folder.path / "mistakes").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder.path / "mistakes" / "000.png")
    folder.write_record("evaluation", evaluation())
    folder.conversions_path.mkdir()
    for name, size, archive in (("float32", 12_000, None), ("int8", 4_000, 1_234)):
        record = {
            "quantization": name,
            "sizes": {"tflite": size, "sqz": archive, "xz": 3_000},
            "verification": {"float_top1": 0.91, "converted_top1": 0.905, "agreement": 0.99},
        }
        path = folder.conversions_path / f"{name}.tflite"
        path.touch()
        path.with_name(f"{path.name}.json").write_text(json.dumps(record))
    # Left by a conversion that was killed before its file was in place.
    (folder.conversions_path / "unfinished.tflite.json").write_text(json.dumps({"sizes": {}}))
    folder.add_command(["train.py", "--model_dir=run", "--data_dir=my photos"])
    return folder


def evaluation(picture="mistakes/000.png"):
    return {
        "split": "test", "examples": 30, "top1": 0.9333, "top5": 1.0, "loss": 0.2,
        "confusion": [[10, 0, 0], [1, 9, 0], [0, 1, 9]],
        "mistakes": [{"picture": picture, "label": 1, "predicted": 0, "probability": 0.87}],
    }  # fmt: skip


def test_the_page_shows_every_record(folder):
    html = page.write_report(folder).read_text(encoding="utf-8")
    for text in (
        "93.33 %",
        "train → prune",
        "conv1",
        "1,234",
        "99.00 %",
        "87 %",
        "--data_dir=my photos",
    ):
        assert text in html, text
    assert html.count("<svg") == 4
    assert "data:image/png;base64," in html


def test_the_page_needs_nothing_else_and_runs_nothing(folder):
    html = page.render(folder)
    assert "<script" not in html
    assert "dog &lt;script&gt;" in html
    outside = re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', html)
    assert outside == []


def test_an_early_run_has_a_page_too(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_spec(spec.tiny(3).to_json())
    folder.write_preprocessing(preprocessing.default(32))
    folder.write_labels(LABELS)
    html = page.render(folder)
    assert "squeezenet" in html
    assert "<svg" not in html


def test_the_same_run_gives_the_same_page(folder):
    assert page.render(folder) == page.render(folder)


def test_pictures_outside_the_run_are_refused(folder, tmp_path):
    (tmp_path / "secret.png").write_bytes(b"secret")
    folder.write_record("evaluation", evaluation("../secret.png"))
    with pytest.raises(RunError, match=r"'\.\./secret\.png' lies outside"):
        page.render(folder)


def test_damaged_records_are_named(folder):
    folder.write_record("evaluation", {"top1": 1.0})
    with pytest.raises(RunError, match="a record does not hold what it should: 'confusion'"):
        page.write_report(folder)
    assert not folder.report_path.exists()


def test_many_classes_are_drawn_without_labels():
    labels = [f"class {index}" for index in range(200)]
    svg = figures.confusion(np.eye(200, dtype=int).tolist(), labels)
    assert "class 7" not in svg
    assert svg.startswith("<svg")


def test_the_program_says_where_the_page_is(folder, tmp_path):
    call = [sys.executable, "-m", "sqzkit.report", f"--model_dir={folder.path}"]
    result = subprocess.run(call, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == str(folder.report_path)
    wrong = [sys.executable, "-m", "sqzkit.report", f"--model_dir={tmp_path}"]
    result = subprocess.run(wrong, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "not a run folder" in result.stderr


def test_a_label_is_no_formula(folder):
    folder.write_labels(("costs $1", "up to $2$", r"\\frac$"))
    assert "up to $2$" in page.render(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("evaluation", {"top1": "high"}, "a record does not hold"),
        ("layers", [{"parameters": None}], "a record does not hold"),
        ("compression", {"stages": [{}] * 99, "histograms": {}}, "more than 16 stages"),
        ("stages", [{"stage": "../x"}], "a stage without its metrics"),
    ],
)
def test_odd_values_are_run_errors(folder, name, content, message):
    folder.write_record(name, content)
    with pytest.raises(RunError, match=message):
        page.write_report(folder)


@pytest.mark.parametrize("record", [[], {}, {"sizes": {"tflite": "9"}}, {"sizes": []}])
def test_a_sidecar_of_another_shape_is_named(folder, record):
    files.write_json(folder.conversions_path / "int8.tflite.json", record)
    with pytest.raises(RunError, match=r"int8\.tflite\.json: not the record of a converted file"):
        page.render(folder)
