import json
import pickle
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from sqzkit.base.errors import FormatError
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
    np.testing.assert_array_equal(
        checkpoint.load(tmp_path / "train.npz").groups["model"][0], columns
    )
