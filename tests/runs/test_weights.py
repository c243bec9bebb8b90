import h5py
import numpy as np
import pytest

from sqzkit.base.errors import FormatError, RunError
from sqzkit.models import alexnet, spec, squeezenet
from sqzkit.models.alexnet_spec import AlexNetSpec
from sqzkit.runs.weights import load_weights, save_weights
from sqzkit.runs.weights_file import read_weights


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


def test_a_head_can_be_left_out(path):
    other = squeezenet.build(spec.tiny(7), 32)
    before = other.get_layer("conv10").get_weights()
    load_weights(other, path, skip=("conv10",))
    np.testing.assert_array_equal(before[0], other.get_layer("conv10").get_weights()[0])


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


def test_a_layer_whose_name_begins_another_is_kept(tmp_path):
    """AlexNet cut by SVD has layers "fc6/factor" and "fc6"."""
    network = AlexNetSpec(2, fc_units=4, fc6_rank=2, fc7_rank=1)
    model, other = (alexnet.build(network, 39) for _ in range(2))
    path = tmp_path / "cut.weights.h5"
    save_weights(model, path)
    load_weights(other, path)
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
