import hashlib
import json
import os

import numpy as np
import pytest

from sqzkit import preprocessing
from sqzkit.base.errors import RunError
from sqzkit.data import pipeline, store
from sqzkit.data.dataset import Example
from sqzkit.data.open import open_dataset
from sqzkit.data.source import DataSource

RECORD = preprocessing.default(32)


def _images(top, cache, split):
    dataset = open_dataset(DataSource(data_dir=str(top)), cache_dir=cache)
    return [example.image for example in dataset.split(split).examples]


def epoch(dataset):
    batches = pipeline.training_batches(dataset, RECORD, 4, "light", 0, 0)
    return np.concatenate([images for images, _ in batches.as_numpy_iterator()])


def test_memory_file_and_decoding_give_the_same_images(coloured, tmp_path):
    memory, file, decoding = coloured(), coloured(), coloured()
    file.memory_budget = decoding.memory_budget = 0
    file.cache_dir = tmp_path
    reference = epoch(memory)
    np.testing.assert_array_equal(epoch(file), reference)
    np.testing.assert_array_equal(epoch(decoding), reference)
    kinds = [next(iter(d.stores.values())) for d in (memory, file, decoding)]
    assert [type(s).__name__ for s in kinds] == ["ArrayStore", "ArrayStore", "DecodingStore"]
    assert [s.in_memory for s in kinds] == [True, False, False]


def test_images_are_decoded_once(coloured, monkeypatch):
    dataset = coloured()
    loads = []
    original = Example.load
    monkeypatch.setattr(Example, "load", lambda *a: loads.append(1) or original(*a))
    for _ in range(3):
        epoch(dataset)
    assert len(loads) == 20
    # Another normalization needs no other pixels.
    store.open_store(dataset, "train", preprocessing.Preprocessing(32, 32, mean=(0, 0, 0)))
    assert len(loads) == 20
    store.open_store(dataset, "train", preprocessing.default(33))
    assert len(loads) == 40


def test_images_in_memory_are_kept_once(coloured):
    dataset = coloured()
    images = store.open_store(dataset, "train", RECORD)
    before = images.take(np.arange(5))
    tensor = np.asarray(memoryview(images.tensor))
    assert np.shares_memory(images.images, tensor)
    np.testing.assert_array_equal(images.take(np.arange(5)), before)


def test_the_budget_counts_all_splits(coloured):
    dataset = coloured(train=20, test=9)
    dataset.memory_budget = 25 * 32 * 32 * 3
    assert store.open_store(dataset, "train", RECORD).in_memory
    assert not store.open_store(dataset, "test", RECORD).in_memory


def test_the_file_is_used_again_until_a_photograph_changes(photo_folder, jpeg, tmp_path):
    top = photo_folder({"a": 6, "b": 6})

    def prepared():
        dataset = open_dataset(DataSource(data_dir=str(top)), cache_dir=tmp_path / "cache")
        dataset.memory_budget = 0
        epoch(dataset)
        return sorted(path.name for path in (tmp_path / "cache").glob("*.npy"))

    once = prepared()
    written = (tmp_path / "cache" / once[0]).stat().st_mtime_ns
    assert prepared() == once
    assert (tmp_path / "cache" / once[0]).stat().st_mtime_ns == written
    # Replaced in place: name, size and date stay.
    replaced = next(
        path for path in sorted(top.rglob("*.jpg")) if path in _images(top, tmp_path, "train")
    )
    before, content = replaced.stat(), bytearray(replaced.read_bytes())
    content[-3] ^= 1
    replaced.write_bytes(content)
    os.utime(replaced, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert replaced.stat().st_size == before.st_size
    assert len(prepared()) == 2


@pytest.mark.parametrize("digest", [True, False])
def test_the_file_of_decoded_images_is_named_by_content_and_order(tmp_path, jpeg, digest):
    def named(*contents, **changes):
        paths = [tmp_path / f"{i}.jpg" for i in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        sums = [hashlib.sha256(c).hexdigest() if digest else "" for c in contents]
        examples = [Example(path, 0, text) for path, text in zip(paths, sums, strict=True)]
        return store.fingerprint(examples, preprocessing.Preprocessing(32, 40, **changes))

    reference = named(jpeg(1), jpeg(2))
    assert named(jpeg(1), jpeg(2)) == reference
    others = [named(jpeg(2), jpeg(1)), named(jpeg(1)), named(jpeg(1), jpeg(2), resize="squash")]
    assert len({reference, *others}) == 4


def test_the_file_remembers_what_was_broken(coloured, tmp_path):
    def prepared():
        dataset = coloured(max_broken_share=0.5)
        examples = list(dataset.split("train").examples)
        examples[4] = Example(b"broken", 0)
        dataset.split("train").examples = tuple(examples)
        dataset.memory_budget, dataset.cache_dir = 0, tmp_path
        opened = store.open_store(dataset, "train", RECORD)
        return dataset, opened.take(np.arange(19))[:, 0, 0, 0]

    wanted = [i for i in range(20) if i != 4]
    for _ in range(2):
        dataset, reds = prepared()
        assert list(reds) == wanted
        assert len(dataset.broken) == 1
    (sidecar,) = tmp_path.glob("*.json")
    assert list(json.loads(sidecar.read_text())["broken"]) == ["4"]


def test_an_unwritable_cache_is_named(coloured, tmp_path):
    (tmp_path / "file").write_text("x")
    dataset = coloured()
    dataset.memory_budget, dataset.cache_dir = 0, tmp_path / "file"
    with pytest.raises(RunError, match="cannot write"):
        epoch(dataset)


def test_nothing_readable_is_an_error(coloured):
    dataset = coloured(max_broken_share=1.0)
    dataset.split("test").examples = (Example(b"x", 0), Example(b"y", 1))
    with pytest.raises(RunError, match="no readable photograph is left in split test"):
        store.open_store(dataset, "test", RECORD)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: np.save(path, np.array([{"evil": 1}], object)),
        lambda path: np.save(path, np.zeros((1, 32, 32, 3), np.uint8)),
        lambda path: path.write_bytes(path.read_bytes()[:100]),
        lambda path: path.with_suffix(".json").write_text("[]"),
    ],
)
def test_a_damaged_cache_is_named_and_never_unpickled(coloured, tmp_path, damage):
    for attempt in range(2):
        dataset = coloured()
        dataset.memory_budget, dataset.cache_dir = 0, tmp_path
        if not attempt:
            store.open_store(dataset, "train", RECORD)
            damage(next(tmp_path.glob("*.npy")))
    with pytest.raises(RunError, match=r"\.npy: damaged cache"):
        store.open_store(dataset, "train", RECORD)
