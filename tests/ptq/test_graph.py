import numpy as np
import pytest

from sqzkit import preprocessing
from sqzkit.base.errors import UsageError
from sqzkit.base.keras import keras
from sqzkit.models import spec, squeezenet
from sqzkit.models.inference import to_inference
from sqzkit.preprocessing.folding import fold, unfold
from sqzkit.ptq import simulation
from sqzkit.ptq.graph import read_model
from sqzkit.ptq.simulation import Range

CONFIGURATIONS = [
    {},
    {"bypass": "simple"},
    {"bypass": "complex"},
    {"normalization": "batch"},
    {"conv10_relu": False},
    {"conv10_relu": True, "conv10_padding": 1},
]


@pytest.mark.parametrize("changes", CONFIGURATIONS)
@pytest.mark.parametrize("record", [preprocessing.default(48), preprocessing.caffe(48)])
def test_the_operations_compute_what_the_model_does(changes, record):
    model = squeezenet.build(spec.tiny(5, **{"normalization": "none", **changes}), 48)
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3)).astype(np.float32)
    graph, weights = read_model(to_inference(model), record)
    values = simulation.run(graph, weights, images)
    ordered = images if record.channel_order == "RGB" else images[..., ::-1]
    expected = model((ordered - np.float32(record.mean)) * np.float32(record.scale)).numpy()
    found = values[graph.operations[-1].name].numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_poolings_and_concatenations_share_a_site_with_their_inputs():
    model = squeezenet.build(spec.tiny(5, normalization="none"), 48)
    graph, _ = read_model(to_inference(model), preprocessing.default(48))
    site = {item.name: item.site for item in graph.operations}
    assert site["conv1"] == site["pool1"]
    expands = {site["fire3/expand1x1"], site["fire3/expand3x3"], site["fire3/concat"]}
    assert expands == {site["pool3"]}
    assert site["fire2/squeeze1x1"] != site["fire2/concat"]


def test_folding_the_preprocessing_can_be_undone():
    record = preprocessing.caffe(64)
    kernel = np.random.default_rng(0).standard_normal((3, 3, 3, 8)).astype(np.float32)
    bias = np.arange(8, dtype=np.float32)
    back = unfold(*fold(kernel, bias, record), record)
    np.testing.assert_allclose(back[0], kernel, rtol=1e-6)
    np.testing.assert_allclose(back[1], bias, atol=1e-2)


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (keras.layers.BatchNormalization(name="odd"), "odd"),
        (keras.layers.AveragePooling2D(name="average"), "average"),
        (keras.layers.Conv2D(4, 3, padding="same", strides=2, name="halving"), "halving"),
        (keras.layers.Conv2D(4, 1, use_bias=False, name="unbiased"), "unbiased"),
    ],
)
def test_what_is_not_understood_is_named(layer, name):
    inputs = keras.Input((32, 32, 3))
    features = layer(keras.layers.Conv2D(4, 3, name="conv1")(inputs))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(features))
    with pytest.raises(UsageError, match=name):
        read_model(model, preprocessing.default(32))


def test_a_padded_first_convolution_is_refused():
    inputs = keras.Input((32, 32, 3))
    features = keras.layers.Conv2D(4, 3, padding="same", name="conv1")(inputs)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(features))
    with pytest.raises(UsageError, match="without padding"):
        read_model(model, preprocessing.default(32))


def test_a_range_holds_zero_and_256_levels():
    assert Range.of(0, 255) == Range(1.0, 0)
    signed = Range.of(-51, 204)
    assert (signed.step, signed.lowest) == (1.0, -51)
    assert Range.of(3, 510) == Range(2.0, 0)
    assert Range.of(0, 0).step > 0


def test_rounding_clips_rounds_and_passes_the_gradient():
    import tensorflow as tf

    values = tf.constant([-3.0, 0.4, 0.6, 100.2, 900.0])
    with tf.GradientTape() as tape:
        tape.watch(values)
        rounded = simulation.round_to(values, Range(1.0, 0))
    np.testing.assert_allclose(rounded, [0, 0, 1, 100, 255])
    np.testing.assert_allclose(tape.gradient(rounded, values), [0, 1, 1, 1, 0])
