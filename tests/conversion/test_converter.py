import contextlib
import dataclasses
import itertools

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from sqzkit.base.errors import InvariantError, RunError, UsageError
from sqzkit.conversion import checks, converter
from sqzkit.conversion.converter import convert_model
from sqzkit.conversion.options import ConversionOptions
from sqzkit.conversion.prepared import prepare, round_first_kernel
from sqzkit.models import registry
from sqzkit.models.spec import tiny
from sqzkit.preprocessing import Preprocessing
from sqzkit.preprocessing.photograph import normalize
from sqzkit.tflite.classifier import Classifier, softmax
from sqzkit.tflite.flatbuffer import TFLiteFile

LABELS = ("ant", "bee", "cat", "dog", "eel")


def float_answer(model, record, images):
    return softmax(model(normalize(images, record)).numpy())


def tiny_network(**changes):
    """A fresh tiny SqueezeNet with lively weights and used normalization statistics."""
    model = registry.build_from_json(tiny(5, **changes).to_json(), 32)
    random = np.random.default_rng(4)
    for layer in model.layers:
        weights = layer.get_weights()
        if layer.name.endswith("/bn"):
            layer.set_weights([random.uniform(0.5, 1.5, w.shape) for w in weights])
        elif weights:
            kernel = random.normal(
                0, 1.5 / np.sqrt(np.prod(weights[0].shape[:3])), weights[0].shape
            )
            biases = [random.uniform(0, 0.2, w.shape) for w in weights[1:]]
            layer.set_weights([kernel, *biases])
    return model


def test_a_calibrated_file_has_the_ranges_of_training_photographs(monkeypatch, record):
    monkeypatch.setattr(converter, "raw_images", lambda *asked: (asked, "labels"))
    monkeypatch.setattr(converter, "convert_model", lambda *given: given)
    given = converter.convert_calibrated("model", record, LABELS, "data", 7, 3)
    options = ConversionOptions("int8", "per_tensor")
    assert given == ("model", record, LABELS, options, ("data", "train", record, 7, 3))


def test_float_files_compute_the_keras_model(converted, small_network, record, noise_images):
    expected = float_answer(small_network, record, noise_images)
    assert expected.max(axis=1).min() > 0.22, "the answers must differ to show anything"
    none = Classifier(converted["none"]).predict(noise_images)
    np.testing.assert_allclose(none, expected, atol=2e-5)
    half = Classifier(converted["float16"]).predict(noise_images)
    np.testing.assert_allclose(half, expected, atol=5e-3)


@pytest.mark.parametrize("kind", ["int8", "uint8", "int8_float32"])
def test_int8_files_answer_nearly_the_same(converted, small_network, record, noise_images, kind):
    expected = float_answer(small_network, record, noise_images)
    found = Classifier(converted[kind]).predict(noise_images)
    assert np.abs(found - expected).mean() < 0.02
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.75


@pytest.mark.parametrize(("kind", "zero"), [("int8", -128), ("uint8", 0)])
def test_integer_input_is_the_pixels_bytes(converted, kind, zero):
    model = TFLiteFile(converted[kind])
    source, target = model.tensors[model.inputs[0]], model.tensors[model.outputs[0]]
    assert (source.dtype, target.dtype) == (kind, kind)
    assert (source.scales.tolist(), source.zero_points.tolist()) == ([1.0], [zero])
    assert (target.scales.tolist(), target.zero_points.tolist()) == ([1 / 256], [zero])


@pytest.mark.parametrize(("kind", "rounds"), [("int8", False), ("uint8", True)])
def test_the_first_bias_makes_up_for_one_scale_a_tensor(
    converted, small_network, record, kind, rounds
):
    """The file `uint8` has one, `int8` one for each filter."""
    prepared = prepare(small_network, record)
    if rounds:
        round_first_kernel(prepared, record)
    model = TFLiteFile(converted[kind])
    bias = model.convolutions()[0].bias
    found = model.data(bias) * bias.scales
    expected = prepared.get_layer("conv1").get_weights()[1]
    np.testing.assert_allclose(found, expected, atol=bias.scales.max())


@pytest.mark.parametrize("quantization", ["dynamic", "int16x8"])
@pytest.mark.parametrize("granularity", ["per_tensor", "per_channel"])
def test_the_other_formats(small_network, record, noise_images, quantization, granularity):
    options = ConversionOptions(quantization, granularity)
    content = convert_model(small_network, record, LABELS, options, noise_images)
    expected = float_answer(small_network, record, noise_images)
    found = Classifier(content).predict(noise_images)
    assert np.abs(found - expected).mean() < 0.02
    sizes = {item.kernel.scales.size for item in TFLiteFile(content).convolutions()}
    if quantization == "int16x8":
        assert sizes == ({1} if granularity == "per_tensor" else {4, 5, 8})


FORMS = [("none", "none"), ("simple", "batch"), ("complex", "batch")]
FORMS += [
    pytest.param(bypass, normalization, marks=pytest.mark.slow)
    for bypass, normalization in (("none", "batch"), ("simple", "none"), ("complex", "none"))
]


@pytest.mark.parametrize(("bypass", "normalization"), FORMS)
def test_every_form_of_squeezenet_has_a_clean_graph(bypass, normalization, noise_images):
    model = tiny_network(bypass=bypass, normalization=normalization, conv10_padding=1)
    record = Preprocessing(32, 32)
    content = convert_model(model, record, LABELS, ConversionOptions("none"))
    found = TFLiteFile(content).operator_counts()
    added = {"none": 1, "simple": 2, "complex": 4}[bypass]
    convolutions = 11 + (2 if bypass == "complex" else 0)
    assert found == {
        "ADD": added,
        "CONCATENATION": 3,
        "CONV_2D": convolutions,
        "MAX_POOL_2D": 2,
        "MEAN": 1,
        "SOFTMAX": 1,
    }
    expected = float_answer(model, record, noise_images)
    np.testing.assert_allclose(Classifier(content).predict(noise_images), expected, atol=2e-5)


@pytest.mark.slow
def test_the_whole_v1_1_in_int8_has_the_operators_of_the_paper():
    from sqzkit.models.spec import v1_1

    model = registry.build_from_json(v1_1(10).to_json(), 48)
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)
    labels = tuple("0123456789")
    content = convert_model(model, Preprocessing(48, 48), labels, ConversionOptions(), images)
    assert TFLiteFile(content).operator_counts() == {
        "CONCATENATION": 8,
        "CONV_2D": 26,
        "MAX_POOL_2D": 3,
        "MEAN": 1,
        "SOFTMAX": 1,
    }


def test_the_same_arguments_give_the_same_bytes(small_network, record, noise_images, converted):
    options = ConversionOptions("int8", "per_tensor", "uint8")
    again = convert_model(small_network, record, LABELS, options, noise_images)
    assert again == converted["uint8"]


def test_the_model_is_not_changed(small_network, record):
    before = small_network.get_weights()
    prepare(small_network, record)
    for old, new in zip(before, small_network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_model_that_ends_in_softmax_gets_no_second_one(small_network, record, converted):
    import tf_keras as keras

    ended = keras.Model(small_network.input, keras.layers.Softmax()(small_network.output))
    content = convert_model(ended, record, LABELS, ConversionOptions("none"), foreign=True)
    assert TFLiteFile(content).operator_counts() == TFLiteFile(converted["none"]).operator_counts()


@pytest.mark.slow
def test_networks_of_other_makers_convert_too(noise_images):
    import tf_keras as keras

    layers = keras.layers
    image = keras.Input((32, 32, 3))
    x = layers.ZeroPadding2D(1)(image)
    x = layers.SeparableConv2D(6, 3, strides=2)(x)
    x = layers.BatchNormalization()(x)
    x = layers.GlobalAveragePooling2D()(layers.ReLU(6.0)(x))
    model = keras.Model(image, layers.Dense(5, activation="softmax")(x))
    record = Preprocessing(32, 32)
    content = convert_model(model, record, LABELS, ConversionOptions("none"), foreign=True)
    expected = model(normalize(noise_images, record)).numpy()
    np.testing.assert_allclose(Classifier(content).predict(noise_images), expected, atol=2e-5)
    integer = convert_model(model, record, LABELS, ConversionOptions(), noise_images, foreign=True)
    assert np.abs(Classifier(integer).predict(noise_images) - expected).max() < 0.05


def test_buffers_stay_aligned(converted):
    for kind in ("none", "int8"):
        model = TFLiteFile(converted[kind])
        starts = [model._buffers[t.buffer][0] for t in model.tensors if model.is_constant(t)]
        assert starts and all(start % 16 == 0 for start in starts)


@pytest.mark.parametrize("kind", ["none", "float16", "int8", "uint8", "int8_float32"])
def test_tensorflows_interpreter_agrees(converted, noise_images, kind):
    import tensorflow as tf

    raw_zero = -128 if kind == "int8" else 0
    both = []
    for make in (Interpreter, tf.lite.Interpreter):
        interpreter = make(model_content=converted[kind])
        interpreter.allocate_tensors()
        source, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        answers = []
        for image in noise_images:
            pixels = (image[None].astype(int) + raw_zero).astype(source["dtype"])
            interpreter.set_tensor(source["index"], pixels)
            interpreter.invoke()
            answers.append(interpreter.get_tensor(result["index"])[0].astype(float))
        both.append(np.stack(answers))
    np.testing.assert_allclose(both[0], both[1], atol=1e-5)
    assert np.ptp(both[0], axis=0).max() > 0.01  # the pictures do tell


def test_refuses_what_does_not_fit(small_network, record, noise_images):
    with pytest.raises(UsageError, match=r"takes \[32, 32, 3\].*gives \[64, 64, 3\]"):
        convert_model(small_network, Preprocessing(64, 64), LABELS, ConversionOptions("none"))
    with pytest.raises(UsageError, match="needs representative images"):
        convert_model(small_network, record, LABELS, ConversionOptions("int8"))
    same = np.repeat(noise_images[:1], 10, axis=0)
    with pytest.raises(UsageError, match="only 1 of 10 representative images are distinct"):
        convert_model(small_network, record, LABELS, ConversionOptions("int8"), same)


def test_a_failing_converter_is_an_error_of_ours(small_network, record, monkeypatch):
    def fail(self):
        raise ValueError("no such operator")

    monkeypatch.setattr(converter.tf.lite.TFLiteConverter, "convert", fail)
    monkeypatch.setattr(
        converter.tf.lite.TFLiteConverter, "from_concrete_functions", lambda *a: Fake(fail)
    )
    with pytest.raises(RunError, match="converter fails: no such operator"):
        convert_model(small_network, record, LABELS, ConversionOptions("none"))


class Fake:
    def __init__(self, fail):
        self._fail = fail

    def convert(self):
        self._fail(self)


def test_a_file_that_is_not_what_was_asked_for_is_refused(converted, small_network, record):
    prepared = prepare(small_network, record)
    for kind, asked, message in (
        ("int8", ConversionOptions("int8", "per_tensor", "int8"), "8 scales; per_tensor means 1"),
        ("uint8", ConversionOptions("int8", "per_channel", "uint8"), "1 scales; per_channel"),
        ("int8", ConversionOptions("int8", "per_channel", "uint8"), "operators"),
        ("none", ConversionOptions("int8", "per_channel", "int8"), "float32 instead of int8"),
        ("int8", ConversionOptions("none"), "int8 instead of float32"),
        ("none", ConversionOptions("float16"), "float32 instead of float16"),
    ):
        with pytest.raises(InvariantError, match=message):
            checks.check(TFLiteFile(converted[kind]), prepared, asked)
    forms = {
        "none": ConversionOptions("none"),
        "int8": ConversionOptions("int8", "per_tensor", "int8"),
        "uint8": ConversionOptions("int8", "per_tensor", "uint8"),
    }
    for kind, wanted in itertools.product(forms, forms):
        refused = pytest.raises(InvariantError, match="input: is .* instead of")
        with contextlib.nullcontext() if kind == wanted else refused:
            checks.check_ends(TFLiteFile(converted[kind]), forms[wanted])
    with pytest.raises(InvariantError, match="nowhere: the int8 file has 0 layers of that name"):
        checks.int8_kernels(converted["int8"], ["nowhere"])


@pytest.mark.parametrize(("kind", "zero"), [("int8", 0), ("uint8", -128)])
def test_a_zero_point_that_is_not_the_lowest_byte_is_refused(converted, kind, zero):
    options = ConversionOptions("int8", "per_tensor", kind)
    for end in ("input", "output"):
        file = TFLiteFile(converted[kind])
        tensor = file.tensors[getattr(file, f"{end}s")[0]]
        assert tensor.zero_points.tolist() == [-128 - zero]
        spoilt = dataclasses.replace(tensor, zero_points=np.array([zero]))
        file.tensors = tuple(spoilt if one is tensor else one for one in file.tensors)
        with pytest.raises(InvariantError, match=f"{end}: has scale and zero point .*{zero}]"):
            checks.check_ends(file, options)


def test_a_scale_that_is_not_one_is_refused(small_network, converted, record):
    import tf_keras as keras

    options = ConversionOptions("int8", "per_channel", "int8")
    good = TFLiteFile(converted["int8"])
    for index, name in ((good.inputs[0], "input"), (good.outputs[0], "output")):
        bad = TFLiteFile(good.replace({}, {index: np.array([0.75], np.float32)}))
        with pytest.raises(InvariantError, match=f"{name}: has scale"):
            checks.check(bad, prepare(small_network, record), options)
    nested = keras.Sequential([small_network])
    assert checks.expected_operators(nested, options) is None
