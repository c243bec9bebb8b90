import dataclasses
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sqzkit.base.errors import FormatError, RunError, UsageError
from sqzkit.coding import sqz
from sqzkit.preprocessing import Preprocessing
from sqzkit.programs import classify
from sqzkit.programs import teach as program
from sqzkit.runs import lock
from sqzkit.teaching import export, head_file, measure, teach
from sqzkit.teaching.classifier import TaughtClassifier
from sqzkit.teaching.config import MergeConfig, TeachConfig
from sqzkit.teaching.features import FeatureReader
from sqzkit.tflite.classifier import Classifier
from tests import approved
from tests.teaching.folders import save_photographs

COUNTS = {"blue": 6, "green": 5, "red": 7}


@pytest.fixture(scope="module")
def model(converted, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "small.tflite"
    path.write_bytes(converted["int8"])
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    top = tmp_path_factory.mktemp("photographs")
    save_photographs(top / "train", COUNTS)
    save_photographs(top / "test", dict.fromkeys(COUNTS, 4), seed=1)
    return top


@pytest.fixture(scope="module")
def taught(model, folder, tmp_path_factory):
    return teach.teach(model, folder, output_dir=tmp_path_factory.mktemp("out"))


def head_of(model, *folders, **changes):
    """Return the head of the photographs in class folders, made without the program."""
    reader = FeatureReader(model)
    head = teach.Head(reader.digest, reader.size)
    for folder in folders:
        for path in sorted(folder.glob("*/*.png")):
            head.add(path.parent.name, reader.read(path))
    return head


def test_head_is_of_the_train_split_and_measured_on_the_test_split(taught, model, folder):
    head = head_file.read(taught)
    assert dict(taught.photographs) == COUNTS
    expected = head_of(model, folder / "train")
    expected.teach()
    assert head_file.to_bytes(head) == head_file.to_bytes(expected)
    found, reader = head.teach(), FeatureReader(model)
    right = [
        found.labels[found.probabilities(reader.read(path)[None]).argmax()] == path.parent.name
        for path in (folder / "test").glob("*/*.png")
    ]
    assert taught.top1 == pytest.approx(np.mean(right))
    assert taught.record["measured_on"] == "test"
    assert taught.record["examples"] == 12
    assert taught.record["false_alarm_rate"] == pytest.approx(1 / 19)  # of 18 photographs
    assert "promises 5.26 % of photographs like those taught" in taught.report.read_text()


def test_record_and_page_say_the_same(taught):
    record = json.loads((taught.path.parent / "teaching.json").read_text(encoding="utf-8"))
    assert record == json.loads(json.dumps(taught.record))
    assert np.sum(record["confusion"]) == record["examples"]
    assert np.trace(record["confusion"]) == round(record["top1"] * record["examples"])
    assert [row["photographs"] for row in record["curve"]] == [1, 2, 5]
    assert 0 <= record["unknown_class_auroc"] <= 1
    page = taught.report.read_text(encoding="utf-8")
    assert f"<b>{100 * record['top1']:.2f} %</b>" in page
    for heading in ("Accuracy by number of photographs", "Confusion matrix"):
        assert heading in page
    wrong = record["examples"] - np.trace(record["confusion"])
    assert page.count("data:image/jpeg;base64,") == min(12, wrong)


def test_exported_model_and_archive_are_the_heads(taught, model, folder):
    content = taught.model.read_bytes()
    assert sqz.unpack(taught.archive.read_bytes()) == content
    assert content == export.export(model.read_bytes(), head_file.read(taught))
    exported = taught.record["exported"]
    assert exported["sha256"] == hashlib.sha256(content).hexdigest()
    assert exported["compared"] == 12
    assert exported["same_first_answer"] >= 0.8  # close probabilities differ by steps of int8
    assert Classifier(taught.model).labels == (*COUNTS,)


def test_without_a_test_split_each_photograph_is_left_out(model, folder, tmp_path):
    taught = teach.teach(model, folder / "train", output_dir=tmp_path / "out", sums_only=True)
    assert taught.record["examples"] == 18
    assert "left out" in taught.record["measured_on"]
    assert not head_file.read(taught).photographs
    assert [row["photographs"] for row in taught.record["curve"]] == [1, 2]
    assert taught.record["exported"]["compared"] == 18


def test_one_photograph_of_each_class(model, tmp_path):
    folder = save_photographs(tmp_path / "photographs", {"a": 1, "b": 1})
    taught = teach.teach(model, folder, output_dir=tmp_path / "out")
    assert taught.top1 is None
    assert "No photograph could be measured on" in taught.report.read_text(encoding="utf-8")


def test_a_head_is_taught_further(taught, model, tmp_path):
    folder = save_photographs(tmp_path / "more", {"blue": 2, "zebra": 3}, seed=5)
    further = teach.teach(model, folder, output_dir=tmp_path / "out", head=taught.path)
    assert dict(further.photographs) == {**COUNTS, "blue": 8, "zebra": 3}
    with pytest.raises(UsageError, match="exists"):
        teach.teach(model, folder, output_dir=tmp_path / "out")
    again = teach.teach(model, folder, output_dir=tmp_path / "out", overwrite=True)
    assert dict(again.photographs) == {"blue": 2, "zebra": 3}


def test_figures_are_of_the_test_split_and_of_all_that_the_head_knows(model, folder, tmp_path):
    """It knows a class that comes before those of the folder, which has a validation split too."""
    top = tmp_path / "photographs"
    shutil.copytree(folder, top)
    save_photographs(top / "validation", dict.fromkeys(COUNTS, 3), seed=7)
    other = save_photographs(tmp_path / "other", {"aardvark": 4, "blue": 2}, seed=9)
    first = teach.teach(model, other, output_dir=tmp_path / "first")
    record, another = (
        teach.teach(model, top, output_dir=tmp_path / f"{seed}", head=first.path, seed=seed).record
        for seed in (3, 4)
    )
    assert (record["measured_on"], record["examples"]) == ("test", 12)
    assert record["curve"] != another["curve"]
    head, reader = head_file.read(tmp_path / "3" / "taught.head"), FeatureReader(model)
    found = head.teach()
    paths = sorted((top / "test").glob("*/*.png"))
    rows = np.stack([reader.read(path) for path in paths])
    truth = [found.labels.index(path.parent.name) for path in paths]
    assert np.sum(record["confusion"], axis=1).tolist() == np.bincount(truth).tolist()
    chances = found.probabilities(rows)
    assert record["top1"] == pytest.approx((chances.argmax(1) == truth).mean())
    right = chances[np.arange(12), truth].mean()
    assert record["mean_probability_of_truth"] == pytest.approx(right)
    on = rows, np.array(truth)
    assert record["curve"] == measure.curve(head.rows(), on, seed=3)
    assert record["unknown_class_auroc"] == measure.unknown_class(head.rows(), on)
    assert record["mean_first_probability"] == pytest.approx(chances.max(1).mean())
    assert record["false_alarms"] == pytest.approx(found.is_none(rows).mean())


def test_a_head_of_another_model_is_refused(taught, converted, folder, tmp_path):
    other = tmp_path / "other.tflite"
    other.write_bytes(converted["uint8"])
    with pytest.raises(UsageError, match=r"taught\.head: taught on features"):
        teach.teach(other, folder, output_dir=tmp_path / "out", head=taught.path)


def test_unreadable_photographs_are_left_out(model, tmp_path, capsys):
    folder = save_photographs(tmp_path / "photographs", {"a": 4, "b": 4})
    content = bytearray((folder / "a" / "0.png").read_bytes())
    content[60:] = bytes(len(content) - 68) + content[-8:]  # looks whole, and is not
    (folder / "a" / "0.png").write_bytes(content)
    taught = teach.teach(model, folder, output_dir=tmp_path / "x", max_broken_share=0.5)
    assert dict(taught.photographs) == {"a": 3, "b": 4}
    with pytest.raises(RunError, match="1 of 8 photographs cannot be read"):
        teach.teach(model, folder, output_dir=tmp_path / "y", max_broken_share=0)
    assert not (tmp_path / "y").exists()


def test_classes_with_the_same_photographs(model, tmp_path):
    folder = save_photographs(tmp_path / "photographs", {"a": 2})
    (folder / "a").rename(folder / "b")
    save_photographs(folder, {"a": 2})
    with pytest.raises(UsageError, match="no photographs of class"):
        teach.teach(model, folder, output_dir=tmp_path / "out")


def test_merged_heads_are_the_pooled_head(model, tmp_path):
    paths, folders = [], []
    for number in (0, 1):
        folders.append(save_photographs(tmp_path / str(number), COUNTS, seed=number))
        head = head_of(model, folders[-1])
        if number:
            head = head.without_photographs()
        paths.append(tmp_path / f"{number}.head")
        head_file.write(paths[-1], head)
    output = tmp_path / "both.head"
    teach.merge([*map(str, paths)], MergeConfig(str(output)))
    merged, pooled = head_file.read(output), head_of(model, *folders)
    assert merged.counts == pooled.counts
    merged.choice = pooled.choice = teach.fitting.Choice()
    for name in ("coefficients", "biases"):
        found, expected = (getattr(h.teach().discriminant, name) for h in (merged, pooled))
        assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (["--model=m.tflite"], "--data_dir is missing"),
        (["--model=m.tflite", "--data_dir=x", "--output_file=a.head"], "only merge takes it"),
        (["forget"], "unexpected argument 'forget'"),
        (["merge", "a.head", "b.head"], "--output_file is missing"),
        (["merge", "a.head", "--output_file=b.head"], "name two heads or more"),
        (["merge", "a", "b", "--output_file=b.zip"], r"must end in \.head"),
        (["merge", "a", "b", "--model=m", "--output_file=b.head"], "'model' is not a setting"),
    ],
)
def test_wrong_calls(call, message):
    given, arguments = program.cli.flags.parse(["teach", *call], program.PROGRAM.flags())
    with pytest.raises(UsageError, match=message):
        program.main(given, arguments)


def test_nothing_is_written_among_the_photographs(model, folder):
    with pytest.raises(UsageError, match="--output_dir .*/out: lies in --data_dir"):
        teach.teach(model, folder, output_dir=folder / "out")
    assert not (folder / "out").exists()


def test_nothing_is_written_into_a_run_or_where_another_process_writes(model, folder, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "spec.json").write_text("{}")
    with pytest.raises(UsageError, match="--output_dir .*run: is a run folder"):
        teach.teach(model, folder, output_dir=tmp_path / "run", overwrite=True)
    with lock.hold(tmp_path / "held"), pytest.raises(UsageError, match="--output_dir .*: in use"):
        teach.teach(model, folder, output_dir=tmp_path / "held")


MODELS = Path(__file__).parents[2] / "android_demo/app/src/test/resources/models"


def test_a_model_without_a_record_is_taught_with_preprocessing(folder, tmp_path):
    found = teach.teach(
        MODELS / "bare_float.tflite", folder, output_dir=tmp_path / "out", preprocessing="raw"
    )
    assert found.record["exported"]["same_first_answer"] > 0.9


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "missing.sqz"}, r"--?model missing\.sqz: no such file"),
        ({"head": "missing.head"}, r"head missing\.head: no such file"),
        ({"output_dir": MODELS / "sigmoid.tflite"}, "--output_dir .*cannot be written"),
        ({"model": MODELS / "sigmoid.tflite"}, r"sigmoid\.tflite: it ends in a sigmoid"),
    ],
)
def test_what_cannot_end_is_refused_before_photographs_are_read(
    model, tmp_path, changes, message, monkeypatch
):
    monkeypatch.setattr(teach, "open_folder", None)
    given = {"model": model, "data": tmp_path / "in", "output_dir": tmp_path / "out"} | changes
    with pytest.raises((UsageError, FormatError), match=message):
        teach.teach(given.pop("model"), given.pop("data"), preprocessing="raw", **given)
    assert not (tmp_path / "out").exists()


def test_merging_refuses_what_does_not_belong_together(taught, converted, tmp_path):
    other, output = tmp_path / "other.head", tmp_path / "both.head"
    reader = FeatureReader(converted["uint8"])
    head_file.write(other, teach.Head(reader.digest, reader.size))
    with pytest.raises(UsageError, match=r"other\.head: taught on features"):
        teach.merge([str(taught.path), str(other)], MergeConfig(str(output)))
    with pytest.raises(UsageError, match=r"merge none\.head: no such file"):
        teach.merge([str(taught.path), "none.head"], MergeConfig(str(output)))
    other.write_bytes(b"SQZHEAD2 and nothing else")
    with pytest.raises(FormatError, match=r"other\.head: damaged"):
        teach.merge([str(taught.path), str(other)], MergeConfig(str(output)))
    output.write_bytes(b"")
    with pytest.raises(UsageError, match="exists"):
        teach.merge([str(taught.path), str(taught.path)], MergeConfig(str(output)))


def test_teaches_without_tensorflow(model, folder, tmp_path):
    """As `pip install sqzkit` alone has it: also without matplotlib and scikit-learn."""
    code = (
        "import sys\n"
        "for name in ('tensorflow', 'tf_keras', 'matplotlib', 'sklearn', 'scipy'):\n"
        "    sys.modules[name] = None\n"
        "import sqzkit\n"
        f"found = sqzkit.teach({str(model)!r}, {str(folder)!r}, output_dir={str(tmp_path)!r})\n"
        "print(found.photographs)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == f"{COUNTS}\n", done.stderr


def test_program_teaches_and_merges(model, folder, tmp_path, capsys):
    def call(*line):
        program.main(*program.cli.flags.parse(["teach", *line], program.PROGRAM.flags()))
        return capsys.readouterr().out

    out, rule = tmp_path / "out", Preprocessing(32, 40)  # the middle of a photograph
    rule.save(tmp_path / "rule.json")
    told = call(f"--model={model}", f"--data_dir={folder}", f"--output_dir={out}",
                f"--preprocessing={tmp_path}/rule.json", "--seed=3")  # fmt: skip
    assert "taught 18 photographs of 3 classes" in told
    reader = FeatureReader(model, preprocessing=rule)
    rows = [reader.read(path).tobytes() for path in (folder / "train" / "blue").glob("*.png")]
    assert set(rows) == head_file.read(out / "taught.head").photographs["blue"]
    assert f"report: {out}/report.html" in told
    head = str(out / "taught.head")
    told = call("merge", head, head, f"--output_file={tmp_path}/both.head", "--sums_only")
    assert "18 photographs of 3 classes" in told
    assert not head_file.read(tmp_path / "both.head").photographs


def test_classify_with_a_head_says_none_of_these(taught, model, folder, tmp_path, capsys):
    head = head_file.read(taught)
    head.teach()
    head.choice = dataclasses.replace(head.choice, threshold=-1e9)
    head_file.write(tmp_path / "strict.head", head)
    photo = folder / "test" / "red" / "0.png"
    for path, ending in ((taught.path, ""), (tmp_path / "strict.head", ": none of these")):
        line = [f"--model={model}", f"--head={path}", "--top_k=1", str(photo)]
        known = classify.PROGRAM.flags()
        classify.main(*program.cli.flags.parse(["sqzkit classify", *line], known))
        first, second = capsys.readouterr().out.splitlines()
        assert first == f"{photo}{ending}"
        reader, found = FeatureReader(model), head_file.read(taught).teach()
        probabilities = found.probabilities(reader.read(photo)[None])[0]
        assert second.split() == [
            f"{probabilities.max():.2%}",
            found.labels[probabilities.argmax()],
        ]
    with pytest.raises(UsageError, match="the head has names of its own"):
        classify.ClassifySettings(str(model), labels_file="x", head=str(taught.path))


def test_the_models_own_classes_answer_where_the_heads_do_not(taught, model, folder, tmp_path):
    strict = head_file.read(taught)
    strict.teach()
    strict.choice = dataclasses.replace(strict.choice, threshold=-1e9)
    head_file.write(tmp_path / "strict.head", strict)
    photo = folder / "test" / "red" / "0.png"
    both = TaughtClassifier(model, tmp_path / "strict.head", own_classes=True)
    image = both.prepare(photo)
    assert both.answer(image, 3) == Classifier(model).answer(image, 3)
    loose = TaughtClassifier(model, taught.path, own_classes=True)
    assert loose.answer(image, 3) == TaughtClassifier(model, taught.path).answer(image, 3)
    assert loose.answer(image, 3)[0][0].label in COUNTS
    with pytest.raises(UsageError, match="--own_classes: without --head"):
        classify.ClassifySettings(str(model), own_classes=True)


def test_settings_are_as_approved():
    approved.check_settings(TeachConfig)
    approved.check_settings(MergeConfig)


def test_settings_are_frozen():
    config = TeachConfig(__file__, "photographs")
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 3
