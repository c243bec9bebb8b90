"""Every kind of classifier, of both Keras versions, gives its own probabilities as a file."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from sqzkit import preprocessing
from sqzkit.base.errors import FormatError, RunError
from sqzkit.base.keras import keras
from sqzkit.base.keras3 import keras3
from sqzkit.coding import sqz
from sqzkit.conversion.converter import convert_model
from sqzkit.conversion.options import ConversionOptions
from sqzkit.conversion.prepared import prepare
from sqzkit.conversion.verify import Reference, refuse_difference
from sqzkit.models.answers import gives_probabilities
from sqzkit.models.keras_file import load_keras_file
from sqzkit.preprocessing.photograph import normalize
from sqzkit.tflite import phone
from sqzkit.tflite.classifier import Classifier, softmax
from sqzkit.tflite.flatbuffer import TFLiteFile
from tests import thorough
from tests.conversion import keras_zoo as zoo

LABELS = tuple("abcde")
LIBRARIES = {2: keras, 3: keras3}
ENDS = ("softmax", "sigmoid", None)


def saved(kind, version, last, folder):
    """The path of a saved network, its record, and its own probabilities of 60 pictures."""
    library, record = LIBRARIES[version], preprocessing.named(zoo.KINDS[kind], zoo.SIDE)
    library.utils.set_random_seed(1)
    calibration, pictures = zoo.pictures(40, seed=1), zoo.pictures(60, seed=2)
    model = zoo.enliven(kind(library, last), normalize(calibration, record), last)
    path = folder / ("m.h5" if last == "sigmoid" else "m.keras")
    model.save(path)
    outputs = np.asarray(model(normalize(pictures, record), training=False))
    return path, record, outputs if last else softmax(outputs)


def check(kind, version, last, quantization, folder):
    path, record, expected = saved(kind, version, last, folder)
    assert np.ptp(expected, axis=0).max() > 0.1, "the answers must differ to show anything"
    pictures, calibration = zoo.pictures(60, seed=2), zoo.pictures(40, seed=1)
    model = load_keras_file(path)
    return check_file(model, record, quantization, calibration, pictures, expected)


def check_file(model, record, quantization, calibration, pictures, expected):
    """Convert, and compare with Keras: float probabilities, and of integers the first answers.

    A file that differs more is refused with the reason.
    """
    options = ConversionOptions(quantization)
    content = convert_model(model, record, LABELS, options, calibration, foreign=True)
    assert not phone.unknown_operators(TFLiteFile(content))
    answers = Reference(model, record, pictures, None, "pictures", foreign=True)
    verification = answers.compare(content)
    try:
        refuse_difference(verification, quantization, 0.5, foreign=True)
    except RunError as error:
        assert quantization != "none"
        assert "differ" in str(error) and "no file was written" in str(error)
        return content
    found = Classifier(content).predict(pictures)
    allowed = {"none": 1e-3, "float16": 2e-2}.get(quantization)
    if allowed:
        assert np.abs(found - expected).max() < allowed
    if quantization == "int8":
        assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.98
    else:
        assert np.abs(found - expected).mean() < 0.05
    return content


# Each kind, each end and each version of Keras at least once; the slow test below has them all.
QUICK = list(zip(zoo.KINDS, (2, 2, 3, 3, 2, 3), (*ENDS, *ENDS), strict=True))


@pytest.mark.parametrize(("kind", "version", "last"), QUICK)
def test_float_files_give_kerass_probabilities(kind, version, last, tmp_path):
    check(kind, version, last, "none", tmp_path)


@pytest.mark.parametrize("quantization", ["dynamic", "int8"])
def test_dense_layers_are_quantized_as_phones_know_them(quantization, tmp_path):
    content = check(zoo.functional, 3, "softmax", quantization, tmp_path)
    archive = sqz.pack(content)
    assert sqz.unpack(archive) == content
    assert Classifier(archive).labels == LABELS


@pytest.mark.slow
@pytest.mark.parametrize("quantization", ["none", "float16", "dynamic", "int8"])
@pytest.mark.parametrize("last", ENDS)
@pytest.mark.parametrize("version", LIBRARIES)
@pytest.mark.parametrize("kind", zoo.KINDS)
def test_the_whole_zoo(kind, version, last, quantization, tmp_path):
    check(kind, version, last, quantization, tmp_path)


@pytest.mark.parametrize("version", LIBRARIES)
@pytest.mark.parametrize("end", ["tanh", "average of softmaxes"])
def test_other_ends_are_refused_with_the_reason(version, end):
    library = LIBRARIES[version]
    layers = library.layers
    image = library.Input((32, 32, 3))
    x = layers.Conv2D(5, 1, activation="tanh" if end == "tanh" else "softmax")(image)
    pool = layers.GlobalMaxPooling2D if end == "tanh" else layers.GlobalAveragePooling2D
    x = pool()(x)
    model = library.Model(image, layers.Activation("tanh")(x) if end == "tanh" else x)
    with pytest.raises(
        RunError, match=r"ends in (Tanh|Mean), which gives neither .* Softmax layer"
    ):
        prepare(model, preprocessing.named("unit", 32), foreign=True)


def small(library, end):
    """A classifier of two layers; `end` makes its output of the features [N, 4, 4, 3]."""
    image = library.Input((32, 32, 3), name="photograph")
    return image, end(library.layers.Conv2D(3, 8, strides=8)(image))


@pytest.mark.parametrize("version", LIBRARIES)
@pytest.mark.parametrize(
    "changed", ["doubled", "moved", "highest", "added", "normalized", "of each", "of another axis"]
)
def test_changed_probabilities_are_refused(version, changed):
    layers = LIBRARIES[version].layers
    flat = layers.GlobalAveragePooling2D()
    ends = {
        "doubled": lambda x: layers.Rescaling(2.0)(layers.Softmax()(flat(x))),
        "moved": lambda x: layers.Rescaling(1.0, offset=0.5)(layers.Softmax()(flat(x))),
        "highest": lambda x: layers.GlobalMaxPooling2D()(layers.Activation("sigmoid")(x)),
        "added": lambda x: layers.Add()(
            [layers.Softmax()(flat(x)), layers.Softmax()(layers.Dense(3)(flat(x)))]
        ),
        "normalized": lambda x: layers.BatchNormalization()(layers.Softmax()(flat(x))),
        "of each": lambda x: layers.LayerNormalization()(layers.Softmax()(flat(x))),
        "of another axis": lambda x: layers.GlobalMaxPooling2D()(layers.Softmax(axis=1)(x)),
    }
    model = LIBRARIES[version].Model(*small(LIBRARIES[version], ends[changed]))
    with pytest.raises(RunError, match="which gives neither logits nor the probabilities"):
        gives_probabilities(model)


@pytest.mark.parametrize("version", LIBRARIES)
def test_a_layer_that_cannot_be_copied_and_weights_that_are_nan(version):
    library = LIBRARIES[version]
    flat = library.layers.Flatten()
    activation = "log_softmax" if version == 3 else tf.nn.log_softmax
    dense = library.layers.Dense(5, activation=activation)
    model = library.Model(*small(library, lambda features: dense(flat(features))))
    record, images = preprocessing.named("unit", 32), zoo.pictures(4, 32)
    prepared = prepare(model, record, foreign=True)
    expected = np.exp(np.asarray(model(normalize(images, record), training=False)))
    np.testing.assert_allclose(np.asarray(prepared(images.astype("f4"))), expected, atol=1e-4)
    dense.set_weights([np.full_like(weight, np.nan) for weight in dense.get_weights()])
    with pytest.raises(RunError, match="float model answers with values that are not finite"):
        Reference(model, record, images, None, "pictures", foreign=True)


@pytest.mark.parametrize("version", LIBRARIES)
def test_logits_and_probabilities_are_told_apart_wherever_they_arise(version):
    library = LIBRARIES[version]
    for kind in (zoo.nested, zoo.residual):
        assert gives_probabilities(kind(library, "softmax"))
        assert not gives_probabilities(kind(library, None))
    image, averaged = small(library, library.layers.GlobalAveragePooling2D())
    assert not gives_probabilities(
        library.Model(image, library.layers.LayerNormalization()(averaged))
    )


# Of keras.applications, with Keras's version; at 96 pixels, with random weights.
LARGE = (
    *("MobileNet", "MobileNetV3Small", "EfficientNetB0", "EfficientNetV2B0", "ResNet50"),
    *("DenseNet121", "Xception"),
    *("InceptionV3", "NASNetMobile", "VGG16", "ConvNeXtTiny", "InceptionResNetV2", "ResNet50V2"),
)
APPLICATIONS = (
    ("MobileNetV2", 2),
    *thorough.pick((), (("MobileNetV2", 3), *itertools.product(LARGE, LIBRARIES))),
)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "version"), APPLICATIONS)
def test_networks_of_keras_applications(name, version, tmp_path):
    """Its own probabilities in float; int8 with the same first answers, or a refusal."""
    library, record = LIBRARIES[version], preprocessing.named("raw", 96)
    library.utils.set_random_seed(1)
    model = getattr(library.applications, name)(
        weights=None, input_shape=(96, 96, 3), classes=5, classifier_activation="softmax"
    )
    model = zoo.enliven(model, normalize(zoo.pictures(24, 96, seed=1), record), "softmax")
    pictures = zoo.pictures(50, 96, seed=2)
    expected = np.asarray(model(normalize(pictures, record), training=False))
    model.save(tmp_path / "m.keras")
    try:
        loaded = load_keras_file(tmp_path / "m.keras")
    except FormatError as error:
        assert "holds code" in str(error) or "wants to import" in str(error)
        return
    calibration = zoo.pictures(24, 96, seed=1)
    every = thorough.THOROUGH or (name, version) == ("MobileNetV3Small", 3)
    for quantization in ("none", "int8", *(("float16", "dynamic") if every else ())):
        check_file(loaded, record, quantization, calibration, pictures, expected)
