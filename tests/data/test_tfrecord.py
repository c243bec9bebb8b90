"""What TensorFlow writes is found again; any damage is an error that names the file."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from sqzkit.base.errors import RunError
from sqzkit.data import tfrecord


def feature(value):
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def serialized(**entries):
    features = {name: feature(value) for name, value in entries.items()}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def write(path, records):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    return path


def found(path):
    examples = tfrecord.find_examples(path, "image", "label")
    return [(example.image.read(), example.label) for example in examples]


@given(st.lists(st.tuples(st.binary(max_size=300), st.integers(-1, 1 << 40)), max_size=5))
def test_what_tensorflow_wrote_is_found(tmp_path_factory, pairs):
    records = [serialized(image=image, label=n, file_name=b"n01") for image, n in pairs]
    assert found(write(tmp_path_factory.mktemp("t") / "a", records)) == pairs


def test_an_unpacked_integer_is_one_too(tmp_path):
    feature_bytes = b"\x1a\x02\x08\x05"  # int64_list { value: 5 }, not packed
    entry = b"\x0a\x05label\x12" + bytes([len(feature_bytes)]) + feature_bytes
    image = serialized(image=b"picture")
    # Two serialized messages one after the other are one, by the format's rules.
    record = image + b"\x0a" + bytes([len(entry) + 2]) + b"\x0a" + bytes([len(entry)]) + entry
    assert tf.train.Example.FromString(record).features.feature["label"].int64_list.value[0] == 5
    assert found(write(tmp_path / "a", [record])) == [(b"picture", 5)]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"label": 1}, "record 0 has no 'image'"),
        ({"image": b"x"}, "record 0 has no 'label'"),
        ({"image": 3, "label": 1}, "an image entry with 0 values"),
        ({"image": b"x", "label": b"x"}, "not one integer"),
    ],
)
def test_other_records_are_refused(tmp_path, entries, message):
    path = write(tmp_path / "a.tfrecord", [serialized(**entries)])
    with pytest.raises(RunError, match=message):
        found(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RunError, match="absent: No such file"):
        found(tmp_path / "absent")


def test_damage_is_an_error_or_harmless(tmp_path):
    path = write(tmp_path / "a", [serialized(image=b"12345" * 9, label=i) for i in range(3)])
    whole = path.read_bytes()
    generator = np.random.default_rng(0)
    refused = 0
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        refused += _refused(path)
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[generator.integers(len(whole))] ^= 1 << generator.integers(8)
        path.write_bytes(damaged)
        refused += _refused(path)
    assert refused > 50


def _refused(path):
    try:
        found(path)
    except RunError as error:
        assert str(path) in str(error)
        return True
    return False
