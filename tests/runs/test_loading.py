import numpy as np
import pytest

from sqzkit.base.errors import RunError, UsageError
from sqzkit.data.dataset import Example, ImageDataset, Split
from sqzkit.data.source import DataSource
from sqzkit.models import spec, squeezenet
from sqzkit.preprocessing import default
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.loading import begin_run, check_labels, load_run
from sqzkit.runs.weights import save_weights

LABELS = tuple(str(digit) for digit in range(10))


@pytest.fixture(scope="module")
def model():
    return squeezenet.build(spec.tiny(10), 32)


@pytest.fixture
def folder(tmp_path, model):
    folder = RunFolder(tmp_path / "run")
    folder.write_spec(spec.tiny(10).to_json())
    folder.write_preprocessing(default(32))
    folder.write_labels(LABELS)
    folder.write_record("data", DataSource().to_json())
    for stage in ("train", "prune"):
        save_weights(model, folder.weights_path(stage))
        folder.finish_stage(stage, {"top1": 0.5}, {})
    return folder


def test_a_run_is_loaded_whole(folder, model):
    run = load_run(folder.path)
    assert (run.stage, run.labels, run.source) == ("prune", LABELS, DataSource())
    assert run.preprocessing == default(32)
    assert run.spec["fire_modules"] == 3
    for before, after in zip(model.get_weights(), run.model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert run.open_data().labels == LABELS


def test_a_stage_can_be_chosen(folder):
    assert load_run(folder.path, "train").stage == "train"
    with pytest.raises(UsageError, match="'cluster'.*there is train, prune"):
        load_run(folder.path, "cluster")


def test_a_stage_may_have_a_network_of_its_own(folder):
    folded = spec.tiny(10, normalization="none")
    folder.write_spec(folded.to_json(), "prune")
    save_weights(squeezenet.build(folded, 32), folder.weights_path("prune"))
    folder.finish_stage("prune", {}, {})
    assert load_run(folder.path).spec["normalization"] == "none"
    assert load_run(folder.path, "train").spec["normalization"] == "batch"


def test_what_is_no_run_folder_is_refused(tmp_path):
    with pytest.raises(UsageError, match="--model_dir .*not a run folder"):
        load_run(tmp_path)


def test_labels_that_do_not_belong_to_the_network_are_refused(folder):
    folder.write_labels(LABELS[:7])
    with pytest.raises(RunError, match=r"10 classes, labels.txt 7"):
        load_run(folder.path)


def test_altered_weights_are_refused(folder):
    path = folder.weights_path("prune")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RunError, match="altered"):
        load_run(folder.path)


def test_other_labels_are_named(folder):
    other = ImageDataset("pets", ("cat", "dog"), {})
    with pytest.raises(UsageError, match=r"10 classes \(0, 1, 2, 3, ...\), pets has 2 classes"):
        check_labels(folder, other)


def test_classes_that_differ_are_named(folder, tmp_path):
    """However many classes there are; one whose photographs are known by its old name too."""
    (tmp_path / "photographs" / "cow").mkdir(parents=True)
    example = Example(tmp_path / "photographs" / "cow" / "1.jpg", 8, "d1")
    now = ImageDataset(
        "pets", (*LABELS[:8], "cow", "dog"), {"train": Split((example,))}, root=tmp_path
    )
    known = {"photographs": {"train": {"8": {"8/1.jpg": "d1"}}}, "digests": "pictures"}
    folder.write_record("data", {**DataSource().to_json(), **known})
    with pytest.raises(UsageError, match="'8' is called 'cow', 9 missing, dog added; give the"):
        check_labels(folder, now)


def test_a_run_without_a_source_says_so(folder):
    (folder.path / "data.json").unlink()
    with pytest.raises(UsageError, match="has no data.json"):
        load_run(folder.path).open_data()


def test_labels_in_another_order_are_others(folder):
    said = r"on 10 classes \(0, 1, .*, pets has 10 .*\(9, 8, .*: the same in another order; give"
    with pytest.raises(UsageError, match=said):
        check_labels(folder, ImageDataset("pets", LABELS[::-1], {}))
    check_labels(folder, ImageDataset("pets", LABELS, {}))


def test_weights_of_an_earlier_stage_are_checked_too(folder):
    path = folder.weights_path("train")
    path.write_bytes(path.read_bytes()[:-1])
    assert load_run(folder.path).stage == "prune"
    with pytest.raises(RunError, match="altered since stage 'train' finished"):
        load_run(folder.path, "train")


def test_a_run_that_was_begun_holds_every_record_and_the_table_of_layers(tmp_path, model):
    folder = RunFolder(tmp_path / "new" / "run")
    records = {"data": DataSource().to_json(), "flags": {"train": {"seed": 1}}}
    begin_run(folder, spec.tiny(10).to_json(), model, default(32), LABELS, records)
    assert RunFolder.existing(folder.path).labels == LABELS
    assert folder.preprocessing == default(32)
    assert folder.read_record("flags") == {"train": {"seed": 1}}
    assert DataSource.from_json(folder.read_record("data")) == DataSource()
    layers = folder.read_record("layers")
    assert [row["name"] for row in layers] == [layer.name for layer in model.layers[1:]]
    first = {"name": "conv1", "kind": "Conv2D", "output_shape": [15, 15, 8], "parameters": 216}
    assert layers[0] == first
    assert sum(row["parameters"] for row in layers) == model.count_params()


def test_a_beginning_that_was_killed_leaves_no_run_folder_and_can_be_repeated(
    tmp_path, model, monkeypatch
):
    folder = RunFolder(tmp_path / "run")
    call = (folder, spec.tiny(10).to_json(), model, default(32), LABELS, {"flags": {}})
    monkeypatch.setattr(RunFolder, "write_spec", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        begin_run(*call)
    assert not folder.is_foreign()
    with pytest.raises(UsageError, match="not a run folder"):
        RunFolder.existing(folder.path)
    monkeypatch.undo()
    begin_run(*call)
    assert RunFolder.existing(folder.path).labels == LABELS
