import numpy as np
import pytest
import tensorflow as tf

from sqzkit.errors import FormatError
from sqzkit.training import checkpoint


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "train.npz"
    groups = {"model": [np.arange(6.0).reshape(2, 3), np.int64(7)], "optimizer": []}
    checkpoint.save(path, {"epoch": 3, "note": "ä"}, groups)
    return path


def test_what_was_saved_is_loaded(saved):
    found = checkpoint.load(saved)
    assert found.record == {"epoch": 3, "note": "ä"}
    np.testing.assert_array_equal(found.groups["model"][0], np.arange(6.0).reshape(2, 3))
    assert found.groups["model"][1] == 7
    assert found.groups["optimizer"] == []
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
    found = checkpoint.load(saved)
    variables = [tf.Variable(tf.zeros((3, 2))), tf.Variable(0, dtype=tf.int64)]
    with pytest.raises(FormatError, match="model has 2 variables"):
        checkpoint.assign(saved, "model", variables, found.groups["model"])


def test_variables_are_set(saved):
    found = checkpoint.load(saved)
    variables = [tf.Variable(tf.zeros((2, 3), tf.float64)), tf.Variable(0, dtype=tf.int64)]
    checkpoint.assign(saved, "model", variables, found.groups["model"])
    assert variables[1].numpy() == 7
    assert variables[0].numpy()[1, 2] == 5.0
