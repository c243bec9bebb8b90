import json
import pickle
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from sqzkit.base.errors import FormatError, UsageError
from sqzkit.base.keras import keras
from sqzkit.training import checkpoint
from sqzkit.training.checkpoint import StageState
from sqzkit.training.optimization import build_optimizer
from sqzkit.training.options import FitOptions


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "train.npz"
    groups = {"model": [np.arange(6.0).reshape(2, 3), np.int64(7)], "optimizer": []}
    checkpoint.save(path, {"epoch": 3, "note": "ä"}, groups)
    return path


def test_what_was_saved_is_loaded(saved):
    record, groups = checkpoint.load(saved)
    assert record == {"epoch": 3, "note": "ä"}
    np.testing.assert_array_equal(groups["model"][0], np.arange(6.0).reshape(2, 3))
    assert groups["model"][1] == 7
    assert groups["optimizer"] == []
    assert [path.name for path in saved.parent.iterdir()] == ["train.npz"]


def test_no_checkpoint_is_none(tmp_path):
    assert checkpoint.load(tmp_path / "train.npz") is None


@pytest.mark.parametrize("cut", [0, 10, 200, -1])
def test_a_truncated_checkpoint_is_named_as_damaged(saved, cut):
    saved.write_bytes(saved.read_bytes()[:cut])
    with pytest.raises(FormatError, match=r"train.npz: damaged checkpoint.*delete it"):
        checkpoint.load(saved)


def test_a_pickle_is_never_loaded(tmp_path):
    path = tmp_path / "train.npz"
    np.savez(path, record=np.array([{"evil": 1}], object))
    with pytest.raises(FormatError, match="damaged"):
        checkpoint.load(path)


def test_variables_of_other_shapes_are_refused(saved):
    _, groups = checkpoint.load(saved)
    variables = [tf.Variable(tf.zeros((3, 2))), tf.Variable(0, dtype=tf.int64)]
    with pytest.raises(FormatError, match="model has 2 variables"):
        checkpoint.assign(saved, "model", variables, groups["model"])


def test_variables_are_set(saved):
    _, groups = checkpoint.load(saved)
    variables = [tf.Variable(tf.zeros((2, 3), tf.float64)), tf.Variable(0, dtype=tf.int64)]
    checkpoint.assign(saved, "model", variables, groups["model"])
    assert variables[1].numpy() == 7
    assert variables[0].numpy()[1, 2] == 5.0


def header(shape, kind="<f4", magic=b"\x93NUMPY\x01\x00"):
    text = str({"descr": kind, "fortran_order": False, "shape": shape}).encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return magic + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "array",
    [
        header((1 << 40,)),  # announces 4 TiB
        header((3,), "|O") + pickle.dumps([1, 2, 3]),
        header((2,)) + bytes(7),
        header((2,), magic=b"\x93NUMPY\x09\x00") + bytes(8),
        b"",
    ],
)
def test_an_array_of_other_bytes_than_announced_is_refused(tmp_path, array):
    path = tmp_path / "train.npz"
    record = json.dumps({"counts": {"model": 1}}).encode()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("record.npy", header((len(record),), "|u1") + record)
        archive.writestr("model/0.npy", array)
    with pytest.raises(FormatError, match=r"train\.npz: damaged checkpoint"):
        checkpoint.load(path)


@pytest.mark.parametrize("counts", [{"model": 1 << 60}, {"model": "x"}, [], 3, {"model": [1]}])
def test_counts_that_nothing_holds_are_refused(tmp_path, counts):
    path = tmp_path / "train.npz"
    record = json.dumps({"counts": counts}).encode()
    np.savez(path, record=np.frombuffer(record, np.uint8))
    with pytest.raises(FormatError, match="damaged checkpoint"):
        checkpoint.load(path)


def test_compressed_arrays_are_refused(tmp_path):
    path = tmp_path / "train.npz"
    np.savez_compressed(path, record=np.frombuffer(b'{"counts": {}}', np.uint8))
    with pytest.raises(FormatError, match="damaged checkpoint"):
        checkpoint.load(path)


def test_arrays_in_either_order_come_back(tmp_path):
    columns = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    checkpoint.save(tmp_path / "train.npz", {}, {"model": [columns]})
    np.testing.assert_array_equal(checkpoint.load(tmp_path / "train.npz")[1]["model"][0], columns)


@pytest.fixture
def state(tmp_path):
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    optimizer = build_optimizer(FitOptions(epochs=1), model.trainable_variables)
    state = StageState(tmp_path / "train.npz", model, optimizer)
    state.restore({"epochs": 5})
    return state


def judge(state, accuracy, loss, examples=100):
    state.progress.epoch += 1
    state.model.set_weights([np.full((2, 1), state.progress.epoch), np.zeros(1)])
    state.note_validation(accuracy, loss, examples)
    return state.progress.best_epoch == state.progress.epoch


def test_a_clearly_higher_accuracy_is_better_whatever_the_loss(state):
    assert judge(state, 0.5, 1.0)
    assert judge(state, 0.9, 1.2)
    assert not judge(state, 0.5, 0.1)
    assert state.progress.best_epoch == 2


def test_within_a_standard_error_the_later_is_better(state):
    assert judge(state, 0.98, 0.10)
    assert judge(state, 0.97, 0.12)
    assert not judge(state, 0.93, 0.30)
    assert state.progress.best_epoch == 2
    assert state.progress.improved_epoch == 1


def test_no_epoch_is_kept_that_is_worse_than_what_the_stage_started_from(state):
    state.model.set_weights([np.full((2, 1), -1.0), np.zeros(1)])
    state.note_start(0.9, 0.4)
    assert not judge(state, 0.8, 0.5)
    assert state.progress.improved_epoch == 0  # early stopping waits for more than that
    assert not judge(state, 0.89, 0.1)  # within a standard error, but below
    assert (state.progress.best_epoch, state.best[0][0]) == (0, -1.0)
    assert judge(state, 0.9, 0.5)
    assert judge(state, 0.92, 0.5)
    assert judge(state, 0.91, 0.5)


def test_the_best_cannot_creep_down_from_the_highest_accuracy(state):
    accuracy = 1.0
    for _ in range(50):
        judge(state, accuracy, 1.0)
        accuracy -= 0.002
    assert 1.0 - 0.002 * (state.progress.best_epoch - 1) >= 0.985


def test_a_lower_loss_alone_is_an_improvement_that_early_stopping_waits_for(state):
    for loss in (0.5, 0.4, 0.3):
        judge(state, 0.9, loss)
    assert state.progress.improved_epoch == 3


def test_as_good_as_before_is_no_improvement_to_wait_for(state):
    judge(state, 0.9, 0.5)
    judge(state, 0.9, 0.5)
    assert state.progress.improved_epoch == 1


@pytest.mark.parametrize(("accuracy", "kept"), [(0.870, True), (0.868, False)])
def test_the_standard_error_is_that_of_a_share(state, accuracy, kept):
    """Of 0.9 on 100 examples it is 0.031, from (90 + 1) / (100 + 2)."""
    judge(state, 0.9, 0.5)
    assert judge(state, accuracy, 0.6) is kept


@pytest.mark.parametrize(
    "record",
    [{}, {"config": "odd"}, {"config": {}, "progress": {"epochs": 1}}, {"config": {}}],
)
def test_a_checkpoint_of_another_kind_is_damaged(state, record):
    checkpoint.save(state.path, record, {"model": [], "optimizer": [], "best": []})
    with pytest.raises(FormatError, match=r"train\.npz: damaged checkpoint"):
        state.restore({"epochs": 5})


def test_many_examples_make_small_differences_count(state):
    assert judge(state, 0.900, 0.3, 50_000)
    assert not judge(state, 0.895, 0.2, 50_000)


def test_the_best_weights_come_back(state):
    judge(state, 0.9, 0.1)
    judge(state, 0.2, 3.0)
    state.save()
    state.model.set_weights([np.full((2, 1), 7.0), np.zeros(1)])
    assert state.restore({"epochs": 5})
    assert state.model.get_weights()[0][0, 0] == 2.0
    state.restore_best()
    assert state.model.get_weights()[0][0, 0] == 1.0
    assert state.progress.best_epoch == 1


def test_a_state_of_other_settings_is_refused(state):
    state.save()
    with pytest.raises(UsageError, match=r"train.npz was made with .*epochs: 5 there, 6 asked"):
        state.restore({"epochs": 6})
