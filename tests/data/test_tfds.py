import numpy as np
import pytest

from sqzkit import preprocessing
from sqzkit.base.errors import UsageError
from sqzkit.data import store
from sqzkit.data import tfds as subject
from sqzkit.data.open import open_dataset
from sqzkit.data.source import DataSource
from sqzkit.preprocessing import decoding

tfds = pytest.importorskip("tensorflow_datasets")


def features(**kinds):
    made = {
        "image": tfds.features.Image(shape=(None, None, 3)),
        "second": tfds.features.Image(shape=(None, None, 3)),
        "label": tfds.features.ClassLabel(names=["x", "y"]),
        "one": tfds.features.ClassLabel(names=["x"]),
        "text": tfds.features.Text(),
    }
    return tfds.features.FeaturesDict({name: made[kind] for name, kind in kinds.items()})


@pytest.fixture
def stored(tmp_path):
    """Write a TFDS data set in its own format and return its folder."""

    def make(structure, splits, example, name="toy"):
        def examples(count):
            generator = np.random.default_rng(0)
            for i in range(count):
                image = generator.integers(0, 256, (6 + i % 3, 7, 3), np.uint8)
                yield i, example(image, i)

        tfds.dataset_builders.store_as_tfds_dataset(
            name=name,
            version="1.0.0",
            features=structure,
            split_datasets={split: list(examples(count)) for split, count in splits.items()},
            data_dir=tmp_path,
            disable_shuffling=True,
        )
        return str(tmp_path)

    return make


def plain(image, i):
    return {"image": image, "label": i % 2}


def opened(folder, name="toy", **changes):
    return open_dataset(DataSource(tfds_name=name, tfds_data_dir=folder, **changes))


def test_a_data_set_of_one_split_is_cut_into_three(stored):
    dataset = opened(stored(features(image="image", label="label"), {"train": 30}, plain))
    assert dataset.labels == ("x", "y")
    assert [s.num_examples for s in dataset.splits.values()] == [20, 4, 6]
    assert dataset.flip
    assert all(isinstance(e.image, bytes) for e in dataset.split("train").examples)


def test_labels_and_pixels_are_what_was_stored(stored):
    folder = stored(features(image="image", label="label"), {"train": 12, "test": 4}, plain)
    examples = opened(folder).split("test").examples
    assert [example.label for example in examples] == [0, 1, 0, 1]
    generator = np.random.default_rng(0)
    wanted = [generator.integers(0, 256, (6 + i % 3, 7, 3), np.uint8) for i in range(4)]
    for example, image in zip(examples, wanted, strict=True):
        np.testing.assert_array_equal(np.asarray(decoding.decode(example.image)), image)


def test_a_test_split_without_labels_is_not_used(stored):
    def hidden(image, i):
        # The test split is the only one with so many examples.
        return {"image": image, "label": -1 if i >= 20 else i % 2}

    splits = {"train": 20, "validation": 6, "test": 30}
    folder = stored(features(image="image", label="label"), splits, hidden)
    dataset = opened(folder)
    assert [s.num_examples for s in dataset.splits.values()] == [18, 2, 6]


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ({"image": "image", "text": "text"}, "one ClassLabel feature .* found 0 among: image"),
        ({"a": "image", "b": "second", "label": "label"}, "one Image feature .* found 2 among"),
        ({"text": "text", "label": "label"}, "one Image feature .* found 0"),
        ({"image": "image", "label": "one"}, "has only one class"),
    ],
)
def test_what_is_no_image_classification_is_refused(kinds, message, stored):
    structure = features(**kinds)

    def example(image, i):
        values = {"image": image, "second": image, "label": 0, "one": 0, "text": "t"}
        return {name: values[kind] for name, kind in kinds.items()}

    folder = stored(structure, {"train": 4}, example)
    with pytest.raises(UsageError, match=message):
        opened(folder)


def test_an_unknown_name_is_answered_with_close_ones(tmp_path):
    with pytest.raises(UsageError, match="'cifr10': .*did you mean cifar10"):
        opened(str(tmp_path), "cifr10")


def test_nothing_is_fetched_unasked(tmp_path):
    with pytest.raises(UsageError, match=f"not in {tmp_path}; .*--tfds_download"):
        opened(str(tmp_path), "mnist")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "flip"), [("mnist_like", False), ("toy", True)])
def test_letters_are_not_mirrored(name, flip, stored):
    folder = stored(features(image="image", label="label"), {"train": 20}, plain, name)
    assert opened(folder, name).flip is flip
    assert opened(folder, name, flip="on").flip


def test_the_images_of_a_large_data_set_stay_where_they_lie(stored, monkeypatch):
    folder = stored(features(image="image", label="label"), {"train": 20}, plain)
    in_memory = opened(folder)
    monkeypatch.setattr(subject, "MEMORY_BUDGET", 10)
    large = opened(folder)
    for split in large.splits:
        a, b = large.split(split).examples, in_memory.split(split).examples
        assert [(e.image.read(), e.label) for e in a] == [(e.image, e.label) for e in b]
    record = preprocessing.default(32)
    pixels = store.open_store(in_memory, "train", record).take(np.arange(5))
    large.memory_budget = 0
    decoding = store.open_store(large, "train", record)
    assert isinstance(decoding, store.DecodingStore)
    np.testing.assert_array_equal(decoding.take(np.arange(5)), pixels)


def test_decoded_images_of_a_large_data_set_are_kept_in_the_cache(stored, tmp_path, monkeypatch):
    folder = stored(features(image="image", label="label"), {"train": 20}, plain)
    monkeypatch.setattr(subject, "MEMORY_BUDGET", 10)
    source = DataSource(tfds_name="toy", tfds_data_dir=folder)
    record, cache = preprocessing.default(32), tmp_path / "cache"
    for _ in range(2):
        dataset = open_dataset(source, cache)
        dataset.memory_budget = 0
        opened_store = store.open_store(dataset, "train", record)
        assert isinstance(opened_store.images, np.memmap)
        assert len(list(cache.glob("*.npy"))) == 1
    pixels = [example.load(record) for example in dataset.split("train").examples]
    np.testing.assert_array_equal(opened_store.take(np.arange(len(pixels))), pixels)


def test_a_large_data_set_in_another_format_is_refused(stored, monkeypatch):
    folder = stored(features(image="image", label="label"), {"train": 20}, plain)
    monkeypatch.setattr(subject, "MEMORY_BUDGET", 10)
    other = tfds.core.file_adapters.FileFormat.RIEGELI
    monkeypatch.setattr(tfds.core.DatasetInfo, "file_format", other)
    with pytest.raises(UsageError, match="stored as riegeli; .*--out_file_format=tfrecord"):
        opened(folder)


@pytest.mark.slow
def test_cifar10_as_it_lies_on_the_disk(shared_dir):
    dataset = opened(str(shared_dir / "data" / "tfds"), "cifar10")
    assert dataset.labels[:3] == ("airplane", "automobile", "bird")
    assert [s.num_examples for s in dataset.splits.values()] == [45000, 5000, 10000]
    assert (np.bincount(dataset.split("validation").labels) == 500).all()
