# ruff: noqa: RUF001 - pages have dashes and signs of their own
import base64
import io
import json
import logging
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from sqzkit import preprocessing
from sqzkit.base import files
from sqzkit.base.errors import RunError, UsageError
from sqzkit.models import spec
from sqzkit.programs import report
from sqzkit.reporting import figures, page
from sqzkit.runs.folder import RunFolder
from tests import approved
from tests.reporting import pages

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
    folder.write_record("data", DATA)
    (folder.path / "mistakes").mkdir()
    for name, shade in (("000", 40), ("001", 200)):
        Image.new("RGB", (32, 32), (shade,) * 3).save(folder.path / "mistakes" / f"{name}.png")
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
    folder.add_command("sqzkit train --model_dir=run '--data_dir=my photos'")
    return folder


DATA = {
    "data_dir": "my photos",
    "account": {
        "files": 70,
        "left_out": {
            "unreadable": {"count": 7, "names": [f"cat/{number}.jpg" for number in range(7)]},
            "copy": {"count": 1, "names": ["owl/a.png = owl/b.png"]},
        },
    },
}


def evaluation(picture="mistakes/000.png"):
    return {
        "split": "test", "examples": 27, "top1": 0.8519, "top5": 1.0, "loss": 0.2,
        "confusion": [[10, 0, 0], [1, 9, 0], [0, 3, 4]],
        "mistakes": [
            {"picture": picture, "label": 2, "predicted": 1, "probability": 0.874},
            {"picture": "mistakes/001.png", "label": 1, "predicted": 0, "probability": 0.61},
        ],
    }  # fmt: skip


def seen(folder):
    return pages.read(page.write_report(folder).read_text(encoding="utf-8"))


def test_tiles_show_accuracies_and_sizes(folder):
    assert list(seen(folder).tiles.items()) == [
        (
            "of 27 test images answered correctly (top-1); 95 % interval 67.53 % to 94.09 %",
            "85.19 %",
        ),
        ("mean over the classes (balanced accuracy)", "82.38 %"),  # of 10/10, 9/10 and 4/7
        ("parameters", "224"),
        ("int8.tflite", "4.0 KB"),
        ("the same file as a .sqz archive", "1.2 KB"),
    ]


def test_many_classes_have_a_top_5_too(folder):
    folder.write_labels(tuple("abcdef"))
    record = {**evaluation(), "confusion": np.eye(6, dtype=int).tolist(), "top5": 0.98765}
    folder.write_record("evaluation", record)
    assert seen(folder).tiles["correct class among the first five answers (top-5)"] == "98.77 %"


def test_files_that_were_not_used_are_counted_by_reason(folder):
    table = seen(folder).tables[0]
    assert table == [
        {"reason": "copy", "files": "1", "names": "owl/a.png = owl/b.png"},
        {
            "reason": "unreadable",
            "files": "7",
            "names": "cat/0.jpg, cat/1.jpg, cat/2.jpg, cat/3.jpg, cat/4.jpg, ...",
        },
    ]
    folder.write_record("data", {"data_dir": "my photos"})
    assert "Images that were not used" not in seen(folder).headings


def test_images_that_look_like_another_are_named(folder):
    pair = {"count": 1, "names": ["owl/a.jpg ~ owl/b.jpg"]}
    folder.write_record("data", {"account": {"files": 9, "alike": {"kept in one split": pair}}})
    page = seen(folder)
    assert "Images that look like another" in page.headings
    assert page.tables[0] == [
        {"reason": "kept in one split", "files": "1", "names": "owl/a.jpg ~ owl/b.jpg"}
    ]


HEAD = {
    "curve": [[55, 0.8], [110, 0.84], [221, 0.92]],
    "suspects": [{"photograph": "cat/<7>.jpg", "label": 0, "looks_like": 2, "probability": 0.97}],
}


def test_what_to_do_next_names_suspects_and_what_more_images_would_bring(folder):
    folder.write_record("head", HEAD)
    html = page.write_report(folder).read_text(encoding="utf-8")
    assert "80.00 % with 55, 84.00 % with 110, 92.00 % with 221 images" in html
    # The error halved from 16 to 8 points, so it would halve again.
    assert "Twice as many images would bring this to about 96.00 %" in html
    assert "The last figure lies between 87.66 % and 94.90 % with 95 % confidence" in html
    row = html[html.index("cat/&lt;7&gt;.jpg") :]
    assert row.index("<td>cat</td>") < row.index("<td>owl</td>") < row.index("97.00 %")


@pytest.mark.parametrize(
    ("count", "advice"), [(1_000, "would change little"), (100, "too few images to tell")]
)
def test_where_more_images_did_not_help_none_are_asked_for(count, advice, folder):
    folder.write_record("head", {"curve": [[50, 0.9], [count, 0.9]], "suspects": []})
    html = page.write_report(folder).read_text(encoding="utf-8")
    assert advice in html
    assert "Twice as many" not in html and "looks like" not in html


@pytest.mark.parametrize(
    ("kept", "mean", "said"),
    [
        (0.0, False, "0 %</b>, with the classifier fitted to all"),
        (0.25, True, "25 %</b>, of the mean of the folds"),
        (1.0, False, "100 %</b>, of one more training"),
    ],
)
def test_the_share_that_folds_chose_is_shown_with_the_others(kept, mean, said, folder):
    shares = [
        {"share": 0.0, "accuracy": 0.9, "loss": 0.3, "gain": 0.0, "error": 0.0},
        {"share": 0.25, "accuracy": 0.95, "loss": 0.2519, "gain": 0.0481, "error": 0.0123},
        {"share": 0.5, "accuracy": 0.8, "loss": 0.4},  # as versions before wrote it
    ]
    record = {"folds": 3, "examples": 1245, "shares": shares, "kept": kept, "mean": mean}
    folder.write_record("fine_tuning", record)
    html = page.write_report(folder).read_text(encoding="utf-8")
    assert said in html and "all 1,245 for training and validation chose, in 3 folds" in html
    rows = html[html.index("How much of the fine-tuning") :]
    assert "<td>0 %</td><td>90.00 %</td><td>0.300</td><td>–</td>" in rows
    assert "<td>25 %</td><td>95.00 %</td><td>0.252</td><td>0.048 ± 0.012</td>" in rows
    assert "<td>50 %</td><td>80.00 %</td><td>0.400</td><td>–</td>" in rows


@pytest.mark.parametrize(
    ("share", "examples", "low", "high"),
    [(0.5, 100, 0.4038, 0.5962), (1.0, 10, 0.7225, 1.0), (0.0, 10, 0.0, 0.2775)],
)
def test_an_interval_is_wilsons(share, examples, low, high):
    assert page.interval(share, examples) == pytest.approx((low, high), abs=1e-4)


def test_classes_show_their_accuracy_and_their_most_frequent_mistake(folder):
    table = seen(folder).tables[1]
    assert [list(row.values()) for row in table] == [
        ["cat", "10", "10", "100.00 %", "–"],
        ["dog <script>", "10", "9", "90.00 %", "cat"],
        ["owl", "7", "4", "57.14 %", "dog <script>"],
    ]
    assert list(table[0])[1] == "test images"


def test_of_many_classes_the_worst_are_shown():
    labels = [f"class {index}" for index in range(40)]
    confusion = np.diag(np.arange(40))  # class 0 has no images
    confusion[:, 0] += np.arange(40) % 7
    rows = page.class_rows(confusion.tolist(), labels)
    assert rows[0].accuracy is None and rows[0].mistaken_for == ""
    worst = page.worst_classes(rows)
    assert len(worst) == page.MAX_CLASSES == 30
    assert worst[0] == page.ClassRow("class 1", 2, 1, "class 0")
    shares = [row.accuracy for row in worst]
    assert shares == sorted(shares) and max(shares) < 1
    assert page.balanced_accuracy(rows) == pytest.approx(
        np.mean([index / (index + index % 7) for index in range(1, 40)])
    )
    assert page.balanced_accuracy(rows[:1]) is None


def test_converted_files_stand_with_their_own_figures(folder):
    table = seen(folder).tables[2]
    assert [list(row.values()) for row in table] == [
        ["float32.tflite", "float32", "12,000", "–", "3,000", "91.00 %", "90.50 %", "99.00 %"],
        ["int8.tflite", "int8", "4,000", "1,234", "3,000", "91.00 %", "90.50 %", "99.00 %"],
    ]
    assert list(table[0])[2:5] == ["bytes", "bytes as .sqz", "bytes as .xz"]
    assert list(table[0])[5:7] == ["top-1 of the network", "top-1 of the file"]


def test_a_file_that_was_not_verified_shows_no_accuracy(folder):
    path = folder.conversions_path / "int8.tflite.json"
    path.write_text(json.dumps({"quantization": "int8", "sizes": {"tflite": 4000}}))
    row = list(seen(folder).tables[2][1].values())
    assert row == ["int8.tflite", "int8", "4,000", *["–"] * 5]


def test_the_layers_add_up_to_their_total(folder):
    rows = [{"name": "conv1", "kind": "Conv2D", "output_shape": [15, 15, 8], "parameters": 2240}]
    folder.write_record("layers", [*rows, {**rows[0], "name": "conv2", "parameters": 60}])
    table = seen(folder).tables[3]
    assert list(table[0].values()) == ["conv1", "Conv2D", "15 × 15 × 8", "2,240"]
    assert list(table[-1].values()) == ["total", "", "", "2,300"]


def test_mistakes_show_their_picture_the_answer_and_the_truth(folder):
    figures = seen(folder).figures
    assert [figure[1:] for figure in figures] == [
        ("owl mistaken for dog <script>", "dog <script> 87 %", "is owl"),
        ("dog <script> mistaken for cat", "cat 61 %", "is dog <script>"),
    ]
    for (address, *_), shade in zip(figures, (40, 200), strict=True):
        content = base64.b64decode(address.removeprefix("data:image/png;base64,"))
        assert Image.open(io.BytesIO(content)).getpixel((5, 5)) == (shade,) * 3


def test_the_confusion_matrix_has_the_truth_in_its_rows(folder):
    (drawing,) = [text for text in seen(folder).drawings if "true class" in text]
    plain = ["cat", "dog", "owl"]
    folder.write_labels(tuple(plain))
    (drawing,) = [text for text in seen(folder).drawings if "true class" in text]
    assert pages.matrix(drawing, plain) == {
        ("cat", "cat"): 10,
        ("dog", "cat"): 1,
        ("dog", "dog"): 9,
        ("owl", "dog"): 3,
        ("owl", "owl"): 4,
    }
    axes = {text: (x, y) for text, x, y in pages.texts(drawing)}
    assert axes["true class"][0] < axes["answer"][0]  # beside the rows
    assert axes["answer"][1] > axes["true class"][1]  # below the columns


@pytest.mark.parametrize(("longest", "degrees"), [("ab", 0), ("abc", 90)])
def test_only_names_that_would_overlap_are_turned(longest, degrees):
    drawing = figures.confusion([[1, 0], [0, 1]], [longest, "d"])
    angle = r"<text[^>]*rotate\((-?\d+)[^>]*>{}</text>"
    below, beside = re.findall(angle.format(longest), drawing)
    assert (abs(int(below)), int(beside)) == (degrees, 0)


def test_drawn_sizes_are_those_of_files_and_archives(folder):
    rows = page.size_rows(page.conversions(folder))
    sizes = [("float32.tflite", 12000), ("int8.tflite", 4000), ("int8.tflite as .sqz", 1234)]
    assert rows == sizes
    drawn = pages.texts(figures.sizes(rows))
    heights = {text: y for text, _, y in drawn}
    for name, size in sizes:
        label = f"{size / 1000:,.1f} KB"
        assert heights[label] == pytest.approx(heights[name], abs=3)


def test_curves_are_drawn_for_both_splits_with_marks_between_stages(folder):
    curves = [text for text in seen(folder).drawings if ">epoch<" in text]
    assert len(curves) == 2
    for drawing, name in zip(curves, ("Loss", "Accuracy"), strict=True):
        words = [text.strip() for text, _, _ in pages.texts(drawing)]
        assert {name, "training", "validation", "prune"} <= set(words)


def test_drawings_are_as_approved():
    lines = [
        {"stage": stage, "loss": 2 / (epoch + 1), "validation_loss": 1.5 / (epoch + 2)}
        for epoch, stage in enumerate(["train"] * 3 + ["prune"] * 2)
    ]
    approved.check_drawing("curve", figures.curve(lines, "loss"))
    named = [[9, 1, 0], [2, 3, 5], [0, 0, 0]]
    approved.check_drawing("confusion", figures.confusion(named, ("a$b", "x", "label")))
    many = (np.eye(31, dtype=int) * 3).tolist()
    # A picture of 31 classes is a bitmap in the page; its frame and texts are what is approved.
    drawn = figures.confusion(many, [str(index) for index in range(31)])
    approved.check_drawing("confusion_of_many", drawn)
    approved.check_drawing("sizes", figures.sizes([("float32", 12_345), ("a$b as .sqz", 678)]))


def test_a_curve_goes_through_the_metrics():
    values = (4.0, 1.0, 2.5)
    records = [{"stage": "train", "loss": value, "validation_loss": 2.5} for value in values]
    drawing = figures.curve(records, "loss")
    curves = [line for line in pages.lines(drawing) if len(line) == 3]
    training, validation = curves
    (x0, y0), (x1, y1), (x2, y2) = training
    assert x1 - x0 == pytest.approx(x2 - x1) and x1 > x0
    assert (y1 - y0) / (y2 - y0) == pytest.approx(2)
    assert y1 > y0  # a lower loss is drawn lower
    assert [y for _, y in validation] == pytest.approx([y2] * 3)
    ticks = {text: x for text, x, _ in pages.texts(drawing)}
    assert [ticks[epoch] for epoch in "123"] == pytest.approx([x0, x1, x2], abs=0.1)
    alone = figures.curve([{"stage": "train", "loss": value} for value in values], "loss")
    assert len([line for line in pages.lines(alone) if len(line) == 3]) == 1
    assert ">validation<" in drawing and ">validation<" not in alone


def test_a_stage_is_marked_between_its_first_epoch_and_the_one_before():
    stages = ("train", "train", "prune", "prune")
    drawing = figures.curve([{"stage": stage, "loss": 1.0} for stage in stages], "loss")
    (curve,) = [line for line in pages.lines(drawing) if len(line) == 4]
    between = (curve[1][0] + curve[2][0]) / 2
    upright = [line[0][0] for line in pages.lines(drawing) if line[0][0] == line[-1][0]]
    assert any(x == pytest.approx(between, abs=0.1) for x in upright)
    ((right, top),) = [(x, y) for text, x, y in pages.texts(drawing) if text.strip() == "prune"]
    assert between < right < between + 10
    drawing = figures.curve([{"stage": stage, "accuracy": 1.0} for stage in stages], "accuracy")
    ((x, bottom),) = [(x, y) for text, x, y in pages.texts(drawing) if text.strip() == "prune"]
    assert x == right and bottom > top + 50  # away from where such curves end


def test_matplotlib_does_not_report_its_caches():
    loggers = [logging.getLogger(name) for name in ("matplotlib", "matplotlib.font_manager")]
    for logger in loggers:  # the messages themselves come only where a cache takes long, or fails
        logger.setLevel(logging.NOTSET)
    figures.figure()
    assert not any(logger.isEnabledFor(logging.WARNING) for logger in loggers)


def test_the_head_and_the_commands_are_the_runs(folder):
    found = seen(folder)
    assert found.headings[0] == "run"
    assert found.paragraphs[0] == "squeezenet · 3 classes · 32 × 32 pixels · train → prune"
    assert found.commands == ["sqzkit train --model_dir=run '--data_dir=my photos'"]


def test_a_run_without_mistakes_says_so(folder):
    folder.write_record("evaluation", {**evaluation(), "mistakes": []})
    html = page.render(folder)
    assert pages.read(html).figures == []
    assert "Every test image was answered correctly." in html


def test_the_page_needs_nothing_else_and_runs_nothing(folder):
    assert seen(folder).outside == []
    assert "<script" not in page.render(folder)


def test_an_early_run_has_a_page_too(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_spec(spec.tiny(3).to_json())
    folder.write_preprocessing(preprocessing.default(32))
    folder.write_labels(LABELS)
    found = pages.read(page.render(folder))
    assert found.paragraphs == ["squeezenet · 3 classes · 32 × 32 pixels"]
    assert found.headings == [tmp_path.name]
    assert found.drawings == found.tables == [] and found.tiles == {}


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
    (tmp_path / "no_folder").touch()
    home = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), tmp_path / "no_folder")
    # As on a machine where Matplotlib has no font cache yet, and in a home that is read-only: it
    # reports both.
    for places in ({"MPLCONFIGDIR": tmp_path / "matplotlib"}, home):
        fresh = {**os.environ, **{name: str(path) for name, path in places.items()}}
        result = subprocess.run(call, capture_output=True, text=True, check=True, env=fresh)
        assert result.stdout.strip() == str(folder.report_path)
        assert result.stderr == ""
    assert list((tmp_path / "matplotlib").glob("fontlist*"))
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
        ("head", {"curve": [], "suspects": []}, "a record does not hold"),
        ("head", {"curve": [[5, 0.5], [9, 0.6]], "suspects": [{}]}, "a record does not hold"),
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


def test_odd_class_names_neither_warn_nor_take_the_place_of_the_plot(recwarn):
    names = ["\u732b", "x" * 255, "$^$", "\ufffe"]
    svg = figures.confusion(np.eye(4, dtype=int).tolist(), names)
    assert [str(warning.message) for warning in recwarn] == []
    assert ">\u732b<" in svg
    assert ">$^$<" in svg
    assert f">{'x' * 24}...<" in svg


def test_a_new_version_is_compared_with_the_older_run(folder):
    assert "<h2>Update</h2>" not in page.render(folder)
    record = {"run": "old <run>", "top1": 0.625, "added": ["owl"], "dropped": []}
    folder.write_record("base", record)
    for stage, moved in (("train", 1_234), ("prune", 2_345), ("cluster", None)):
        folder.weights_path(stage).write_text(stage)
        counted = {} if moved is None else {"moved_weights": moved}
        folder.finish_stage(stage, {"top1": 0.9, **counted}, {})
    path = folder.conversions_path / "int8.tflite.json"
    files.write_json(
        path, {**(found := files.read_json(path)), "sizes": {**found["sizes"], "update": 567}}
    )
    told = page.render(folder)
    assert "a new version of old &lt;run&gt;, which is right on 62.50 % of" in told
    assert "New classes: owl." in told
    assert "No longer there" not in told
    assert "2,345 weights have other values" in told  # those of the last stage that counted
    assert "<td>567</td>" in told


def test_a_new_version_is_compared_with_a_retrained_network(folder, tmp_path):
    other = RunFolder(shutil.copytree(folder.path, tmp_path / "anew <b>"))
    with pytest.raises(UsageError, match="has no older version"):
        page.write_report(folder, other)
    folder.write_record("base", {"run": "old", "top1": 0.625, "added": [], "dropped": []})
    other.write_record("evaluation", {**evaluation(), "top1": 0.8889})
    report.main({"model_dir": str(folder.path), "retrained": str(other.path)}, [])
    told = folder.report_path.read_text(encoding="utf-8")
    assert "anew &lt;b&gt;, trained without an older version, is right on 88.89 %" in told
    assert "this run on 85.19 %" in told
    assert "trained without an older" not in page.render(folder)
    other.write_record("evaluation", {**evaluation(), "examples": 26})
    with pytest.raises(UsageError, match="measured on 26 photographs, this run 3 on 27"):
        page.write_report(folder, other)
    (other.path / "evaluation.json").unlink()
    with pytest.raises(UsageError, match="both runs must have been evaluated"):
        page.write_report(folder, other)
