import numpy as np
import pytest

from sqzkit import preprocessing
from sqzkit.base.errors import InvariantError
from sqzkit.base.keras import keras
from sqzkit.compression import kernels
from sqzkit.conversion import checks
from sqzkit.conversion.converter import convert_model
from sqzkit.conversion.options import ConversionOptions
from sqzkit.models import alexnet, registry
from sqzkit.tflite.flatbuffer import TFLiteFile
from tests.compression import small_chain

KERNEL = np.array([[0.0, 1.0, 2.0, 2.0], [0.0, 3.0, 3.0, 1.0]], np.float32)


def test_a_missing_zero_is_named():
    kernels.check_sparsity({"conv1": KERNEL}, {"conv1": 0.25})
    kernels.check_sparsity({"conv1": KERNEL + 1}, {"conv1": 0.0})
    with pytest.raises(InvariantError, match="fire2: 2 of 8 weights are zero, 3 were asked for"):
        kernels.check_sparsity({"fire2": KERNEL}, {"fire2": 0.375})


def test_a_weight_that_came_back_is_named():
    more_zeros = KERNEL * np.array([0, 0, 1, 1])
    kernels.check_zeros_kept({"conv1": KERNEL}, {"conv1": more_zeros})
    with pytest.raises(InvariantError, match="conv1: 2 of its 4 pruned weights came back"):
        kernels.check_zeros_kept({"conv1": more_zeros}, {"conv1": KERNEL})


def test_one_value_too_many_is_named():
    kernels.check_clusters({"conv1": KERNEL}, {"conv1": 4})
    kernels.check_clusters({"conv1": KERNEL}, {"conv1": 0})
    with pytest.raises(InvariantError, match="conv1: 4 distinct values, at most 3"):
        kernels.check_clusters({"conv1": KERNEL}, {"conv1": 3})


def test_a_split_codebook_is_named_and_a_merged_one_is_fine():
    kernels.check_sharing_kept({"conv1": KERNEL}, {"conv1": -2 * KERNEL})
    kernels.check_sharing_kept({"conv1": KERNEL}, {"conv1": np.minimum(KERNEL, 2)})
    split = KERNEL.copy()
    split[0, 1] = 1.5
    with pytest.raises(InvariantError, match="conv1: its 4 shared values were split into 5"):
        kernels.check_sharing_kept({"conv1": KERNEL}, {"conv1": split})
    every_value_its_own = {"conv1": np.arange(300.0)}
    kernels.check_sharing_kept(every_value_its_own, {"conv1": np.zeros(300)})


def converted(model, record, granularity):
    pixels = np.random.default_rng(0).integers(0, 256, (8, *model.input_shape[1:]), np.uint8)
    options = ConversionOptions(granularity=granularity)
    return convert_model(model, record, ("a", "b", "c", "d"), options, pixels)


def compress(model):
    """Give each kernel 5 distinct values, and zeros to half of its weights."""
    for layer in kernels.weighted_layers(model):
        kernel = kernels.prune_once(layer.kernel.numpy(), 0.5)
        step = np.abs(kernel).max() / 2
        layer.kernel.assign(np.round(kernel / step) * step)


@pytest.fixture(scope="module")
def clustered():
    """A network of 5 distinct values a layer and half zeros, and a record of unequal scales."""
    keras.utils.set_random_seed(1)
    network = small_chain.small_spec(normalization="none", conv10_padding=1)
    model = registry.build_from_json(network.to_json(), small_chain.SIDE)
    compress(model)
    record = preprocessing.Preprocessing(
        32, 32, channel_order="BGR", mean=(104, 117, 123), scale=(0.02, 0.018, 0.015)
    )
    return model, record, converted(model, record, "per_tensor")


def test_a_per_tensor_file_keeps_zeros_and_codebooks(clustered):
    model, record, content = clustered
    found = checks.check_compression(model, record, content)
    assert list(found) == kernels.layer_names(model)
    for name, kernel in kernels.read_kernels(model).items():
        sparsity, distinct = found[name]
        assert sparsity == kernels.sparsity(kernel)
        # conv1 is multiplied by three scales: its values are another three times as many.
        scales = 3 if name == "conv1" else 1
        assert np.unique(kernel).size <= distinct <= scales * (np.unique(kernel).size - 1) + 1


def test_a_per_channel_file_keeps_at_least_the_zeros(clustered):
    model, record, _ = clustered
    found = checks.check_compression(model, record, converted(model, record, "per_channel"))
    for name, kernel in kernels.read_kernels(model).items():
        assert found[name][0] == kernels.sparsity(kernel)


def test_a_file_with_one_weight_changed_is_refused_by_its_layer(clustered):
    model, record, content = clustered
    file = TFLiteFile(content)
    victim = next(c for c in file.convolutions() if c.layer == "fire2/expand3x3").kernel
    values = file.data(victim)
    for wrong, message in ((0, "pruned weights came back"), (values.max(), "were split into")):
        changed = values.copy()
        changed.flat[int(np.argmax(changed == wrong))] = 55
        with pytest.raises(InvariantError, match=message) as caught:
            checks.check_compression(model, record, file.replace({victim.index: changed}))
        assert caught.value.layer == "fire2/expand3x3"


def test_the_file_of_another_network_is_refused(clustered):
    model, record, _ = clustered
    other = registry.build_from_json(
        small_chain.small_spec(normalization="none", bypass="complex").to_json(), 32
    )
    with pytest.raises(InvariantError, match="fire2/bypass1x1: the int8 file has 0 layers of that"):
        checks.check_compression(other, record, converted(model, record, "per_tensor"))


def test_dense_layers_are_read_back_too():
    """Of AlexNet, whose normalization stands in front because two towers read the pixels."""
    keras.utils.set_random_seed(1)
    network = alexnet.AlexNetSpec(4, fc_units=16, fc6_rank=3)
    model = registry.build_from_json(network.to_json(), 67)
    compress(model)
    record = preprocessing.default(67)
    content = converted(model, record, "per_tensor")
    found = checks.check_compression(model, record, content)
    assert list(found) == kernels.layer_names(model)
    assert {"conv1/a", "fc6/factor", "fc6", "fc7", "fc8"} <= set(found)
    for name, kernel in kernels.read_kernels(model).items():
        assert found[name] == (kernels.sparsity(kernel), np.unique(kernel).size)
    file = TFLiteFile(content)
    victim = next(kernel for name, kernel in file.kernels() if name.endswith("fc7"))
    values = file.data(victim).copy()
    values.flat[int(np.argmax(values == 0))] = 55
    with pytest.raises(InvariantError, match="pruned weights came back") as caught:
        checks.check_compression(model, record, file.replace({victim.index: values}))
    assert caught.value.layer == "fc7"
