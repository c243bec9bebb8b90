"""Whole runs in this process; `tests/programs/test_train.py` has them as a user calls them."""

import dataclasses
import json
import random
import shutil
import subprocess
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from sqzkit.base.errors import RunError, UsageError
from sqzkit.base.keras import keras
from sqzkit.data.source import DataSource
from sqzkit.models import published, squeezenet
from sqzkit.models import spec as specs
from sqzkit.models.pretrained import Pretrained
from sqzkit.preprocessing import caffe, torchvision
from sqzkit.runs import loading
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.weights import read_weights
from sqzkit.training import choice, cross_tuning, duration, fine_tuning, head, loop, run_data
from sqzkit.training.config import TrainingConfig
from sqzkit.training.duration import Duration
from sqzkit.training.options import TeacherOptions
from tests.models import pth
from tests.models.test_weight_files import random_weights

TINY = {
    "model": "tiny",
    "fire_modules": 1,
    "pool_after": ("conv1",),
    "train_epochs": 1,
    "train_batch_size": 128,
    # Determinism cannot be switched off again, and other tests of this process draw unseeded.
    "deterministic": False,
}

PLAIN = {"model": None, "fire_modules": None, "pool_after": None}


def tiny(folder, **changes):
    return TrainingConfig(str(folder), **{**TINY, **changes})


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """A folder of made photographs of two classes."""
    folder = tmp_path_factory.mktemp("pets")
    for number, label in enumerate(("cat", "dog")):
        (folder / label).mkdir()
        generator = np.random.default_rng(number)
        for index in range(20):
            pixels = generator.integers(0, 128, (40, 48, 3)) + 127 * number
            Image.fromarray(pixels.astype(np.uint8)).save(folder / label / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run on the digits."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    loop.train(tiny(folder, tensorboard=True))
    return folder


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": DataSource(data_dir="nowhere")}, "nowhere"),
        ({**PLAIN, "weights": "alexnet"}, "--weights 'alexnet': must be one of deep_compression"),
        ({"image_size": 16}, "32..1024"),
        ({"distribution_strategy": "multi_worker_mirrored"}, "TF_CONFIG"),
        ({"augmentation": "heavy"}, "none, light, standard"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(tmp_path, changes, message):
    with pytest.raises(UsageError, match=message):
        loop.train(tiny(tmp_path / "run", **changes))
    assert not (tmp_path / "run").exists()


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="exists and is not a run folder"):
        loop.train(tiny(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.fixture
def small_disk(tmp_path):
    """A file system with room for the records but not for the weights."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(path)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def test_a_full_disk_is_said_so_and_the_run_can_go_on(small_disk):
    config = tiny(small_disk / "run", base_e=128, train_epochs=1)
    with pytest.raises(RunError, match=r"cannot write .*train.npz: No space left on device"):
        loop.train(config)
    folder = RunFolder(small_disk / "run")
    assert folder.finished_stages() == []
    assert not list(folder.checkpoints_path.iterdir())
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    loop.train(config)
    assert [entry["stage"] for entry in folder.finished_stages()] == ["train"]


def test_a_folder_that_cannot_be_made_is_named():
    with pytest.raises((RunError, OSError), match="/proc/run"):
        loop.train(tiny("/proc/run"))


def test_a_run_is_seeded_and_deterministic_if_it_was_asked_for(monkeypatch):
    fixed, drawn = mock.Mock(), []
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", fixed)
    for seed in (1, 1, 2):
        loop.prepare(seed, deterministic=False)
        drawn.append((float(tf.random.uniform(())), np.random.random(), random.random()))
    assert drawn[0] == drawn[1]
    assert all(one != other for one, other in zip(drawn[1], drawn[2], strict=True))
    assert not fixed.called
    loop.prepare(1, deterministic=True)
    fixed.assert_called_once_with()


def test_every_record_is_there(trained):
    folder = RunFolder(trained)
    assert folder.labels == tuple("0123456789")
    assert folder.preprocessing.image_size == 32
    assert folder.read_spec()["fire_modules"] == 1
    assert folder.read_record("flags")["train"]["train_batch_size"] == 128
    assert folder.read_record("layers")[0]["name"] == "conv1"
    source, contents = loading.read_data(folder)
    assert source == DataSource()
    assert sum(contents["counts"]["test"].values()) == 359
    assert [entry["stage"] for entry in folder.finished_stages()] == ["train"]
    assert list((trained / "tensorboard" / "train").iterdir())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bypass": "simple", "base_e": 8}, "base_e: 16 there, 8 asked; bypass: 'none' there"),
        ({"seed": 2}, "seed: 1 there, 2 asked"),
        ({"image_size": 40}, "image_size: 32 there, 40 asked"),
        ({"data": DataSource(seed=5)}, "seed: 0 there, 5 asked"),
    ],
)
def test_another_run_in_the_same_folder_is_refused_by_its_fields(trained, changes, message):
    before = {path: path.read_bytes() for path in trained.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match=message):
        loop.train(tiny(trained, **changes))
    assert all(path.read_bytes() == content for path, content in before.items())


def test_other_labels_are_refused(trained, pets):
    config = tiny(trained, data=DataSource(data_dir=str(pets)), image_size=32)
    with pytest.raises(UsageError, match="trained on 10 classes .*, pets0 has 2 classes"):
        loop.train(config)
    with pytest.raises(UsageError, match=r"has 2 classes \(cat, dog\)"):
        loop.evaluate(config)


def test_a_finished_run_is_reopened_as_it_was_trained(trained):
    run = loop.reopen(TrainingConfig(str(trained), deterministic=False))
    assert (run.options.batch_size, run.options.epochs) == (128, 1)
    assert run.spec["fire_modules"] == 1
    assert run.dataset.labels == tuple("0123456789")


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_an_evaluation_is_of_the_split_that_was_asked_for(trained, split, capsys):
    config = TrainingConfig(str(trained), deterministic=False)
    loop.evaluate(config, split)
    stored = RunFolder(trained).read_record("evaluation")
    count = {"train": 1259, "validation": 179, "test": 359}[split]
    assert (stored["split"], stored["examples"]) == (split, count)
    assert sum(map(sum, stored["confusion"])) == count
    assert all(m["picture"].startswith(f"mistakes/{split}_") for m in stored["mistakes"])
    expected = f"train on {count:,} {split} images: top-1 {stored['top1']:.2%}, "
    assert expected in capsys.readouterr().out


def test_tensorboard_gets_every_epoch(trained):
    (line,) = RunFolder(trained).metrics()
    points = {}
    for path in (trained / "tensorboard" / "train").rglob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                if value.HasField("tensor") and value.tag.startswith("epoch_"):
                    points[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    for name in ("loss", "accuracy", "validation_loss", "validation_accuracy"):
        assert points[f"epoch_{name}", 0] == pytest.approx(line[name])


@pytest.fixture
def published_tiny(monkeypatch):
    """Make the published weights "v1_1" those of a tiny network; return them."""
    network = specs.tiny(1000, normalization="none")
    record = dataclasses.replace(published.PUBLISHED["v1_1"], spec=network)
    monkeypatch.setattr(published, "PUBLISHED", {"v1_1": record})
    keras.utils.set_random_seed(1)  # of some starts, a training of six epochs learns nothing
    model = squeezenet.build(network, 32)
    weights = {layer.name: tuple(layer.get_weights()) for layer in model.layers if layer.weights}
    asked = []

    def load(record, weights_dir):
        asked.append((record.name, weights_dir))
        return weights

    monkeypatch.setattr(Pretrained, "load", load)
    yield weights
    assert set(asked) == {("v1_1", "somewhere")}


def transferring(folder, pets, **changes):
    changes = {"weights_dir": "somewhere", "image_size": 32, "train_batch_size": 8, **changes}
    source = DataSource(data_dir=str(pets))
    return tiny(folder, **{**PLAIN, "weights": "v1_1", "data": source, **changes})


def test_published_weights_are_trained_to_a_result(published_tiny, pets, tmp_path):
    """The head alone first, then all layers from the published weights and that head."""
    changes = {"pool_after": ("fire2",), "dropout": 0.25}
    config = transferring(tmp_path / "run", pets, head_epochs=2, train_epochs=6, **changes)
    run = loop.train(config)
    folder = run.folder
    assert run.spec["classes"] == 2 and run.preprocessing == caffe(32)
    assert (run.spec["pool_after"], run.spec["dropout"]) == (["fire2"], 0.25)
    head, train = folder.finished_stages()
    assert (head["stage"], train["stage"]) == ("head", "train")
    assert head["config"]["weights"] == train["config"]["weights"] == "v1_1"
    assert (head["metrics"]["epochs"], train["metrics"]["epochs"]) == (2, 6)
    assert train["metrics"]["top1"] == 1.0  # dark cats, bright dogs
    after_head, after_train = (
        read_weights(folder.weights_path(stage)) for stage in ("head", "train")
    )
    for layer, (kernel, _) in published_tiny.items():
        if layer != "conv10":
            np.testing.assert_array_equal(after_head[layer]["kernel"], kernel)
            assert not np.array_equal(after_train[layer]["kernel"], kernel), layer
    assert after_head["conv10"]["kernel"].shape == (1, 1, 32, 2)
    assert not np.array_equal(after_head["conv10"]["kernel"], after_train["conv10"]["kernel"])
    # Its last epoch is kept, and its rate is constant, whatever those of "train" are.
    rates = [line["learning_rate"] for line in folder.metrics() if line["stage"] == "head"]
    assert rates == pytest.approx([config.head_learning_rate] * 2)


def test_a_file_of_weights_may_be_of_any_network(pets, tmp_path, monkeypatch, capsys):
    """Its network is the flags', and its preprocessing follows from the names of its layers."""
    network = specs.tiny(5, normalization="none", squeeze_ratio=0.5)
    content = pth.written(pth.torch_names(random_weights(network), (3, 4, 6)))
    (tmp_path / "mine.pth").write_bytes(content)
    changes = {"model": "tiny", "squeeze_ratio": 0.5, "dropout": 0.25, "image_size": 32}
    config = TrainingConfig(
        str(tmp_path / "run"),
        weights=str(tmp_path / "mine.pth"),
        data=DataSource(data_dir=str(pets)),
        **changes,
    )
    run = loop.open_run(config)
    kept = specs.SqueezeNetSpec.from_json(run.spec)
    assert (kept.classes, kept.dropout, kept.modules()) == (2, 0.25, network.modules())
    assert run.preprocessing == torchvision(32)
    with pytest.raises(UsageError, match="--normalization batch: the network of --weights has"):
        dataclasses.replace(config, normalization="batch")
    with pytest.raises(RunError, match="mine.pth: fire2/squeeze1x1 is .1, 1, 8, 8. in the file"):
        loop.open_run(dataclasses.replace(config, squeeze_ratio=0.25))
    assert "assumed" not in capsys.readouterr().out
    known = dataclasses.replace(config.pretrained(), assumed="mine.pth: v1_1 was assumed")
    monkeypatch.setattr(TrainingConfig, "pretrained", lambda _: known)
    loop.open_run(config)
    assert "\nmine.pth: v1_1 was assumed\n" in capsys.readouterr().out


def test_training_starts_from_the_head_that_was_trained_first(
    published_tiny, pets, tmp_path, monkeypatch
):
    started = {}
    fit_stage = loop.fit_stage

    def spy(model, fit):
        started[fit.stage] = model.get_layer("conv10").get_weights()[0]
        assert fit.keep_start == (fit.stage == "train")  # else it may end worse than the head
        return fit_stage(model, fit)

    for module in (loop, fine_tuning):
        monkeypatch.setattr(module, "fit_stage", spy)
    run = loop.train(transferring(tmp_path / "run", pets, head_epochs=1))
    after_head = read_weights(run.folder.weights_path("head"))["conv10"]["kernel"]
    np.testing.assert_array_equal(started["train"], after_head)
    assert not np.array_equal(started["head"], after_head)


def test_without_epochs_for_the_head_it_is_fitted_at_once(
    published_tiny, pets, tmp_path, monkeypatch, capsys
):
    """Killed after the head, the run goes on from it; what the size was chosen by is kept."""
    monkeypatch.setattr(choice, "SIZES", (32, 64))
    config = transferring(tmp_path / "run", pets, image_size=None, train_epochs=2)

    def killed(model, fit):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(cross_tuning, "fit_stage", killed)
        loop.train(config)
    kept = sorted((tmp_path / "run" / "features").iterdir())
    assert len(kept) == 3  # two sizes, and the other resize rule
    monkeypatch.setattr(head, "compute", None)
    said = capsys.readouterr().out
    assert 0 <= said.index("data: pets") < said.index("head on frozen features, 32 px")
    run = loop.train(config)
    first, train = run.folder.finished_stages()
    assert (first["stage"], train["stage"]) == ("head", "train")
    assert run.preprocessing.image_size in (32, 64)
    assert first["metrics"]["top1"] == 1.0  # dark cats, bright dogs
    assert train["metrics"]["validation_top1"] >= first["metrics"]["validation_top1"]
    assert sorted((tmp_path / "run" / "features").iterdir()) == kept


def test_what_does_not_fit_into_the_time_is_not_trained(
    published_tiny, pets, tmp_path, monkeypatch, capsys
):
    """Of published weights the head is the result; from scratch one epoch is. Both are kept to."""
    timed = Duration(30, 2, 1000.0)
    monkeypatch.setattr(duration, "expect", lambda *_: timed)
    config = transferring(tmp_path / "run", pets, train_epochs=30, train_minutes=1.0)
    run = loop.train(config)
    assert (
        "time: an epoch takes about 1,000 s; none fits into --train_minutes"
        in capsys.readouterr().out
    )
    first, train = run.folder.finished_stages()
    assert train["metrics"]["epochs"] == 0 and train["metrics"]["top1"] == 1.0
    assert first["metrics"]["top1"] == train["metrics"]["top1"]
    timed = Duration(30, 2, 0.001)
    assert loop.train(config).options == run.options
    timed = Duration(30, 2, 1000.0)
    source = DataSource(data_dir=str(pets))
    scratch = tiny(tmp_path / "scratch", data=source, train_epochs=5, train_minutes=1.0)
    run = loop.train(dataclasses.replace(scratch, warmup_epochs=3.0))
    assert run.folder.finished_stages()[0]["metrics"]["epochs"] == 1
    assert run.options.warmup_epochs == 1.0


def test_a_long_training_from_scratch_says_how_long_it_will_take(
    pets, tmp_path, monkeypatch, capsys
):
    """A short one is over before a few timed steps would be worth their seconds."""
    monkeypatch.setattr(duration, "expect", lambda *_: Duration(2, 1, 100.0))
    data = DataSource(data_dir=str(pets))
    for steps, told in ((2, True), (3, False)):
        monkeypatch.setattr(duration, "WORTH_TIMING", steps)
        run = loop.train(tiny(tmp_path / f"{steps}", data=data, train_epochs=2, min_train_steps=0))
        assert run.options.epochs * duration.steps_per_epoch(run.dataset, run.options) == 2
        said = capsys.readouterr().out
        assert ("time: 2 epochs of 1 steps, about 0:03:20" in said) == told


def test_where_too_few_images_judge_it_fine_tuning_is_left_out(
    published_tiny, pets, tmp_path, monkeypatch, capsys
):
    config = transferring(tmp_path / "run", pets, min_train_steps=8)
    run = loop.train(config)
    said = capsys.readouterr().out
    assert "fine-tuning: none, because 32 images cannot" in said
    assert "network: v1_1, 2,514 parameters, 32x32 pixels\n" in said
    assert "training: the last layer alone, seed 1" in said and " epochs" not in said
    assert "trained the last layer alone: top-1" in said
    assert run.folder.finished_stages()[1]["metrics"]["epochs"] == 0
    # Again, from what is finished; the flags that began the run stay.
    assert loop.train(dataclasses.replace(config, cache_dir=str(tmp_path / "cache"))).only_head
    assert run.folder.read_record("flags")["train"]["cache_dir"] is None
    monkeypatch.setattr(fine_tuning, "MIN_JUDGED", 32)
    monkeypatch.setattr(cross_tuning, "FOLDS", 2)
    enough = loop.train(transferring(tmp_path / "other", pets, min_train_steps=4))
    assert enough.folder.read_record("fine_tuning")["examples"] == 32
    assert {line["epoch"] for line in enough.folder.metrics()} == {1, 2}
    monkeypatch.setattr(cross_tuning, "ENOUGH_VALIDATION", 4)
    assert loop.train(transferring(tmp_path / "third", pets, min_train_steps=8)).only_head
    assert "fine-tuning: none, because 4 validation images" in capsys.readouterr().out


def test_shuffled_labels_are_said_to_teach_nothing(tmp_path, capsys, monkeypatch):
    better, judged = loop.better_than_chance, []

    def spy(accuracy, labels, *rest):
        judged.append(len(labels))
        return better(accuracy, labels, *rest)

    monkeypatch.setattr(loop, "better_than_chance", spy)
    draw = np.random.default_rng(3)
    for index in range(48):
        folder = tmp_path / "data" / "ab"[index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = draw.integers(0, 255, (32, 32, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    run = loop.train(tiny(tmp_path / "run", data=DataSource(data_dir=str(tmp_path / "data"))))
    assert "does not show that anything was learnt" in capsys.readouterr().out
    assert judged == [run.dataset.split("test").num_examples]


def test_photographs_are_trained_on_at_64_pixels(pets, tmp_path, capsys):
    run = loop.train(tiny(tmp_path / "run", data=DataSource(data_dir=str(pets)), train_epochs=2))
    assert run.preprocessing.image_size == 64
    assert "2 classes" in capsys.readouterr().out
    loop.evaluate(TrainingConfig(str(tmp_path / "run"), deterministic=False))
    evaluation = run.folder.read_record("evaluation")
    assert evaluation["examples"] == run.dataset.splits["test"].num_examples


def test_steps_are_rounded_to_whole_epochs(trained):
    config = tiny(trained.parent / "steps", train_steps=25, train_batch_size=125)
    assert loop.open_run(config).options.epochs == 3


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_mixed_precision_keeps_float32_weights_and_leaves_no_policy(tmp_path, dtype):
    loop.train(tiny(tmp_path / "run", mixed_precision_dtype=dtype, train_epochs=2))
    assert keras.mixed_precision.global_policy().name == "float32"
    losses = [line["loss"] for line in RunFolder(tmp_path / "run").metrics()]
    assert losses[1] < losses[0]
    loop.evaluate(TrainingConfig(str(tmp_path / "run"), deterministic=False))


def test_the_resolved_configuration_is_printed_once(tmp_path, capsys):
    loop.train(tiny(tmp_path / "run"))
    out = capsys.readouterr().out
    assert "network: tiny, " in out
    assert out.count("training: 1 epochs, batches of 128, adamw, learning rate 0.002 (cosine)") == 1
    stored = json.loads((tmp_path / "run" / "flags.json").read_text())
    assert stored["train"]["preset"] == "default"


def test_a_run_keeps_the_default_network_that_it_began_with(tmp_path, capsys):
    """It was v1.1 once."""
    loop.train(tiny(tmp_path / "old", model="v1_1"))
    for name, network, rectified in (("old", "v1_1", True), ("new", "v1_2", False)):
        capsys.readouterr()
        run = loop.train(tiny(tmp_path / name, model=None))
        assert run.spec.get("squeeze_relu", True) == rectified
        assert f"network: {network}, " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("model", "size", "pools"),
    [
        ("v1_1", 32, ("conv1", "fire5")),
        ("v1_1", 64, ("conv1", "fire3", "fire5")),
        ("v1_0", 32, ("conv1", "fire8")),
        ("v1_0", 224, ("conv1", "fire4", "fire8")),
        ("tiny", 32, ("conv1", "fire3")),
    ],
)
def test_small_images_are_pooled_less(model, size, pools):
    assert squeezenet.pool_less(specs.named(model, 10), size).pool_after == pools


def test_poolings_that_were_asked_for_stay(tmp_path):
    asked = ("conv1", "fire3", "fire5")
    config = TrainingConfig(str(tmp_path), pool_after=asked, image_size=32, deterministic=False)
    assert loop.open_run(config).spec["pool_after"] == list(asked)
    config = TrainingConfig(str(tmp_path), image_size=32, deterministic=False)
    assert loop.open_run(config).spec["pool_after"] == ["conv1", "fire5"]


def test_decoded_images_go_where_cache_dir_says(pets, tmp_path):
    source = DataSource(data_dir=str(pets))
    config = tiny(tmp_path / "run", data=source, cache_dir=str(tmp_path / "cache"))
    assert loop.open_run(config).dataset.cache_dir == tmp_path / "cache"


@pytest.fixture
def run_on_pets(pets, tmp_path, monkeypatch, capsys):
    """A run on photographs, trained from another folder by a relative path; (photographs, run)."""
    shutil.copytree(pets, tmp_path / "pets")
    (tmp_path / "pets" / "cat" / "gone.jpg").symlink_to("/nowhere.jpg")
    monkeypatch.chdir(tmp_path)
    loop.train(tiny("run", data=DataSource(data_dir="pets"), image_size=32))
    monkeypatch.chdir("/")
    said = capsys.readouterr().out
    assert "left out 1 of 41 files: 1 unreadable (cat/gone.jpg)" in said
    return tmp_path / "pets", tmp_path / "run"


def add(folder, count, number=7):
    generator = np.random.default_rng(number)
    for index in range(count):
        pixels = generator.integers(0, 255, (40, 48, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"new{index}.png")


def test_a_run_keeps_its_account_and_says_what_was_added(run_on_pets, capsys):
    photographs, run = run_on_pets
    record = json.loads((run / "data.json").read_text())
    assert record["data_dir"] == str(photographs)
    assert record["account"]["left_out"]["unreadable"]["names"] == ["cat/gone.jpg"]
    before = loading.load_run(run).open_data()
    add(photographs / "dog", 12)
    source = DataSource(data_dir=str(photographs))
    loop.train(tiny(run, data=source, image_size=32))
    assert "12 added (not used): dog/new0.png, dog/new1.png" in capsys.readouterr().out
    for split in ("train", "test"):
        now = loading.load_run(run).open_data().split(split)
        assert [e.image for e in now.examples] == [e.image for e in before.split(split).examples]
    assert "12 added (not used)" in capsys.readouterr().err


def test_training_is_not_resumed_on_changed_photographs(run_on_pets, capsys):
    photographs, run = run_on_pets
    source = DataSource(data_dir=str(photographs))
    (photographs / "cat" / "3.png").unlink()
    with pytest.raises(UsageError, match=r"1 removed: cat/3\.png; restore the photographs, or"):
        loop.train(tiny(run, data=source, image_size=32))


def test_moved_photographs_are_the_same_data_at_their_new_place(run_on_pets, monkeypatch, capsys):
    photographs, run = run_on_pets
    moved = photographs.rename(photographs.parent / "elsewhere")
    with pytest.raises(
        UsageError, match="run: its photographs were in .*pets: no such folder; put them"
    ):
        loading.load_run(run).open_data()
    assert loading.load_run(run).open_data(data_dir=str(moved)).split("test").num_examples == 8
    monkeypatch.chdir(moved.parent)
    loop.evaluate(tiny(run, data=DataSource(data_dir=moved.name)))
    monkeypatch.chdir("/")
    assert loading.load_run(run).open_data().split("test").num_examples == 8
    loop.train(tiny(run, data=DataSource(data_dir=str(moved)), image_size=32))
    loop.evaluate(tiny(run, data=DataSource(data_dir=str(moved), seed=9)))
    said = capsys.readouterr().out
    assert "since the run began" not in said
    assert "other data" not in said


def test_other_photographs_are_evaluated_without_what_was_trained_on(run_on_pets, capsys):
    photographs, run = run_on_pets
    data = loading.load_run(run).open_data()
    trained_on = data.split("train").examples
    other = photographs.parent / "other"
    for split in ("train", "test"):
        for number, label in enumerate(("cat", "dog")):
            (other / split / label).mkdir(parents=True)
            add(other / split / label, 5, 10 * number + len(split))
    taken = [example.image for example in trained_on if example.label == 0][:2]
    for path in taken:
        shutil.copy(path, other / "test" / "cat" / path.name)
    third = next(e.image for e in trained_on if e.label == 0 and e.image not in taken)
    chosen_by = next(e.image for e in data.split("validation").examples if e.label == 1)
    for image, again in ((third, "cat/again.jpg"), (chosen_by, "dog/judge.jpg")):
        copy = Image.open(image).convert("RGB")
        copy.save(other / "test" / again, quality=95, subsampling=0)
    capsys.readouterr()
    loop.evaluate(tiny(run, data=DataSource(data_dir=str(other))))
    said = capsys.readouterr().out
    assert "other data than the run's; left out 2 photographs that it was trained on" in said
    assert "left out 2 that look like one of these (test/cat/again.jpg, test/dog/judge.jpg)" in said
    assert "on 10 test images" in said
    # Nothing is chosen by what was trained on either.
    for number, label in enumerate(("cat", "dog")):
        (other / "validation" / label).mkdir(parents=True)
        add(other / "validation" / label, 3, 70 + number)
    fourth = next(example.image for example in trained_on if example.label == 1)
    shutil.copy(fourth, other / "validation" / "dog" / "seen.png")
    config = tiny(run, data=DataSource(data_dir=str(other)))
    measured = run_data.to_measure(loading.load_run(run), config, "validation")
    assert measured.split("validation").num_examples == 6
    said = capsys.readouterr().out
    assert "left out 1 photographs that it was trained on (validation/dog/seen.png)" in said
    # Nor are they compared with what the run was trained on where that is not all there any more.
    shutil.rmtree(photographs / "cat")
    measured = run_data.to_measure(loading.load_run(run), config, "test")
    assert measured.split("test").num_examples == 12  # those that were saved again are back
    said = capsys.readouterr().out
    assert "left out 2 photographs that it was trained on" in said
    assert "look like one of these" not in said


def test_weights_that_are_on_this_machine_are_hinted_at(pets, tmp_path, monkeypatch, capsys):
    """Once, of photographs alone, and only if nothing need be fetched."""
    monkeypatch.setenv("SQZKIT_CACHE", str(tmp_path / "cache"))
    config = tiny(tmp_path / "run", data=DataSource(data_dir=str(pets)), image_size=32)
    run = loop.open_run(config)
    assert run_data.hint(run.folder, run.dataset, config) == ""
    files = {name: record.file for name, record in published.PUBLISHED.items()}
    for name in ("dsd", "v1_1"):
        path = tmp_path / "cache" / files[name].name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
        assert f"with --weights={name} few photographs" in run_data.hint(
            run.folder, run.dataset, config
        )
    loop.train(config)
    assert capsys.readouterr().out.count("hint: ImageNet weights are on this machine") == 1
    assert run_data.hint(run.folder, run.dataset, config) == ""
    digits = tiny(tmp_path / "digits")
    run = loop.open_run(digits)
    assert run_data.hint(run.folder, run.dataset, digits) == ""


def test_transfer_learning_has_a_teacher_too(published_tiny, pets, tmp_path, monkeypatch):
    first = transferring(tmp_path / "first", pets, train_epochs=1)
    loop.train(first)
    teacher = TeacherOptions(file=first.model_dir, weight=1.0, temperature=3.0)
    learnt = mock.Mock(wraps=loop.soft_target_loss)
    monkeypatch.setattr(loop, "soft_target_loss", learnt)
    changes = {"train_epochs": 2, "label_smoothing": 0.1, "teacher": teacher}
    run = loop.train(transferring(tmp_path / "run", pets, **changes))
    learnt.assert_called_with(2, 3.0, 0.1)
    for stage in run.folder.finished_stages():
        assert stage["config"]["teacher"].startswith("first sha256:")
        assert stage["metrics"]["top1"] == 1.0  # dark cats, bright dogs
