import contextlib
import subprocess
import sys

import numpy as np
import pytest

from sqzkit.base.errors import FormatError, SqzkitError, UsageError
from sqzkit.teaching import export, head_file
from sqzkit.teaching.features import FeatureReader
from sqzkit.teaching.head import Head
from sqzkit.tflite import last_layer, metadata
from sqzkit.tflite.classifier import Classifier
from sqzkit.tflite.flatbuffer import TFLiteFile
from tests.fixtures.converted import KINDS
from tests.teaching.golden import FOLDER
from tests.tflite.test_last_layer import convert


def pictures(classes, count, seed=0):
    """Yield pictures of each class in turn, uint8 [32, 32, 3], smooth, in colors of their own."""
    random = np.random.default_rng(seed)
    colors = np.random.default_rng(3).integers(30, 226, (classes, 3))
    for index in range(count * classes):
        noise = random.normal(0, 25, (8, 8, 3)).repeat(4, axis=0).repeat(4, axis=1)
        pixels = np.clip(colors[index % classes] + noise, 0, 255)
        yield index % classes, pixels.astype(np.uint8)


def taught(content, names, **given):
    reader = FeatureReader(content, **given)
    head = Head(reader.digest, reader.size)
    for number, image in pictures(len(names), 8):
        head.add(names[number], reader.average(reader.map(image)))
    return reader, head


def agreement(reader, head, exported, **given):
    """Return the head's probabilities, the file's, and where int8 steps cannot matter."""
    classifier, answers = Classifier(exported, **given), head.teach()
    shown = np.stack([image for _, image in pictures(len(head.labels), 12, seed=5)])
    features = np.stack([reader.average(reader.map(image)) for image in shown])
    expected, found = answers.probabilities(features), classifier.predict(shown)
    certain = np.diff(np.sort(expected)[:, -2:])[:, 0] > 0.25
    assert certain.mean() >= 0.5
    return expected, found, certain


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("names", [("cat", "dog"), tuple("abcdefgh")], ids=["fewer", "more"])
def test_exported_file_answers_as_the_head(converted, kind, names):
    reader, head = taught(converted[kind], names)
    exported = export.export(reader.content, head)
    expected, found, certain = agreement(reader, head, exported)
    assert (expected.argmax(1) == found.argmax(1))[certain].mean() >= 0.97
    assert np.abs(expected - found).mean() < 0.03
    assert Classifier(exported).labels == names
    assert export.export(reader.content, head) == exported


def test_exported_file_keeps_the_network_and_can_be_taught_further(converted):
    reader, head = taught(converted["int8"], ("cat", "dog"))
    exported = export.export(reader.content, head)
    again = FeatureReader(exported)
    assert again.digest == reader.digest
    for _, image in pictures(2, 1):
        assert np.array_equal(again.read(image), reader.read(image))
    assert export.export(again.content, head).count(b"network is that of") == 2
    assert len(exported) < len(reader.content)
    teachable = last_layer.teachable(reader.content)
    shape = Classifier(export.export(teachable, head)).outputs(image)[2].shape
    assert shape == (1, 7, 7, 2)


def test_description_says_what_the_file_is_and_what_it_was(converted):
    reader, head = taught(converted["int8"], ("cat", "dog"))
    found = metadata.read(TFLiteFile(export.export(reader.content, head)))
    base = metadata.read(TFLiteFile(reader.content))
    told = found.description.description
    assert told.startswith("Tells 2 classes apart, taught on 16 photographs.")
    assert told.endswith(base.description.description)
    assert found.description.licence == base.description.licence
    assert found.preprocessing == base.preprocessing


def test_network_with_an_average_and_a_dense_layer():
    content = convert(
        lambda layers: [
            layers.Conv2D(6, 5, strides=4, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, bias_initializer="ones"),
            layers.Softmax(),
        ]
    )
    reader, head = taught(content, ("x", "y", "z"), preprocessing="unit")
    exported = export.export(content, head)
    expected, found, certain = agreement(
        reader, head, exported, preprocessing="unit", labels=head.labels
    )
    assert np.array_equal(expected.argmax(1)[certain], found.argmax(1)[certain])


def test_what_cannot_be_exported(converted):
    reader, head = taught(converted["int8"], ("cat",))
    with pytest.raises(UsageError, match="two classes or more"):
        export.export(reader.content, head)
    with pytest.raises(UsageError, match="the head: taught on features"):
        export.export(converted["uint8"], head)
    without_bias = convert(
        lambda layers: [
            layers.Conv2D(6, 5, strides=4),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, use_bias=False),
        ]
    )
    reader, head = taught(without_bias, ("a", "b"), preprocessing="unit")
    with pytest.raises(FormatError, match="has no bias"):
        export.export(without_bias, head)
    sigmoid = convert(
        lambda layers: [
            layers.Conv2D(6, 5, strides=4),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, activation="sigmoid", bias_initializer="ones"),
        ]
    )
    reader, head = taught(sigmoid, ("a", "b"), preprocessing="unit")
    with pytest.raises(FormatError, match="ends in a sigmoid"):
        export.export(sigmoid, head)


def test_golden_file_is_the_golden_heads_export():
    """The Java writer makes the same bytes of the same two files."""
    base = (FOLDER / "export_base.tflite").read_bytes()
    head = head_file.read(FOLDER / "export.head")
    assert export.export(base, head) == (FOLDER / "export.tflite").read_bytes()


def test_damaged_models_give_a_model_or_an_error():
    base = (FOLDER / "export_base.tflite").read_bytes()
    head, random = head_file.read(FOLDER / "export.head"), np.random.default_rng(0)
    done = 0
    for _ in range(300):
        changed = bytearray(base)
        for position in random.integers(0, len(base), 3):
            changed[position] = random.integers(0, 256)
        with contextlib.suppress(SqzkitError):
            done += bool(export.export(bytes(changed), head))
    assert 5 < done < 290
    for content in (base[:40], base[:4000]):
        with pytest.raises(FormatError):
            export.export(content, head)


def test_other_programs_read_the_file(converted, tmp_path):
    """The schema's own generated classes unpack and pack it, and LiteRT runs what they wrote."""
    reader, head = taught(converted["int8"], tuple("abcdefgh"))
    path = tmp_path / "exported.tflite"
    path.write_bytes(export.export(reader.content, head))
    code = (
        "import sys, flatbuffers\n"
        "from ai_edge_litert import schema_py_generated as schema\n"
        "from ai_edge_litert.interpreter import Interpreter\n"
        "content = open(sys.argv[1], 'rb').read()\n"
        "model = schema.ModelT.InitFromPackedBuf(content, 0)\n"
        "builder = flatbuffers.Builder(1 << 16)\n"
        "builder.Finish(model.Pack(builder), b'TFL3')\n"
        "found = Interpreter(model_content=bytes(builder.Output()))\n"
        "found.allocate_tensors(); found.invoke()\n"
        "print(found.get_output_details()[0]['shape'])\n"
    )
    call = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.stdout == "[1 8]\n", done.stderr
