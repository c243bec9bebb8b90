"""Weights files of others; no TensorFlow is needed to refuse them."""

import subprocess
import sys

import h5py
import numpy as np
import pytest

from sqzkit.base.errors import FormatError, RunError
from sqzkit.models import alexnet, spec, squeezenet
from sqzkit.models.alexnet import AlexNetSpec
from sqzkit.runs.weights import load_weights, read_weights, save_weights


@pytest.fixture(scope="module")
def model():
    return squeezenet.build(spec.tiny(4), 32)


@pytest.fixture
def path(model, tmp_path):
    path = tmp_path / "train.weights.h5"
    save_weights(model, path)
    return path


def test_every_weight_comes_back(model, path):
    other = squeezenet.build(spec.tiny(4), 32)
    load_weights(other, path)
    for before, after in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_names_are_the_layers_own(path):
    stored = read_weights(path)
    assert set(stored["fire2/squeeze1x1"]) == {"kernel"}
    assert set(stored["conv1/bn"]) == {"gamma", "beta", "moving_mean", "moving_variance"}
    assert set(stored["conv10"]) == {"kernel", "bias"}


def test_keras_itself_can_read_the_file(model, path, tmp_path):
    other = squeezenet.build(spec.tiny(4), 32)
    plain = tmp_path / "weights.h5"
    plain.write_bytes(path.read_bytes())
    other.load_weights(plain)
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])


def test_another_number_of_classes_is_named(path):
    with pytest.raises(FormatError, match=r"conv10/kernel has shape \[1, 1, 32, 4\], expected"):
        load_weights(squeezenet.build(spec.tiny(7), 32), path)


def test_another_network_is_named(path):
    with pytest.raises(FormatError, match="another network"):
        load_weights(squeezenet.build(spec.tiny(4, fire_modules=4), 32), path)
    with pytest.raises(FormatError, match="another network"):
        load_weights(squeezenet.build(spec.tiny(4, normalization="none"), 32), path)


def test_a_damaged_file_is_named(path, model):
    content = path.read_bytes()
    for damaged in (b"", content[: len(content) // 2], b"x" * 100):
        path.write_bytes(damaged)
        with pytest.raises(FormatError, match="train.weights.h5"):
            load_weights(model, path)
    with h5py.File(path, "w"):
        pass
    with pytest.raises(FormatError, match="not a weights file"):
        read_weights(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RunError, match=r"none.weights.h5 is missing"):
        read_weights(tmp_path / "none.weights.h5")


def test_an_array_of_another_shape_with_as_many_elements_is_refused(model, path):
    with h5py.File(path, "a") as store:
        kernel = np.array(store["conv1/kernel"])
        del store["conv1/kernel"]
        store["conv1/kernel"] = kernel.transpose(3, 0, 1, 2)
    with pytest.raises(FormatError, match=r"conv1/kernel has shape \[8, 3, 3, 3\], expected \[3"):
        load_weights(model, path)


def test_a_layer_whose_name_begins_another_is_kept(tmp_path):
    """AlexNet cut by SVD has layers "fc6/factor" and "fc6"."""
    network = AlexNetSpec(2, fc_units=4, fc6_rank=2, fc7_rank=1)
    model, other = (alexnet.build(network, 39) for _ in range(2))
    path = tmp_path / "cut.weights.h5"
    save_weights(model, path)
    load_weights(other, path)
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.fixture
def hostile(tmp_path):
    hostile = tmp_path / "train.weights.h5"
    with h5py.File(hostile, "w") as store:
        store.attrs["layer_names"] = ["conv1"]
        group = store.create_group("conv1")
        group.attrs["weight_names"] = ["kernel", "bias"]
        group["kernel"] = np.arange(6, dtype=np.float32).reshape(2, 3)
        group["bias"] = np.zeros(3, np.float32)
    return hostile


def test_weights_come_by_layer_and_name(hostile):
    stored = read_weights(hostile)
    assert set(stored["conv1"]) == {"kernel", "bias"}
    np.testing.assert_array_equal(stored["conv1"]["kernel"], [[0, 1, 2], [3, 4, 5]])


def test_tensorflow_is_not_imported():
    code = "import sys, sqzkit.runs.weights; print('tensorflow' in sys.modules)"
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
def test_what_leaves_the_file_or_fills_the_memory_is_refused(hostile, damage):
    with h5py.File(hostile, "a") as store:
        damage(store, hostile.parent)
    with pytest.raises(FormatError, match=r"train\.weights\.h5: not a weights file of sqzkit"):
        read_weights(hostile)


def test_no_attribute_is_read(hostile):
    with h5py.File(hostile, "a") as store:
        store.attrs["layer_names"] = ["other"] * 1000
        del store["conv1"].attrs["weight_names"]
    assert list(read_weights(hostile)) == ["conv1"]


def test_a_file_too_large_is_not_read(hostile):
    with open(hostile, "r+b") as stream:
        stream.truncate((1 << 30) + 1)
    with pytest.raises(RunError, match="larger than the 1,073,741,824 bytes"):
        read_weights(hostile)
