"""Training from an older run: what moves, what stays bit for bit, and what is refused."""

import dataclasses
import json
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from sqzkit.base.errors import UsageError
from sqzkit.base.keras import keras
from sqzkit.data.open import open_dataset
from sqzkit.data.source import DataSource
from sqzkit.models import squeezenet
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.weights import read_weights
from sqzkit.training import fit, from_base, loop
from sqzkit.training.config import TrainingConfig
from sqzkit.training.options import BaseOptions, FitOptions
from tests.training.test_loop import TINY

COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 220, 40),
    "blue": (40, 40, 220),
    "yellow": (200, 200, 40),
}


def photographs(folder, labels, count=20, renamed=(), seed=0):
    """Write noisy photographs of colours, the same of each colour wherever they are written."""
    for number, (label, colour) in enumerate(COLOURS.items()):
        if label not in labels:
            continue
        place = folder / dict(renamed).get(label, label)
        place.mkdir(parents=True)
        generator = np.random.default_rng(seed + number)
        for index in range(count):
            noise = generator.integers(-60, 60, (32, 32, 3)) + generator.integers(-50, 50, 3)
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(place / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def old_run(tmp_path_factory):
    """A run on three colours, with batch normalization."""
    top = tmp_path_factory.mktemp("old")
    data = photographs(top / "photographs", ("red", "green", "blue"))
    changes = {**TINY, "train_epochs": 3, "train_batch_size": 8, "image_size": 32}
    loop.train(TrainingConfig(str(top / "run"), data=DataSource(str(data)), **changes))
    return top / "run"


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """The same photographs and those of a fourth colour; "green" is called "a grass" now."""
    folder = tmp_path_factory.mktemp("grown")
    return photographs(folder / "photographs", tuple(COLOURS), renamed=(("green", "a grass"),))


def config(old_run, grown, folder, *, train_epochs=2, **base):
    return TrainingConfig.from_settings(
        {
            "model_dir": str(folder),
            "data_dir": str(grown),
            "train_epochs": train_epochs,
            "train_batch_size": 8,
            "deterministic": False,
            **{"base": str(old_run), **{f"base_{name}": value for name, value in base.items()}},
        }
    )


def opened(old_run, grown, **options):
    dataset = open_dataset(DataSource(str(grown)), None)
    return from_base.open_base(BaseOptions(str(old_run), **options), dataset), dataset


def stored(folder, stage="train"):
    return read_weights(RunFolder(folder).weights_path(stage))


@pytest.fixture(scope="module")
def base(old_run, grown):
    return opened(old_run, grown)[0]


@pytest.fixture(scope="module")
def head_run(old_run, grown, tmp_path_factory):
    folder = tmp_path_factory.mktemp("new") / "run"
    loop.train(config(old_run, grown, folder))
    return folder


def test_a_class_is_added_by_the_head_alone(head_run, base):
    found = stored(head_run)
    for layer, values in found.items():
        if layer != "conv10":
            np.testing.assert_array_equal(values["kernel"], base.weights[layer][0])
            np.testing.assert_array_equal(values["bias"], base.weights[layer][1])
    record = json.loads((head_run / "base.json").read_text())
    assert record["added"] == ["yellow"]
    assert record["dropped"] == []
    (stage,) = RunFolder(head_run).finished_stages()
    assert stage["metrics"]["top1"] > record["top1"]  # which knows three of the four classes
    assert 0 < stage["metrics"]["moved_weights"] < found["conv10"]["kernel"].size


def test_no_time_is_promised_for_epochs_that_do_not_come(old_run, grown, tmp_path, capsys):
    loop.train(config(old_run, grown, tmp_path / "run", train_epochs=2_000))
    printed = capsys.readouterr().out
    assert f"network: {old_run}, " in printed
    assert "training: the last layer alone" in printed
    assert "time:" not in printed
    assert "2000 epochs" not in printed


def test_classes_are_carried_over_by_name_or_by_their_photographs(base):
    assert base.labels == ("blue", "a grass", "red")
    labels = ("a grass", "blue", "red", "yellow")
    assert base.places(labels) == [1, 0, 2, -1]
    spec = from_base.new_spec(base, labels)
    assert (spec.classes, spec.normalization) == (4, "none")
    model = squeezenet.build(spec, 32)
    from_base.carry(model, base, labels)
    kernel, bias = model.get_layer("conv10").get_weights()
    old, old_bias = base.weights["conv10"]
    np.testing.assert_array_equal(kernel[..., :3], old[..., [1, 0, 2]])
    np.testing.assert_array_equal(bias[:3], old_bias[[1, 0, 2]])
    assert not kernel[..., 3].any()
    assert bias[3] == np.float32(from_base.NEVER)
    images = np.random.default_rng(0).random((8, 32, 32, 3), np.float32)
    assert (model(images).numpy().argmax(axis=1) < 3).all()  # a new class is never the answer


def test_what_the_older_run_was_trained_on_is_not_measured(old_run, grown):
    before = json.loads((old_run / "data.json").read_text())["photographs"]
    _, dataset = opened(old_run, grown)
    for split in ("train", "validation", "test"):
        names = {digest for found in before[split].values() for digest in found.values()}
        assert names <= {example.digest for example in dataset.split(split).examples}


def test_only_a_share_of_the_weights_moves_and_a_kill_changes_nothing(
    old_run, grown, base, tmp_path, monkeypatch
):
    asked = {"moves": "share", "share": 0.05, "pull": 0.0}
    squared_gradients, scores = from_base._squared_gradients, {}

    def note(model, stage):
        found = squared_gradients(model, stage)
        names = [variable.name for variable in model.trainable_variables]
        scores.update(zip(names, found, strict=True))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(from_base, "_squared_gradients", note)
        loop.train(config(old_run, grown, tmp_path / "whole", **asked))
    whole, moved, others = stored(tmp_path / "whole"), [], []
    for layer in whole.keys() - {"conv10"}:
        differs = whole[layer]["kernel"] != base.weights[layer][0]
        moved += list(scores[f"{layer}/kernel:0"][differs])
        others += list(scores[f"{layer}/kernel:0"][~differs])
    count = round(0.05 * (len(moved) + len(others)))
    assert 0.8 * count < len(moved) <= count
    # They are those about which the new photographs say most.
    assert min(moved) >= np.sort(moved + others)[-count]

    class KilledError(Exception):
        pass

    save = fit.StageState.save

    def killed(self, write):
        save(self, write=write)
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(fit.StageState, "save", killed)
        with pytest.raises(KilledError):
            loop.train(config(old_run, grown, tmp_path / "killed", **asked))
    loop.train(config(old_run, grown, tmp_path / "killed", **asked))
    for layer, values in stored(tmp_path / "killed").items():
        for name, value in values.items():
            np.testing.assert_array_equal(value, whole[layer][name])
    other = {**asked, "pull": 0.1}
    with pytest.raises(UsageError, match="pull"):
        loop.train(config(old_run, grown, tmp_path / "whole", **other))


def test_what_was_pruned_away_stays_so_when_all_may_move(base, old_run, grown, folder, monkeypatch):
    def pruned(kernel):
        return np.where(np.abs(kernel) < np.median(np.abs(kernel)), 0, kernel)

    weights = {name: [pruned(values[0]), values[1]] for name, values in base.weights.items()}
    _, dataset = opened(old_run, grown)
    model = squeezenet.build(from_base.new_spec(base, dataset.labels), 32)
    note = mock.Mock(spec=keras.callbacks.Callback)
    options = FitOptions(epochs=1, batch_size=8, base_learning_rate=0.01, augmentation="light")
    stage = fit.StageFit(folder, "train", dataset, base.preprocessing, options, callbacks=[note])
    fitted = mock.Mock(wraps=fit.fit_stage)
    monkeypatch.setattr(from_base, "fit_stage", fitted)
    from_base.train_from(
        model, dataclasses.replace(base, weights=weights), stage,
        BaseOptions(str(old_run), moves="all", pull=0.0),
    )  # fmt: skip
    assert fitted.call_args.args[1].keep_start  # no version is worse than its fitted head
    for name, (before, bias) in weights.items():
        kernel, moved_bias = model.get_layer(name).get_weights()
        if name == "conv10":
            places = base.places(dataset.labels)
            assert np.count_nonzero(kernel[..., places.index(-1)]) > len(places)  # it is new
            known = [place for place in places if place >= 0]
            kernel, before = kernel[..., np.array(places) >= 0], before[..., known]  # noqa: PLW2901
        else:
            assert (moved_bias != bias).any()
        assert not kernel[before == 0].any()
        assert (kernel != before)[before != 0].any()
    assert note.on_train_batch_end.call_count == dataset.split("train").num_examples // 8


class Model:
    """As much of a network as `Pull` looks at."""

    def __init__(self, variables, rate):
        self.trainable_variables = variables
        self.optimizer = type("Optimizer", (), {"learning_rate": rate})


def test_the_pull_brings_small_differences_back_exactly_and_never_a_new_class():
    import tensorflow as tf

    old = [np.float32([[0.1, 0.2], [0.3, 0.0]]), np.float32([[0.1, 0.0]])]
    movable = [np.array([[True, True], [False, False]]), np.ones((1, 2), bool)]
    moves = [np.float32([[0.05, 0.3], [0.3, 0.3]]), np.float32([[0.3, 0.05]])]
    variables = [
        tf.Variable(old[0] + moves[0], name="conv1/kernel"),
        tf.Variable(old[1] + moves[1], name="conv10/kernel"),
    ]
    model = Model(variables, 0.5)
    pull = from_base.Pull(model, old, movable, 0.2, np.array([False, True]))
    pull.set_model(model)
    pull.on_train_batch_end(0)
    np.testing.assert_allclose(variables[0], [[0.1, 0.4], [0.3, 0.0]], rtol=1e-6)
    assert variables[0].numpy()[0, 0] == old[0][0, 0]
    assert (variables[0].numpy()[1] == old[0][1]).all()
    np.testing.assert_allclose(variables[1], [[0.3, 0.05]], rtol=1e-6)


def test_shared_values_stay_the_only_ones(capsys):
    import tensorflow as tf

    before = np.float32([-0.5, 0.0, 0.25]).repeat(8)
    moved = before.copy()
    moved[[0, 8, 16]] = (-0.2, 0.09, 0.05)
    variables = [tf.Variable(moved, name="conv1/kernel"), tf.Variable(moved, name="conv1/bias")]
    found = from_base._finish(Model(variables, 1.0), [before, before])
    assert set(variables[0].numpy()) == {-0.5, 0.0, 0.25}
    assert (variables[0].numpy() != before).sum() == 2
    np.testing.assert_array_equal(variables[1], moved)
    assert found == {"moved_weights": 5}
    assert "5 weights moved" in capsys.readouterr().out


def test_what_cannot_be_a_base_is_refused(old_run, grown, tmp_path):
    with pytest.raises(UsageError, match=r"--base .*nowhere: not a run folder"):
        opened(tmp_path / "nowhere", grown)
    (tmp_path / "old.tflite").write_bytes(b"TFL3")
    with pytest.raises(UsageError, match=r"old.tflite: is a file.*run folder"):
        opened(tmp_path / "old.tflite", grown)
    other = photographs(tmp_path / "other", ("red", "yellow"), renamed=(("red", "ochre"),), seed=9)
    with pytest.raises(UsageError, match=r"none of its classes"):
        opened(old_run, other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "tiny"}, "--model tiny: --base fixes the network"),
        ({"image_size": 64}, "--image_size 64: --base fixes"),
        ({"distribution_strategy": "mirrored"}, "mirrored: a run from a --base is trained on one"),
        ({"weights": "v1_1_onnx"}, "--weights v1_1_onnx: --base fixes"),
        ({"base": None, "base_moves": "all"}, "--base_moves all: says something of --base"),
        ({"base": None, "base_pull": 0.5}, "--base_pull 0.5: says something of --base"),
        ({"base_share": 0.0}, "--base_share"),
        ({"model_dir": "old", "base": "../here/old"}, "--base .*old: is --model_dir itself"),
    ],
)
def test_flags_that_do_not_fit_a_base_are_refused(tmp_path, monkeypatch, changes, message):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    values = {"model_dir": str(tmp_path / "run"), "base": str(tmp_path / "old"), **changes}
    with pytest.raises(UsageError, match=message):
        TrainingConfig.from_settings({n: v for n, v in values.items() if v is not None})


def test_a_base_has_its_own_preset(tmp_path):
    values = {"model_dir": str(tmp_path / "run"), "base": str(tmp_path / "old")}
    made = TrainingConfig.from_settings(values)
    assert (made.preset, made.base.moves, made.weight_decay) == ("update", "head", 0.0)
