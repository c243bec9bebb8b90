"""The real loop on made data with a tiny network."""

import dataclasses
import itertools
import json
import types
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from sqzkit.base.errors import RunError, UsageError
from sqzkit.base.keras import keras
from sqzkit.data.dataset import Example, ImageDataset, Split
from sqzkit.models import spec, squeezenet
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.weights import read_weights
from sqzkit.training import fit as module
from sqzkit.training import optimization, progress, steps
from sqzkit.training.evaluate import Evaluator
from sqzkit.training.fit import StageFit, fit_stage
from sqzkit.training.options import FitOptions

NETWORK = spec.tiny(4, dropout=0.3, fire_modules=1, pool_after=("conv1",))
OPTIONS = FitOptions(epochs=4, batch_size=16, base_learning_rate=0.02, augmentation="light")
STEADY = dataclasses.replace(OPTIONS, base_learning_rate=0.3, lr_schedule="constant")


@pytest.fixture(scope="module")
def fit(colours, record):
    """Fit a fresh tiny network; the same call gives the same weights."""

    def call(folder, options=OPTIONS, **changes):
        keras.utils.set_random_seed(1)
        model = squeezenet.build(NETWORK, 32)
        return fit_stage(model, StageFit(folder, "train", colours, record, options, **changes))

    return call


@pytest.fixture(scope="module")
def fit_small(colours, record):
    """Fit one dense layer to the mean colour: where the network does not matter, it is quick."""

    def call(folder, options=STEADY, dataset=colours, **changes):
        keras.utils.set_random_seed(1)
        return fit_stage(small(), StageFit(folder, "train", dataset, record, options, **changes))

    return call


def small():
    inputs = keras.Input((32, 32, 3))
    features = keras.layers.GlobalAveragePooling2D()(inputs)
    return keras.Model(inputs, keras.layers.Dense(4, name="head")(features))


@pytest.fixture(scope="module")
def undisturbed(fit, tmp_path_factory):
    """The folder and the result of a run that nothing stopped."""
    folder = RunFolder(tmp_path_factory.mktemp("undisturbed"))
    return folder, fit(folder)


class Stop(keras.callbacks.Callback):
    """Ends the process's part at one moment, as a kill would."""

    def __init__(self, epoch, step=None):
        super().__init__()
        self.at, self.epoch = (epoch, step), 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if self.at == (self.epoch, batch):
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch, logs=None):
        if self.at == (epoch, None):
            raise KeyboardInterrupt


def test_it_learns_and_leaves_only_what_was_promised(fit, folder):
    result = fit(folder, FitOptions(epochs=12, batch_size=16, base_learning_rate=0.02))
    assert result.metrics["top1"] > 0.9
    assert result.metrics["epochs"] == 12
    names = sorted(path.name for path in folder.path.iterdir())
    assert names == ["metrics.jsonl", "stages.json", "train.weights.h5"]
    lines = folder.metrics()
    assert [line["epoch"] for line in lines] == list(range(1, 13))
    assert lines[-1]["loss"] < lines[0]["loss"]
    kept = lines[result.metrics["best_epoch"] - 1]
    assert result.metrics["validation_top1"] == pytest.approx(kept["validation_accuracy"])
    assert result.metrics["validation_loss"] == pytest.approx(kept["validation_loss"], rel=1e-4)
    assert kept["validation_accuracy"] == 1.0


@pytest.mark.parametrize("moment", [(0, 0), (2, None), (3, 4)])
def test_stopped_anywhere_it_ends_with_the_same_weights(fit, folder, undisturbed, moment, capsys):
    with pytest.raises(KeyboardInterrupt):
        fit(folder, callbacks=[Stop(*moment)])
    assert folder.finished_stages() == []
    resumed = fit(folder)
    said = capsys.readouterr().out
    assert (f"train: resumes after epoch {moment[0]}" in said) == (moment[0] > 0)
    folder_of_all, whole = undisturbed
    for before, after in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    for line, same in zip(folder.metrics(), folder_of_all.metrics(), strict=True):
        assert (line["epoch"], line["loss"]) == (same["epoch"], same["loss"])
    assert not folder.checkpoints_path.exists()


def test_a_finished_stage_is_loaded_not_trained(fit, undisturbed):
    folder, first = undisturbed
    again = fit(folder, callbacks=[Stop(0, 0)])
    assert again.metrics == first.metrics
    for before, after in zip(first.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_other_options_are_refused_by_name(fit, folder, undisturbed):
    with pytest.raises(KeyboardInterrupt):
        fit(folder, callbacks=[Stop(1, 2)])
    other = FitOptions(**{**OPTIONS.to_json(), "momentum": 0.5, "seed": 2})
    with pytest.raises(UsageError, match=r"momentum: 0.9 there, 0.5 asked; seed: 1 there, 2 ask"):
        fit(folder, other)
    with pytest.raises(UsageError, match="sparsity: None there, 0.5 asked"):
        fit(folder, config={"sparsity": 0.5})
    folder, _ = undisturbed
    with pytest.raises(UsageError, match="stage 'train'.*epochs: 4 there, 9 asked"):
        fit(folder, FitOptions(**{**OPTIONS.to_json(), "epochs": 9}))


def test_an_epoch_that_was_not_checkpointed_is_not_counted_twice(fit_small, folder):
    with pytest.raises(KeyboardInterrupt):
        fit_small(folder, callbacks=[Stop(2, 0)])
    with open(folder.metrics_path, "a") as stream:
        stream.write(json.dumps({"stage": "train", "epoch": 3, "loss": 9.9}) + '\n{"stage": "tr')
    fit_small(folder)
    assert [line["epoch"] for line in folder.metrics()] == [1, 2, 3, 4]
    assert max(line["loss"] for line in folder.metrics()) < 9


def test_nor_is_the_first_one_without_any_checkpoint(fit_small, folder):
    folder.append_metrics({"stage": "train", "epoch": 1, "loss": 9.9})
    with open(folder.metrics_path, "a") as stream:
        stream.write('{"stage": "tr')
    fit_small(folder)
    assert [line["epoch"] for line in folder.metrics()] == [1, 2, 3, 4]
    assert len(folder.metrics_path.read_text().splitlines()) == 4


def test_the_time_before_a_kill_counts_too(fit_small, folder, monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr(module, "time", types.SimpleNamespace(monotonic=lambda: next(ticks)))
    with pytest.raises(KeyboardInterrupt):
        fit_small(folder, callbacks=[Stop(2, 0)])
    metrics = fit_small(folder).metrics
    seconds = [line["seconds"] for line in folder.metrics()]
    assert metrics["train_seconds"] == sum(seconds) == 4 * seconds[0]
    assert metrics["images_per_second"] == folder.metrics()[0]["images_per_second"]


def test_epochs_at_chance_before_a_kill_count_too(fit_small, folder, monkeypatch):
    monkeypatch.setattr(progress, "MIN_STEPS_AT_CHANCE", 1)
    options = dataclasses.replace(STEADY, watchdog_epochs=3)

    def chance(images, labels, logits):
        return 0 * tf.reduce_sum(logits, axis=1) + np.log(4)

    with pytest.raises(KeyboardInterrupt):
        fit_small(folder, options, loss=chance, callbacks=[Spoil(0), Stop(2, 0)])
    with pytest.raises(RunError, match="for 3 epochs: the network answers by chance"):
        fit_small(folder, options, loss=chance)


def test_an_epoch_of_fewer_images_than_a_batch_is_a_step(fit_small, folder, monkeypatch):
    monkeypatch.setattr(progress, "MIN_STEPS_AT_CHANCE", 3)
    options = dataclasses.replace(STEADY, watchdog_epochs=1, batch_size=1000)

    def chance(images, labels, logits):
        return 0 * tf.reduce_sum(logits, axis=1) + np.log(4)

    with pytest.raises(RunError, match="for 3 epochs: the network answers by chance"):
        fit_small(folder, options, loss=chance, callbacks=[Spoil(0)])


def test_callbacks_see_every_step_and_the_restored_optimizer(fit_small, folder):
    seen = []

    class Count(keras.callbacks.Callback):
        batches = 0

        def on_train_begin(self, logs=None):
            seen.append(int(self.model.optimizer.iterations.numpy()))

        def on_train_batch_begin(self, batch, logs=None):
            self.batches += 1

    first, second = Count(), Count()
    with pytest.raises(KeyboardInterrupt):
        fit_small(folder, callbacks=[first, Stop(2, 3)])
    fit_small(folder, callbacks=[second])
    assert (first.batches, second.batches) == (2 * 6 + 4, 2 * 6)
    assert seen == [0, 12]


def test_what_export_makes_is_stored_and_measured(fit, folder, colours, record):
    def export(model):
        exported = squeezenet.build(NETWORK, 32)
        exported.set_weights([np.round(weight, 1) for weight in model.get_weights()])
        return exported

    result = fit(folder, export=export)
    kernel = read_weights(folder.weights_path("train"))["conv10"]["kernel"]
    np.testing.assert_array_equal(kernel, np.round(kernel, 1))
    np.testing.assert_array_equal(kernel, result.model.get_layer("conv10").get_weights()[0])
    measured = Evaluator(result.model)(colours, "validation", record)
    assert result.metrics["validation_loss"] == pytest.approx(measured.loss, rel=1e-4)
    trained = folder.metrics()[result.metrics["best_epoch"] - 1]["validation_loss"]
    assert trained != pytest.approx(measured.loss, rel=0.01)


def test_a_loss_of_ones_own_is_minimized(fit_small, folder):
    result = fit_small(folder, loss=lambda images, labels, logits: tf.reduce_sum(logits**2, axis=1))
    losses = [line["loss"] for line in folder.metrics()]
    assert losses[-1] < losses[0]
    assert result.metrics["top1"] < 0.9


class Spoil(keras.callbacks.Callback):
    """Forgets what was learnt at the start of one epoch, and keeps each epoch's weights."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch, self.weights = epoch, []

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            # All answers are the last class, and so small a rate does not mend that.
            weights = [np.zeros((3, 4)), np.array([0.0, 0.0, 0.0, 90.0])]
            self.model.get_layer("head").set_weights(weights)

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(self.model.get_weights())


def test_the_best_weights_are_what_the_stage_ends_with(fit_small, folder):
    spoil = Spoil(3)
    result = fit_small(folder, callbacks=[spoil])
    lines = folder.metrics()
    assert lines[3]["validation_accuracy"] == 0.25
    assert lines[2]["validation_accuracy"] == 1.0
    assert result.metrics["best_epoch"] == 3
    assert result.metrics["validation_top1"] == lines[2]["validation_accuracy"]
    for kept, found in zip(spoil.weights[2], result.model.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, found)
    stored = read_weights(folder.weights_path("train"))["head"]["kernel"]
    np.testing.assert_array_equal(stored, result.model.get_layer("head").get_weights()[0])


def test_what_it_starts_from_is_kept_where_no_epoch_is_as_good(fit_small, folder, tmp_path):
    taught = fit_small(folder).model.get_weights()
    options = dataclasses.replace(STEADY, base_learning_rate=1e-6)
    spoiled = Spoil(0)  # and with such a rate it stays so
    spoiled.on_train_begin = lambda logs=None: spoiled.model.set_weights(taught)
    result = fit_small(RunFolder(tmp_path / "other"), options, callbacks=[spoiled], keep_start=True)
    # Killed after two epochs, it still remembers what it started from.
    killed = RunFolder(tmp_path / "killed")
    with pytest.raises(KeyboardInterrupt):
        fit_small(killed, options, callbacks=[spoiled, Stop(2, 1)], keep_start=True)
    resumed = fit_small(killed, options, keep_start=True)
    for ended in (result, resumed):
        assert (ended.metrics["best_epoch"], ended.metrics["validation_top1"]) == (0, 1.0)
        for kept, found in zip(taught, ended.model.get_weights(), strict=True):
            np.testing.assert_array_equal(kept, found)


def test_what_finish_makes_of_the_kept_weights_is_measured_and_stored(fit_small, folder):
    def finish(model):
        model.set_weights([np.zeros_like(value) for value in model.get_weights()])
        return {"share": 0.25, "validation_top1": 0.125}

    metrics = fit_small(folder, finish=finish).metrics
    assert (metrics["share"], metrics["validation_top1"]) == (0.25, 0.125)
    assert metrics["loss"] == pytest.approx(np.log(4))  # of a network that answers nothing
    assert not read_weights(folder.weights_path("train"))["head"]["kernel"].any()


@pytest.mark.parametrize(("patience", "kept"), [(0, 4), (4, 2)])
def test_finish_gets_the_last_epoch_or_with_early_stopping_the_best(
    patience, kept, fit_small, folder
):
    options = dataclasses.replace(STEADY, early_stopping_patience=patience)
    spoil = Spoil(2)
    result = fit_small(folder, options, callbacks=[spoil], finish=lambda model: {})
    assert result.metrics["best_epoch"] == kept


def test_averaged_weights_are_validated_and_kept_and_survive_a_kill(
    fit_small, folder, tmp_path, monkeypatch
):
    taken = mock.Mock(wraps=optimization.write_averages)
    monkeypatch.setattr(optimization, "write_averages", taken)
    spoil = Spoil(99)
    whole = fit_small(folder, callbacks=[spoil], average=0.9)
    last, kept = spoil.weights[-1][0], whole.model.get_weights()[0]
    assert whole.metrics["best_epoch"] == 4
    judged = folder.metrics()[-1]["validation_loss"]
    assert judged == pytest.approx(whole.metrics["validation_loss"], rel=1e-4)
    assert 0 < np.abs(kept - last).max() < np.abs(spoil.weights[0][0] - last).max()
    assert taken.call_count == 4  # once an epoch: it copies all weights
    other = RunFolder(tmp_path / "other")
    with pytest.raises(KeyboardInterrupt):
        fit_small(other, callbacks=[Stop(2, 1)], average=0.9)
    resumed = fit_small(other, average=0.9)
    np.testing.assert_array_equal(kept, resumed.model.get_weights()[0])
    with pytest.raises(UsageError, match="average: 0.9 there, None asked"):
        fit_small(other)


def test_the_last_epoch_can_be_kept_though_it_is_worse(fit_small, folder):
    spoil = Spoil(3)
    last = fit_small(folder, dataclasses.replace(STEADY, keep="last"), callbacks=[spoil])
    assert last.metrics["best_epoch"] == 4
    assert last.metrics["validation_top1"] == 0.25
    for kept, found in zip(spoil.weights[3], last.model.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, found)


@pytest.mark.parametrize(("first", "kept"), [(0, 3), (2, 3), (3, 4)])
def test_no_epoch_before_the_first_that_may_be_kept_is(fit_small, folder, first, kept):
    options = dataclasses.replace(STEADY, best_from_epoch=first)
    assert fit_small(folder, options, callbacks=[Spoil(3)]).metrics["best_epoch"] == kept


@pytest.fixture
def turned(colours):
    """The colours, but in the split "test" every label is the next class's."""
    wrong = [Example(e.image, (e.label + 1) % 4) for e in colours.split("test").examples]
    splits = {**colours.splits, "test": Split(tuple(wrong))}
    return ImageDataset("turned", colours.labels, splits)


def test_each_figure_is_of_its_own_split(fit_small, folder, turned, monkeypatch):
    asked = []
    evaluate = Evaluator.__call__

    def spy(self, dataset, split, *rest):
        asked.append(split)
        return evaluate(self, dataset, split, *rest)

    monkeypatch.setattr(Evaluator, "__call__", spy)
    result = fit_small(folder, dataset=turned)
    assert asked == ["validation"] * 5 + ["test"]
    assert folder.metrics()[-1]["accuracy"] > 0.8  # of the training split
    assert result.metrics["validation_top1"] > 0.9
    assert result.metrics["validation_top5"] == result.metrics["top5"] == 1.0
    assert result.metrics["top1"] < 0.1
    assert result.metrics["loss"] > 1 > result.metrics["validation_loss"]
    assert folder.finished_stage()["metrics"] == result.metrics


def test_the_rate_of_every_step_follows_the_schedule_over_the_whole_stage(
    fit_small, folder, monkeypatch
):
    rates = []

    class Note(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            rates.append(float(self.model.optimizer.learning_rate))

    # Six steps an epoch: three of warm-up, then nine on the way to zero.
    options = dataclasses.replace(
        OPTIONS, epochs=2, base_learning_rate=0.09, lr_schedule="linear", warmup_epochs=0.5
    )
    reset = mock.Mock(wraps=steps.reset_dropout)
    monkeypatch.setattr(steps, "reset_dropout", reset)
    with pytest.raises(KeyboardInterrupt):
        fit_small(folder, options, callbacks=[Note(), Stop(1, None)])
    del rates[6:]
    fit_small(folder, options, callbacks=[Note()])
    # Dropout draws anew in every epoch, and in a resumed one as it did before.
    assert [call.args[1:] for call in reset.call_args_list] == [(1, 0), (1, 1), (1, 1)]
    expected = [0.03, 0.06, 0.09, 0.09, 0.08, 0.07, 0.06, 0.05, 0.04, 0.03, 0.02, 0.01]
    assert rates == pytest.approx(expected)
    assert [line["learning_rate"] for line in folder.metrics()] == pytest.approx([0.07, 0.01])


def test_early_stopping_ends_after_its_patience(fit_small, folder):
    options = {**OPTIONS.to_json(), "epochs": 30, "early_stopping_patience": 2}

    def worse(images, labels, logits):
        return -tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)

    result = fit_small(folder, FitOptions(**options), loss=worse)
    assert result.metrics["epochs"] < 30
    lines = folder.metrics()
    lowest = min(lines, key=lambda line: line["validation_loss"])
    highest = max(lines, key=lambda line: line["validation_accuracy"])
    assert result.metrics["epochs"] == max(lowest["epoch"], highest["epoch"]) + 2


def test_a_diverging_run_stops_with_advice(fit_small, folder):
    def loss(images, labels, logits):
        return tf.reduce_sum(logits, axis=1) * float("inf")

    with pytest.raises(RunError, match="epoch 1: the training diverged.*--base_learning_rate"):
        fit_small(folder, loss=loss)
    assert folder.finished_stages() == []


def test_a_folder_that_cannot_be_written_is_named(fit_small, tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises((RunError, OSError), match="run"):
        fit_small(RunFolder(tmp_path / "run"))


def test_photographs_that_vanish_are_named(fit_small, folder, tmp_path):
    """Where they do not fit in memory, they are read by tf.data, which wraps every error."""
    splits = {}
    for split, count in (("train", 16), ("validation", 4), ("test", 4)):
        paths = [tmp_path / f"{split}{index}.png" for index in range(count)]
        for index, path in enumerate(paths):
            Image.fromarray(np.full((32, 32, 3), 60 * (index % 4), np.uint8)).save(path)
        splits[split] = Split(tuple(Example(path, i % 4) for i, path in enumerate(paths)))
    photographs = ImageDataset("vanishing", ("a", "b", "c", "d"), splits, memory_budget=0)

    class Remove(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                (tmp_path / "train3.png").unlink()

    with pytest.raises(RunError, match=r"^[^\n]*train3\.png is missing[^\n]*$"):
        fit_small(folder, dataset=photographs, callbacks=[Remove()])
    assert [line["epoch"] for line in folder.metrics()] == [1]


def test_label_smoothing_raises_the_floor_of_the_loss(fit_small, folder, tmp_path):
    options = {**STEADY.to_json(), "label_smoothing": 0.3}
    fit_small(folder, FitOptions(**options))
    fit_small(RunFolder(tmp_path / "hard"), FitOptions(**{**options, "label_smoothing": 0.0}))
    soft, hard = (run.metrics()[-1]["loss"] for run in (folder, RunFolder(tmp_path / "hard")))
    floor = -(0.775 * np.log(0.775) + 3 * 0.075 * np.log(0.075))
    assert hard < floor * 0.8 < floor * 0.99 < soft


def test_balanced_class_weights_count_a_rare_class_more(fit_small, folder, tmp_path, colours):
    examples = colours.split("train").examples
    rare = [e for e in examples if e.label == 3][:2]
    few = Split((*(e for e in examples if e.label != 3), *rare))
    unequal = dataclasses.replace(colours, splits={**colours.splits, "train": few}, stores={})
    biases = []
    for place, weights in ((folder, "balanced"), (RunFolder(tmp_path / "plain"), None)):
        options = dataclasses.replace(STEADY, class_weights=weights)
        result = fit_small(place, options, unequal)
        assert place.finished_stage("train")["config"]["class_weights"] == weights
        biases.append(result.model.get_layer("head").get_weights()[1][3])
    assert biases[0] > biases[1]


@pytest.mark.parametrize(("weights", "best"), [(None, 4), ("balanced", 3)])
def test_balanced_class_weights_keep_the_epoch_that_is_best_over_the_classes(
    fit_small, folder, colours, weights, best
):
    """From epoch 4 on every answer is class 3, as most labels are: right more often, but blind."""
    examples = colours.split("validation").examples
    one_each = {example.label: example for example in examples}
    many = [dataclasses.replace(e, label=3) for e in examples if e.label == 0] * 8
    unequal = Split((*one_each.values(), *many[:8]))
    dataset = dataclasses.replace(
        colours, splits={**colours.splits, "validation": unequal}, stores={}
    )
    options = dataclasses.replace(STEADY, epochs=4, class_weights=weights)
    assert fit_small(folder, options, dataset, callbacks=[Spoil(3)]).metrics["best_epoch"] == best


def test_unreadable_photographs_are_left_out_before_the_steps_are_counted(
    fit_small, folder, tmp_path
):
    splits = {}
    for split, count in (("train", 32), ("validation", 4), ("test", 4)):
        paths = [tmp_path / f"{split}{index}.png" for index in range(count)]
        for index, path in enumerate(paths):
            Image.fromarray(np.full((32, 32, 3), 60 * (index % 4), np.uint8)).save(path)
        splits[split] = Split(tuple(Example(path, i % 4) for i, path in enumerate(paths)))
    (tmp_path / "train7.png").write_bytes(b"not an image")
    photographs = ImageDataset("broken", ("a", "b", "c", "d"), splits)
    seen = []

    class Count(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(batch)

    options = dataclasses.replace(OPTIONS, epochs=1)
    fit_small(folder, options, photographs, callbacks=[Count()])
    assert seen == [0]  # of 31 photographs, not 32
