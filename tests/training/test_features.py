"""Features are computed once for the same images, weights and preprocessing."""

import dataclasses

import numpy as np
import pytest

from sqzkit.base.errors import FormatError
from sqzkit.data.dataset import Example, Split
from sqzkit.models import spec as specs
from sqzkit.models import squeezenet
from sqzkit.preprocessing import caffe
from sqzkit.training.features import compute

RECORD = caffe(32)


@pytest.fixture(scope="module")
def network():
    return squeezenet.build(specs.tiny(4, normalization="none"), 32)


def test_features_are_computed_once_for_the_same_images_and_weights(
    network, colours, folder, monkeypatch
):
    first = compute(network, colours, RECORD, folder, "v1_1")
    computed = []
    monkeypatch.setattr("sqzkit.training.features.of_split", lambda *_: computed.append(1) or first)
    again = compute(network, colours, RECORD, folder, "v1_1")
    assert not computed
    for name in ("values", "mirrored", "labels"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    examples = colours.split("train").examples
    fewer = dataclasses.replace(colours, splits={"train": Split(examples[1:])}, stores={})
    compute(network, fewer, RECORD, folder, "v1_1")
    compute(network, colours, RECORD, folder, "v1_0")
    compute(network, dataclasses.replace(colours, flip=False), RECORD, folder, "v1_1")
    assert len(computed) == 3
    for path in (folder.path / "features").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FormatError, match="damaged checkpoint"):
        compute(network, colours, RECORD, folder, "v1_1")


def test_of_many_images_the_same_few_are_used_and_a_broken_one_is_noted_once(
    network, colours, folder, capsys
):
    examples = (Example(b"broken", 0), *colours.split("train").examples)
    splits = {**colours.splits, "train": Split(examples)}
    data = dataclasses.replace(colours, splits=splits, stores={}, broken=[], flip=False)
    features = compute(network, data, RECORD, folder, "v1_1", limit=96)
    # Number 27 is always the one left out; the broken one was chosen, and is dropped later.
    expected = [e.label for index, e in enumerate(examples) if index not in (0, 27)]
    np.testing.assert_array_equal(features.labels, expected)
    assert len(features.values) == 95 and not features.mirrored.size
    assert not data.broken and data.split("train").num_examples == 97


def test_mirrored_features_are_those_of_the_mirror_images(network, colours, folder):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), np.uint8).repeat(8, 1)
    pictures = pixels.repeat(8, 2)

    def features(images):
        examples = tuple(Example(image, 0) for image in images)
        data = dataclasses.replace(colours, splits={"train": Split(examples)}, stores={}, flip=True)
        return compute(network, data, RECORD, folder, "v1_1")

    plain, mirror = features(pictures), features(pictures[:, :, ::-1])
    np.testing.assert_allclose(plain.mirrored, mirror.values, rtol=1e-5, atol=1e-6)
    assert np.abs(plain.mirrored - plain.values).max() > 1e-3
