import io
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from sqzkit.base import flatbuffer_tables
from sqzkit.base.errors import FormatError, RunError, UsageError
from sqzkit.preprocessing import Preprocessing
from sqzkit.preprocessing.photograph import normalize
from sqzkit.tflite import classifier as classifier_module
from sqzkit.tflite import metadata
from sqzkit.tflite.classifier import Classifier, softmax
from sqzkit.tflite.flatbuffer import Tensor
from sqzkit.tflite.metadata import Description

LABELS = ("ant", "bee", "cat", "dog", "eel")


@pytest.mark.parametrize("kind", ["none", "float16", "int8", "uint8", "int8_float32"])
def test_top_k_are_the_best_classes_in_order(converted, noise_images, kind):
    classifier = Classifier(converted[kind])
    prepared = np.stack([classifier.prepare(image) for image in noise_images])
    probabilities = classifier.predict(prepared)
    assert probabilities.shape == (12, 5)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=0.02)
    for image, row in zip(noise_images, probabilities, strict=True):
        best = classifier.classify(image, top_k=3)
        assert [item.probability for item in best] == sorted(row, reverse=True)[:3]
        assert best[0].label == LABELS[int(row.argmax())]
        assert all(item.label == LABELS[item.index] for item in best)


def test_a_photograph_may_come_as_path_bytes_image_or_pixels(converted, tmp_path):
    random = np.random.default_rng(8)
    pixels = random.integers(0, 256, (50, 40, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    path = tmp_path / "photo.png"
    path.write_bytes(stream.getvalue())
    classifier = Classifier(converted["int8"])
    answers = [
        classifier.classify(form)
        for form in (path, str(path), stream.getvalue(), Image.fromarray(pixels), pixels)
    ]
    assert len(answers[0]) == 5
    assert all(answer == answers[0] for answer in answers)


def test_more_classes_than_there_are_gives_all(converted, noise_images):
    assert len(Classifier(converted["none"]).classify(noise_images[0], top_k=99)) == 5


def test_refuses_bad_arguments(converted, tmp_path):
    classifier = Classifier(converted["none"])
    with pytest.raises(UsageError, match="top_k=0"):
        classifier.classify(np.zeros((32, 32, 3), np.uint8), top_k=0)
    with pytest.raises(UsageError, match=r"must be uint8 \[H, W, 3\]"):
        classifier.classify(np.zeros((32, 32), np.uint8))
    with pytest.raises(UsageError, match=r"uint8 \[N, 32, 32, 3\]"):
        classifier.predict(np.zeros((1, 32, 32, 3), np.float32))
    with pytest.raises(UsageError, match=r"uint8 \[N, 32, 32, 3\]"):
        classifier.predict(np.zeros((1, 33, 32, 3), np.uint8))
    (tmp_path / "a.jpg").write_text("no picture")
    with pytest.raises(RunError, match="a.jpg"):
        classifier.classify(tmp_path / "a.jpg")


def test_refuses_what_is_no_model(tmp_path):
    path = tmp_path / "m.tflite"
    with pytest.raises(RunError, match=r"m\.tflite is missing"):
        Classifier(path)
    path.write_text("hello, I am no model")
    with pytest.raises(FormatError, match=r"m\.tflite: neither a \.tflite model nor a \.sqz"):
        Classifier(path)


def test_refuses_models_that_classify_no_images(tmp_path):
    import tensorflow as tf
    import tf_keras as keras

    def converted(shape, units):
        inputs = keras.Input(shape)
        outputs = keras.layers.Dense(units)(keras.layers.Flatten()(inputs))
        converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(inputs, outputs))
        return converter.convert()

    with pytest.raises(FormatError, match=r"its input is \[1, 7\]"):
        Classifier(converted((7,), 3))
    with pytest.raises(FormatError, match=r"its output is \[1, 1\]"):
        Classifier(converted((32, 32, 3), 1))
    with pytest.raises(FormatError, match="how to normalize"):
        Classifier(converted((32, 32, 3), 2))
    with pytest.raises(FormatError, match="16 pixels"):
        Classifier(converted((16, 16, 3), 2))


def test_labels_must_be_as_many_as_outputs(converted):
    Classifier(converted["int8"], labels=list("abcde"))
    with pytest.raises(FormatError, match="4 labels for 5 outputs"):
        Classifier(converted["int8"], labels=list("abcd"))


def test_a_file_without_metadata_still_runs(bare_int8, noise_images):
    classifier = Classifier(bare_int8)
    assert classifier.labels == tuple(f"class {i}" for i in range(5))
    # Its input quantization tells the real values: pixels, nearly.
    np.testing.assert_allclose(classifier.preprocessing.scale, 1, atol=0.02)
    np.testing.assert_allclose(classifier.preprocessing.mean, 0, atol=2)
    # It ends in logits, so softmax is done here.
    np.testing.assert_allclose(classifier.predict(noise_images).sum(axis=1), 1, atol=1e-5)


def test_other_makers_normalization_is_followed(bare_float, noise_images):
    record = {3: [{2: [{4: [{0: metadata.Scalar("uint8", 1), 1: normalization()}]}], 3: [{}]}]}
    entry = flatbuffer_tables.write(record, b"M001")
    foreign = metadata.append_files(metadata.add_entry(bare_float, metadata.ENTRY, entry), {})
    classifier = Classifier(foreign)
    assert classifier.preprocessing.mean == (10.0, 20.0, 30.0)
    np.testing.assert_allclose(classifier.preprocessing.scale, 1 / 64)
    given = Preprocessing(32, 32, mean=(10, 20, 30), scale=(1 / 64,) * 3)
    expected = Classifier(bare_float, preprocessing=given).predict(noise_images)
    np.testing.assert_array_equal(classifier.predict(noise_images), expected)


def normalization():
    return {0: np.array([10, 20, 30], np.float32), 1: np.array([64], np.float32)}


def test_a_record_of_another_size_is_refused(converted):
    with pytest.raises(UsageError, match="takes 32 pixels, the preprocessing record gives 64"):
        Classifier(converted["int8"], preprocessing=Preprocessing(64, 64))


def test_softmax_is_stable():
    np.testing.assert_allclose(softmax(np.array([1000.0, 1000.0])), [0.5, 0.5])


def test_needs_no_tensorflow(converted, tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(converted["int8"])
    code = (
        "import sys, numpy as np; from sqzkit.tflite.classifier import Classifier; "
        f"Classifier({str(path)!r}).classify(np.zeros((40, 40, 3), np.uint8)); "
        "assert not {'tensorflow', 'tf_keras', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_damaged_files_give_an_error_or_an_answer(converted, noise_images, tmp_path):
    """In a process of its own: a crash of the interpreter would be a failure."""
    (tmp_path / "m.tflite").write_bytes(converted["int8"])
    code = f"""
import numpy as np
from pathlib import Path
from sqzkit.base.errors import SqzkitError
from sqzkit.tflite.classifier import Classifier
good = Path({str(tmp_path / "m.tflite")!r}).read_bytes()
random = np.random.default_rng(2)
refused = 0
for _ in range(300):
    bad = bytearray(good)
    for position in random.integers(0, len(bad), 4):
        bad[position] = random.integers(0, 256)
    try:
        Classifier(bytes(bad)).predict(np.zeros((1, 32, 32, 3), np.uint8))
    except SqzkitError:
        refused += 1
assert refused > 20, refused
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_description_is_kept(converted):
    assert Classifier(converted["int8"]).metadata.description == Description(name="small")


def test_a_model_that_would_take_all_memory_is_refused(converted, monkeypatch):
    monkeypatch.setattr(classifier_module, "_MAX_VALUES", 1000)
    with pytest.raises(FormatError, match="activations have more than 1,000 values"):
        Classifier(converted["int8"])


def test_a_failing_inference_is_an_error_of_ours(converted, noise_images, monkeypatch):
    classifier = Classifier(converted["int8"])

    class Failing:
        def set_tensor(self, index, values):
            pass

        def invoke(self):
            raise RuntimeError("Input tensor 35 lacks data")

    monkeypatch.setattr(classifier, "_interpreter", Failing())
    with pytest.raises(FormatError, match="cannot run the model: Input tensor 35"):
        classifier.predict(noise_images)


def test_an_operator_without_inputs_ends_the_search_for_a_softmax():
    operator = SimpleNamespace(name="DEQUANTIZE", inputs=(), outputs=("answer",))
    model = SimpleNamespace(outputs=["answer"], operators=[operator])
    assert classifier_module._finish(model) is softmax


@pytest.mark.parametrize(("dtype", "zero"), [("uint8", 7), ("int8", -100), ("int8", -128)])
def test_integers_of_which_nothing_is_said_take_the_pixels_as_they_are(dtype, zero):
    tensor = Tensor(
        0, "image", (1, 32, 32, 3), dtype, np.array([0.5], np.float32), np.array([zero]), 0, 0, 0
    )
    record = classifier_module._preprocessing(tensor, None)
    pixels = np.arange(256, dtype=np.uint8).repeat(12).reshape(32, 32, 3)
    given = classifier_module.quantize(normalize(pixels, record), tensor)
    assert given.dtype == dtype
    np.testing.assert_array_equal(given, pixels.astype(int) - (128 if dtype == "int8" else 0))


def test_what_a_file_does_not_say_can_be_given(bare_float, record, noise_images, tmp_path):
    with pytest.raises(FormatError, match="one of default, caffe, torchvision, unit, raw"):
        Classifier(bare_float)
    raw = Classifier(bare_float, preprocessing="raw", labels=LABELS)
    assert (raw.preprocessing.scale, raw.labels) == ((1, 1, 1), LABELS)
    unit = Classifier(bare_float, preprocessing="unit")
    assert np.abs(raw.predict(noise_images) - unit.predict(noise_images)).max() > 0.01
    record.save(tmp_path / "p.json")
    assert Classifier(bare_float, preprocessing=str(tmp_path / "p.json")).preprocessing == record
    for name, message in (("inception", "must be one of"), (str(tmp_path), "must be one of")):
        with pytest.raises(UsageError, match=message):
            Classifier(bare_float, preprocessing=name)
    Preprocessing(64, 64).save(tmp_path / "p.json")
    with pytest.raises(UsageError, match="gives 64 pixels, the model takes 32"):
        Classifier(bare_float, preprocessing=str(tmp_path / "p.json"))
