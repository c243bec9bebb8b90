import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqzkit.base.errors import UsageError
from sqzkit.base.keras import keras
from sqzkit.models import spec, squeezenet
from tests.models.strategies import randomize, specs

OUTPUTS_AT_227 = {
    "conv1": 111,
    "pool1": 55,
    "fire2": 55,
    "fire3": 55,
    "fire4": 55,
    "pool4": 27,
    "fire5": 27,
    "fire6": 27,
    "fire7": 27,
    "fire8": 27,
    "pool8": 13,
    "fire9": 13,
}


@pytest.mark.parametrize(
    ("network", "parameters"),
    [
        (spec.v1_0(1000, normalization="none"), 1_248_424),
        (spec.v1_0(1000, normalization="none", conv10_padding=1), 1_248_424),
        (spec.v1_0(1000, normalization="none", bypass="simple"), 1_248_424),
        (spec.v1_0(1000, normalization="none", bypass="complex"), 1_589_672),
        (spec.v1_1(1000, normalization="none"), 1_235_496),
        (spec.v1_2(1000, normalization="none"), 1_235_496),
    ],
)
def test_parameters_are_the_papers(network, parameters):
    assert squeezenet.build(network, 227).count_params() == parameters


def test_only_the_squeeze_layers_of_v1_2_are_not_rectified():
    names = [
        {layer.name for layer in squeezenet.build(network(5), 64).layers}
        for network in (spec.v1_1, spec.v1_2)
    ]
    assert names[0] - names[1] == {f"fire{i}/relu_squeeze1x1" for i in range(2, 10)}
    assert names[1] <= names[0]


def test_layers_are_table_1_of_the_paper():
    model = squeezenet.build(spec.v1_0(1000, normalization="none"), 227)
    rows = {layer.name: layer for layer in model.layers[1:]}
    by_module = {}
    for name, row in rows.items():
        part = name.split("/")[0]
        by_module[part] = by_module.get(part, 0) + row.count_params()
    assert {name: by_module[name] for name in by_module if by_module[name]} == {
        "conv1": 14_208,
        "fire2": 11_920,
        "fire3": 12_432,
        "fire4": 45_344,
        "fire5": 49_440,
        "fire6": 104_880,
        "fire7": 111_024,
        "fire8": 188_992,
        "fire9": 197_184,
        "conv10": 513_000,
    }
    for name, size in OUTPUTS_AT_227.items():
        layer = f"{name}/concat" if name.startswith("fire") else name
        assert rows[layer].output_shape[1:3] == (size, size), name
    assert rows["conv10"].output_shape[1:] == (13, 13, 1000)
    assert model.output_shape == (None, 1000)


def test_224_pixels_give_table_1_but_for_its_first_two_lines():
    sizes = squeezenet.feature_map_sizes(spec.v1_0(1000), 224)
    different = {name for name, size in sizes.items() if OUTPUTS_AT_227[name] != size}
    assert different == {"conv1", "pool1", "fire2", "fire3", "fire4"}
    assert (sizes["conv1"], sizes["pool1"], sizes["pool4"], sizes["pool8"]) == (109, 54, 27, 13)


@pytest.mark.parametrize("size", range(32, 241, 13))
def test_pooling_sizes_are_caffes(size):
    model = squeezenet.build(spec.tiny(2), size)
    side = (size - 3) // 2 + 1  # Caffe rounds convolutions down
    assert model.get_layer("conv1").output_shape[1] == side
    for name in ("pool1", "pool3"):
        side = math.ceil((side - 3) / 2) + 1  # and poolings up
        assert model.get_layer(name).output_shape[1:3] == (side, side)


@given(st.integers(2, 9), st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_pooling_is_caffes(size, seed):
    image = np.random.default_rng(seed).normal(size=(1, size, size, 1)).astype(np.float32)
    pooled = np.asarray(squeezenet.ceil_pool(keras.backend.constant(image), "pool"))
    side = squeezenet.pooled_size(size)
    # Caffe clips each window to the image.
    expected = [
        [image[0, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3].max() for x in range(side)]
        for y in range(side)
    ]
    np.testing.assert_array_equal(pooled[0, :, :, 0], expected)


@given(specs(), st.integers(32, 70), st.sampled_from((None, "softmax")))
@settings(max_examples=12, deadline=None)
def test_any_specification_gives_its_network(network, image_size, activation):
    model = squeezenet.build(network, image_size, activation)
    assert model.output_shape == (None, network.classes)
    assert model.count_params() == expected_parameters(network)
    sizes = squeezenet.feature_map_sizes(network, image_size)
    last = network.modules()[-1].name
    side = sizes.get(squeezenet.pool_name(last), sizes[last])
    assert model.get_layer("conv10").output_shape[1] == side + 2 * network.conv10_padding
    randomize(model, 0)
    outputs = model(np.ones((2, image_size, image_size, 3), np.float32)).numpy()
    assert np.isfinite(outputs).all()
    if activation:
        np.testing.assert_allclose(outputs.sum(1), 1, rtol=1e-5)


def expected_parameters(network):
    """Count by hand: weights and bias, or weights and four values of normalization."""
    extra = 4 if network.normalization == "batch" else 1
    total = network.conv1_filters * (3 * network.conv1_kernel**2 + extra)
    inputs = network.conv1_filters
    for module in network.modules():
        total += module.squeeze1x1 * (inputs + extra)
        total += module.expand1x1 * (module.squeeze1x1 + extra)
        total += module.expand3x3 * (9 * module.squeeze1x1 + extra)
        if module.bypass == "conv1x1":
            total += module.filters * (inputs + extra)
        inputs = module.filters
    return total + network.classes * (inputs + 1)


def test_a_bypass_adds_the_input_and_nothing_is_rectified_after():
    network = spec.tiny(3, bypass="complex", normalization="none", pool_after=())
    model = squeezenet.build(network, 32)
    randomize(model, 1)
    names = ("relu_conv1", "fire2/bypass1x1", "fire2/concat", "fire2/add", "fire3/add")
    parts = keras.Model(model.input, [model.get_layer(name).output for name in names])
    image = np.random.default_rng(0).normal(size=(1, 32, 32, 3)).astype(np.float32)
    _, bypass, concat, added, _ = (part.numpy() for part in parts(image))
    np.testing.assert_allclose(added, bypass + concat, rtol=1e-6)
    assert (added < 0).any()
    assert model.get_layer("fire3/add").input[0] is model.get_layer("fire2/add").output


def test_only_layers_that_tf_mot_takes_are_used():
    network = spec.v1_0(10, bypass="complex", conv10_padding=1)
    kinds = {type(layer).__name__ for layer in squeezenet.build(network, 64, "softmax").layers}
    assert kinds == {
        "InputLayer",
        "Conv2D",
        "BatchNormalization",
        "ReLU",
        "MaxPooling2D",
        "Concatenate",
        "Add",
        "Dropout",
        "ZeroPadding2D",
        "GlobalAveragePooling2D",
        "Softmax",
    }


def test_weights_survive_a_file_by_name(tmp_path):
    network = spec.tiny(4, bypass="complex")
    model, other = squeezenet.build(network, 32), squeezenet.build(network, 48)
    randomize(model, 2)
    model.save_weights(tmp_path / "a.weights.h5")
    other.load_weights(tmp_path / "a.weights.h5")
    for mine, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_logits_are_float32_in_mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = squeezenet.build(spec.tiny(3), 32)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert model.get_layer("conv1").compute_dtype == "bfloat16"
    assert model.output.dtype == "float32"


@pytest.mark.parametrize("size", [31, 1025])
def test_sizes_out_of_range_are_refused(size):
    with pytest.raises(UsageError, match=f"image_size {size}: must be 32..1024"):
        squeezenet.build(spec.tiny(2), size)


def test_a_map_that_vanishes_is_refused_before_anything_is_built():
    network = spec.v1_0(2, pool_after=("conv1", "fire2", "fire3", "fire4"))
    with pytest.raises(UsageError, match="after fire4 at 32 pixels; pool less often"):
        squeezenet.build(network, 32)


def test_a_stem_larger_than_the_image_is_refused():
    with pytest.raises(UsageError, match="after conv1 at 32 pixels"):
        squeezenet.build(spec.tiny(2, conv1_kernel=35), 32)


def test_an_unknown_activation_is_refused():
    with pytest.raises(UsageError, match="classifier_activation 'sigmoid'"):
        squeezenet.build(spec.tiny(2), 32, "sigmoid")
