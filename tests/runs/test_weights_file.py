"""Weights files of others; no TensorFlow is needed to refuse them."""

import subprocess
import sys

import h5py
import numpy as np
import pytest

from sqzkit.base.errors import FormatError, RunError
from sqzkit.runs.weights_file import read_weights


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "train.weights.h5"
    with h5py.File(path, "w") as store:
        store.attrs["layer_names"] = ["conv1"]
        group = store.create_group("conv1")
        group.attrs["weight_names"] = ["kernel", "bias"]
        group["kernel"] = np.arange(6, dtype=np.float32).reshape(2, 3)
        group["bias"] = np.zeros(3, np.float32)
    return path


def test_weights_come_by_layer_and_name(path):
    stored = read_weights(path)
    assert set(stored["conv1"]) == {"kernel", "bias"}
    np.testing.assert_array_equal(stored["conv1"]["kernel"], [[0, 1, 2], [3, 4, 5]])


def test_tensorflow_is_not_imported():
    code = "import sys, sqzkit.runs.weights_file; print('tensorflow' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code]) == b"False\n"


def outside(store, folder):
    (folder / "secret").write_bytes(b"secret, 16 bytes")
    del store["conv1/bias"]
    values = [(str(folder / "secret"), 0, 16)]
    store["conv1"].create_dataset("bias", (4,), np.float32, external=values)


def link(store, folder):
    with h5py.File(folder / "other.h5", "w") as other:
        other["bias"] = np.zeros(3, np.float32)
    del store["conv1/bias"]
    store["conv1/bias"] = h5py.ExternalLink(str(folder / "other.h5"), "/bias")


def computed(store, folder):
    del store["conv1/bias"]
    layout = h5py.VirtualLayout((3,), np.float32)
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "x", (3,))
    store["conv1"].create_virtual_dataset("bias", layout)


def endless(store, folder):
    del store["conv1/bias"]
    store["conv1"].create_dataset("bias", (1 << 40,), np.float32)


def texts(store, folder):
    del store["conv1/bias"]
    store["conv1"]["bias"] = ["a", "b", "c"]


@pytest.mark.parametrize("damage", [outside, link, computed, endless, texts])
def test_what_leaves_the_file_or_fills_the_memory_is_refused(path, damage):
    with h5py.File(path, "a") as store:
        damage(store, path.parent)
    with pytest.raises(FormatError, match=r"train\.weights\.h5: not a weights file of sqzkit"):
        read_weights(path)


def test_no_attribute_is_read(path):
    with h5py.File(path, "a") as store:
        store.attrs["layer_names"] = ["other"] * 1000
        del store["conv1"].attrs["weight_names"]
    assert list(read_weights(path)) == ["conv1"]


def test_a_file_too_large_is_not_read(path):
    with open(path, "r+b") as stream:
        stream.truncate((1 << 30) + 1)
    with pytest.raises(RunError, match="larger than the 1,073,741,824 bytes"):
        read_weights(path)
