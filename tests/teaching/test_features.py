import dataclasses
import json

import numpy as np
import pytest

from sqzkit.base.errors import FormatError
from sqzkit.coding import sqz
from sqzkit.teaching.features import STEPS, FeatureReader
from sqzkit.tflite import last_layer
from tests.teaching.golden import FOLDER

INDEX = json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))


def test_features_are_the_average_of_the_map(converted, noise_images):
    reader = FeatureReader(converted["int8"])
    assert reader.size == 16
    for image in noise_images[:3]:
        values = reader.map(image)
        assert values.shape == (7, 7, 16)
        assert values.min() == 0  # after a ReLU the zero point is the smallest value
        np.testing.assert_allclose(reader.average(values), values.mean((0, 1)) * 128, atol=0.5)
        found = reader.read(image)
        assert found.dtype == np.int16
        prepared = reader.classifier.prepare(image)
        assert np.array_equal(found, reader.average(reader.map(prepared)))


def test_class_map_averages_to_the_models_own_scores(converted, noise_images):
    for kind in ("int8", "none"):
        reader = FeatureReader(converted[kind])
        for image in noise_images[:3]:
            scores = reader.class_map(image).mean((0, 1))
            best = reader.classifier.answer(image, 1)[0][0].index
            assert scores.max() - scores[best] <= (1 if kind == "int8" else 1e-5)
            assert scores.min() >= 0
    reader.layer = dataclasses.replace(reader.layer, class_map=None)
    with pytest.raises(FormatError, match="averages before its last layer"):
        reader.class_map(noise_images[0])


def test_int8_features_are_floats_features(converted, noise_images):
    integer, real = FeatureReader(converted["int8"]), FeatureReader(converted["none"])
    scale = integer.layer.features.scales[0]
    for image in noise_images:
        found = integer.read(image) * scale / 128
        np.testing.assert_allclose(found, real.read(image) / 128, atol=3 * scale)


def test_archive_plain_and_teachable_file_have_the_same_features(converted, noise_images):
    content = converted["int8"]
    plain = FeatureReader(content)
    for other in (sqz.pack(content), last_layer.teachable(content)):
        reader = FeatureReader(other)
        assert reader.digest == plain.digest
        assert np.array_equal(reader.read(noise_images[0]), plain.read(noise_images[0]))
    assert FeatureReader(converted["uint8"]).digest != plain.digest


@pytest.mark.parametrize("number", range(len(INDEX["averages"])))
def test_averages_are_the_golden_ones(converted, monkeypatch, number):
    case = INDEX["averages"][number]
    reader = FeatureReader(converted["int8"])
    monkeypatch.setattr(reader, "steps", STEPS[case["dtype"]])
    kind = np.float64 if case["dtype"] == "float32" else np.int64
    assert reader.average(np.array(case["map"], kind)).tolist() == case["features"]


def test_what_cannot_be_taught_names_the_file(tmp_path):
    with pytest.raises(FormatError, match="neither a"):
        FeatureReader(b"nothing")
    path = tmp_path / "a.tflite"
    path.write_bytes(b"    TFL3")
    with pytest.raises(FormatError, match=r"a\.tflite: damaged TFLite model"):
        FeatureReader(path)
