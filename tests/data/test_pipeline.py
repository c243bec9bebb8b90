import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from sqzkit import preprocessing
from sqzkit.base.errors import RunError, UsageError
from sqzkit.data import pipeline, store
from sqzkit.data.dataset import Example, ImageDataset, SoftTargets, Split
from sqzkit.preprocessing import photograph

RECORD = preprocessing.Preprocessing(32, 32, mean=(0.0, 0.0, 0.0), scale=(1.0, 1.0, 1.0))


def gathered(batches):
    images, labels = zip(*batches.as_numpy_iterator(), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def training(dataset, batch_size=8, augmentation="none", seed=0, epoch=0, **options):
    return pipeline.training_batches(
        dataset, RECORD, batch_size, augmentation, seed, epoch, **options
    )


def order_of(batches):
    """The index of every example, which is its red value."""
    return list(gathered(batches)[0][:, 0, 0, 0].astype(int))


def test_an_epoch_is_every_training_example_once(coloured):
    batches = training(coloured())
    assert int(batches.cardinality()) == 3
    images, labels = gathered(batches)
    assert (images.dtype, labels.dtype) == (np.float32, np.int32)
    assert images.shape == (20, 32, 32, 3)
    assert sorted(images[:, 0, 0, 0]) == list(range(20))
    np.testing.assert_array_equal(labels, images[:, 0, 0, 1])
    assert (images[..., 2] == 7).all()
    assert batches.element_spec[0].shape.as_list() == [None, 32, 32, 3]


def test_no_tuner_makes_the_end_of_an_epoch_wait(coloured):
    # TensorFlow's may sleep on when its iterator is dropped, for up to 10.24 s.
    evaluation = pipeline.evaluation_batches(coloured(), "test", RECORD, 8)
    for batches in (training(coloured()), evaluation, training(coloured()).take(1)):
        assert batches.options().autotune.enabled is False


def test_order_depends_on_seed_and_epoch_alone(coloured):
    reference = order_of(training(coloured(), seed=1, epoch=3))
    assert order_of(training(coloured(), batch_size=5, seed=1, epoch=3)) == reference
    dataset = coloured()
    order_of(training(dataset, seed=1, epoch=2))
    assert order_of(training(dataset, seed=1, epoch=3)) == reference
    assert order_of(training(dataset, seed=1, epoch=4)) != reference
    assert order_of(training(dataset, seed=2, epoch=3)) != reference
    assert reference != sorted(reference)


@pytest.mark.parametrize("augmentation", ["light", "standard"])
def test_a_resumed_epoch_is_the_same_bit_for_bit(augmentation, photo_folder):
    from sqzkit.data.open import open_dataset
    from sqzkit.data.source import DataSource

    top = photo_folder({"a": 9, "b": 9})

    def epoch(number):
        dataset = open_dataset(DataSource(data_dir=str(top)))
        return gathered(training(dataset, 4, augmentation, seed=5, epoch=number))

    for one, again in zip(epoch(2), epoch(2), strict=True):
        np.testing.assert_array_equal(one, again)
    assert not np.array_equal(epoch(1)[0], epoch(2)[0])


def test_skipped_batches_leave_the_rest_as_it_was(coloured):
    whole = gathered(training(coloured(), 4, "light"))[0]
    rest = gathered(training(coloured(), 4, "light").skip(2))[0]
    np.testing.assert_array_equal(rest, whole[8:])


def test_shards_share_an_epoch(coloured):
    dataset = coloured()
    whole = order_of(training(dataset, seed=4))
    shards = [order_of(training(dataset, seed=4, shard=(index, 3))) for index in range(3)]
    assert shards == [whole[0::3], whole[1::3], whole[2::3]]
    augmented = gathered(training(dataset, 7, "light"))[0]
    half = gathered(training(dataset, 7, "light", shard=(1, 2)))[0]
    np.testing.assert_array_equal(half, augmented[1::2])


def test_evaluation_is_in_order_and_by_the_exact_rule(coloured):
    record = preprocessing.caffe(64)
    batches = pipeline.evaluation_batches(coloured(), "test", record, 4)
    images, labels = gathered(batches)
    np.testing.assert_array_equal(labels, np.arange(9) % 3)
    raw = np.stack([e.load(record) for e in coloured().split("test").examples])
    np.testing.assert_array_equal(images, photograph.normalize(raw, record))


def test_normalize_is_numpys_bit_for_bit():
    record = preprocessing.Preprocessing(
        32, 32, channel_order="BGR", mean=(103.94, 116.78, 123.68), scale=(0.017, 0.018, 1 / 57.3)
    )
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    eager = pipeline.normalize(tf.cast(images, tf.float32), record)
    np.testing.assert_array_equal(eager, photograph.normalize(images, record))


def test_raw_images_in_order_shuffled_and_limited(coloured):
    dataset = coloured()
    images, labels = pipeline.raw_images(dataset, "train", RECORD)
    assert (images.dtype, images.shape, labels.dtype) == (np.uint8, (20, 32, 32, 3), np.int32)
    np.testing.assert_array_equal(images[:, 0, 0, 0], np.arange(20))
    some, _ = pipeline.raw_images(dataset, "train", RECORD, limit=5, seed=3)
    again, _ = pipeline.raw_images(dataset, "train", RECORD, limit=5, seed=3)
    np.testing.assert_array_equal(some, again)
    assert len(set(some[:, 0, 0, 0])) == 5
    assert list(some[:, 0, 0, 0]) != list(range(5))
    others, _ = pipeline.raw_images(dataset, "train", RECORD, limit=5, seed=4)
    assert not np.array_equal(some, others)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "--train_batch_size 0"),
        ({"augmentation": "wild"}, "--augmentation 'wild'"),
        ({"seed": -1}, "seed -1"),
        ({"epoch": -1}, "epoch -1"),
        ({"shard": (2, 2)}, "shard 2 of 2"),
    ],
)
def test_impossible_arguments_are_refused(arguments, message, coloured):
    with pytest.raises(UsageError, match=message):
        training(coloured(), **arguments)


def test_an_unknown_split_and_no_images_are_refused(coloured):
    with pytest.raises(UsageError, match="split 'dev': coloured has only train"):
        pipeline.evaluation_batches(coloured(), "dev", RECORD, 4)
    with pytest.raises(UsageError, match="limit 0"):
        pipeline.raw_images(coloured(), "train", RECORD, limit=0)


def damaged_dataset(jpeg, share=0.5):
    """Ten photographs of which number 3 has both ends but no sound middle."""
    png = b"\x89PNG\r\n\x1a\n" + bytes(40) + b"IEND"
    contents = [png if i == 3 else jpeg(i) for i in range(10)]
    examples = tuple(Example(content, i % 2) for i, content in enumerate(contents))
    return ImageDataset("d", ("a", "b"), {"train": Split(examples)}, max_broken_share=share)


@pytest.mark.parametrize("budget", [0, 1 << 30])
def test_a_photograph_broken_inside_is_dropped_everywhere(budget, jpeg):
    dataset = damaged_dataset(jpeg)
    dataset.memory_budget = budget
    images, labels = gathered(training(dataset))
    assert len(images) == dataset.split("train").num_examples == 9
    np.testing.assert_array_equal(np.sort(labels), [0] * 5 + [1] * 4)
    assert len(dataset.broken) == 1
    assert dataset.found == 10
    assert len(pipeline.raw_images(dataset, "train", RECORD)[0]) == 9


def test_raw_images_drop_broken_ones(jpeg, monkeypatch):
    monkeypatch.setattr(store, "_WINDOW", 2)  # decoded at a time
    dataset = damaged_dataset(jpeg)
    images, labels = pipeline.raw_images(dataset, "train", RECORD, seed=1)
    assert len(images) == len(labels) == 9
    left = dataset.split("train").examples
    assert len(left) == 9
    assert all(example.load(RECORD).any() for example in left)  # it was the broken one that went
    assert len(pipeline.raw_images(dataset, "train", RECORD, seed=1)[0]) == 9


def test_too_many_broken_inside_stop_the_run(jpeg):
    with pytest.raises(RunError, match="1 of 10 photographs cannot be read"):
        training(damaged_dataset(jpeg, share=0.05))


def test_it_feeds_a_strategy(coloured):
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    distributed = strategy.experimental_distribute_dataset(training(coloured(), 6, "light"))
    counts = [len(labels) for _, labels in distributed]
    assert counts == [6, 6, 6, 2]


@pytest.mark.parametrize(
    ("augmentation", "flip"), [("light", True), ("light", False), ("none", True)]
)
def test_a_teachers_answers_come_with_the_image_as_it_is_mirrored(augmentation, flip):
    """Each image is dark on the left: which half is darker in a batch says what was mirrored."""
    pixels = np.full((20, 32, 32, 3), 200, np.uint8)
    pixels[:, :, :16] = 20
    examples = tuple(Example(image, i % 3) for i, image in enumerate(pixels))
    answers = np.arange(20 * 2 * 3, dtype=np.float32).reshape(20, 2, 3)
    soft = SoftTargets(answers, labelled=15, weight=0.25)
    splits = {"train": Split(examples)}
    data = ImageDataset("halves", ("a", "b", "c"), splits, flip, soft_targets=soft)
    seen = set()
    for images, (labels, given, weights) in training(data, augmentation=augmentation):
        columns = images.numpy().mean((1, 3))
        mirrored = columns[:, :8].mean(1) > columns[:, 24:].mean(1)
        index = (given.numpy()[:, 0] // 6).astype(int)
        np.testing.assert_array_equal(given, answers[index, mirrored.astype(int)])
        np.testing.assert_array_equal(labels, index % 3)
        np.testing.assert_array_equal(weights, np.where(index < 15, 0.25, 1.0))
        seen |= set(mirrored)
    assert seen == ({True, False} if augmentation == "light" and flip else {False})
    short = dataclasses.replace(data, soft_targets=SoftTargets(answers[1:], 15, 0.25))
    with pytest.raises(RunError, match="20 training images can be read, the teacher answered 19"):
        training(short)
