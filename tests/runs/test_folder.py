import json

import pytest

from sqzkit import preprocessing
from sqzkit.base import files
from sqzkit.base.errors import RunError, UsageError, WriteError
from sqzkit.models import spec
from sqzkit.runs.folder import RunFolder


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.write_spec(spec.tiny(3).to_json())
    return folder


def test_records_round_trip(folder):
    record = preprocessing.caffe(64)
    folder.write_preprocessing(record)
    folder.write_labels(("a", "b c", "ü"))
    folder.write_record("data", {"data_dir": "photos"})
    again = RunFolder.existing(folder.path)
    assert spec.SqueezeNetSpec.from_json(again.read_spec()) == spec.tiny(3)
    assert again.preprocessing == record
    assert again.labels == ("a", "b c", "ü")
    assert again.read_record("data") == {"data_dir": "photos"}
    assert again.read_record("nothing") is None


def test_a_stage_may_change_the_network(folder):
    folded = spec.tiny(3, normalization="none")
    folder.write_spec(folded.to_json(), "cluster")
    assert spec.SqueezeNetSpec.from_json(folder.read_spec("cluster")) == folded
    assert spec.SqueezeNetSpec.from_json(folder.read_spec("train")) == spec.tiny(3)
    assert spec.SqueezeNetSpec.from_json(folder.read_spec()) == spec.tiny(3)


def test_a_folder_without_spec_is_no_run_folder(tmp_path):
    with pytest.raises(UsageError, match=r"--model_dir .*not a run folder.*sqzkit train"):
        RunFolder.existing(tmp_path)


def test_stages_keep_their_order_and_are_checked(folder):
    with pytest.raises(RunError, match="no stage is finished yet"):
        folder.finished_weights()
    for stage in ("train", "prune"):
        folder.weights_path(stage).write_text(stage)
        folder.finish_stage(stage, {"top1": 0.5}, {"epochs": 1})
    assert [entry["stage"] for entry in folder.finished_stages()] == ["train", "prune"]
    assert folder.finished_weights() == ("prune", folder.weights_path("prune"))
    folder.weights_path("prune").write_text("altered")
    with pytest.raises(RunError, match="missing or altered since stage 'prune'"):
        folder.finished_weights()


def test_a_stage_done_again_replaces_its_record(folder):
    for top1 in (0.1, 0.2):
        folder.weights_path("train").write_text(str(top1))
        folder.finish_stage("train", {"top1": top1}, {})
    (entry,) = folder.finished_stages()
    assert entry["metrics"] == {"top1": 0.2}


def test_metrics_survive_a_torn_line(folder):
    folder.append_metrics({"epoch": 1})
    folder.append_metrics({"epoch": 2})
    with open(folder.metrics_path, "a") as stream:
        stream.write(json.dumps({"epoch": 3})[:-3])
    assert folder.metrics() == [{"epoch": 1}, {"epoch": 2}]


def test_only_what_no_run_began_is_foreign(tmp_path):
    folder = RunFolder(tmp_path / "run")
    assert not folder.is_foreign()
    folder.write_labels(("a", "b"))  # killed before the specification was written
    with files.atomic_path(folder.path / "data.json") as temporary:
        temporary.write_text("{}")
        (folder.path / temporary.name.replace(".json", "0.json")).write_text("half")
    assert not folder.is_foreign()
    (folder.path / "letter.txt").touch()
    assert folder.is_foreign()
    folder.write_spec({})
    assert not folder.is_foreign()
    assert RunFolder(folder.path / "letter.txt").is_foreign()


def test_metrics_that_cannot_be_written_are_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match=r"cannot write .*metrics.jsonl"):
        RunFolder(tmp_path / "file").append_metrics({})


def test_records_of_another_kind_are_named(folder):
    folder.spec_path.write_text("[]")
    with pytest.raises(RunError, match="spec.json: must hold a JSON object"):
        folder.read_spec()
    with pytest.raises(RunError, match=r"labels.txt is missing"):
        _ = folder.labels


def test_commands_are_noted_once(folder):
    for command in ("sqzkit train --model_dir='a run'", "sqzkit convert") * 2:
        folder.add_command(command)
    assert folder.read_record("commands") == ["sqzkit train --model_dir='a run'", "sqzkit convert"]


@pytest.mark.parametrize("name", ["../../other", "/etc/x", "a/b", "", "x" * 41, ".", "train\n"])
def test_a_stage_that_names_another_folder_is_refused(folder, name):
    stage = {"stage": name, "metrics": {}, "config": {}, "weights_sha256": ""}
    folder.write_record("stages", [stage])
    for read in (folder.finished_stages, folder.finished_weights):
        with pytest.raises(RunError, match=r"stages\.json: a stage is named .* are legal"):
            read()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("stages", {}, "must hold a JSON list"),
        ("stages", [3], "an entry of its list"),
        ("stages", [{"stage": "train"}], "a stage without its metrics"),
        ("commands", [{}], "an entry of its list"),
        ("evaluation", [], "must hold a JSON object"),
    ],
)
def test_a_record_of_another_shape_is_refused(folder, name, content, message):
    folder.write_record(name, content)
    with pytest.raises(RunError, match=rf"{name}\.json: {message}"):
        folder.finished_stages() if name == "stages" else folder.read_record(name)


def test_lines_that_are_no_metrics_are_passed_over(folder):
    lines = [b"[1]", b"3", b"\xff", b"[" * 100_000, b'{"epoch": 4}']
    folder.metrics_path.write_bytes(b"\n".join(lines))
    assert folder.metrics() == [{"epoch": 4}]
