import json
import zipfile
from io import BytesIO

import numpy as np
import pytest

from sqzkit.base import flatbuffer_tables
from sqzkit.base.errors import FormatError, UsageError
from sqzkit.base.flatbuffer_tables import Scalar, Source
from sqzkit.preprocessing import Preprocessing
from sqzkit.tflite import metadata
from sqzkit.tflite.flatbuffer import TFLiteFile
from sqzkit.tflite.metadata import Description

LABELS = ("ant", "bee", "cat", "dog", "éel, grey")
WORDS = Description("Name", "What it is", "1.2", "Somebody", "BSD-2-Clause")


@pytest.fixture(scope="module")
def described(bare_float, record):
    return metadata.attach(bare_float, record, LABELS, WORDS)


def test_what_is_written_is_read(described, record):
    model = TFLiteFile(described)
    found = metadata.read(model)
    assert found.description == WORDS
    assert found.labels == LABELS
    assert (found.mean, found.std) == ((0.0,), (1.0,))
    root = Source(model.metadata_entry(metadata.ENTRY), "metadata").root(metadata.IDENTIFIER)
    assert root.text(7) == "1.0.0"  # the oldest parser that reads it
    assert found.preprocessing == metadata.outside(record)
    left = found.preprocessing
    assert (left.channel_order, left.mean, left.scale) == ("RGB", (0, 0, 0), (1, 1, 1))
    assert (left.image_size, left.resize_size, left.resize) == (32, 40, "shorter_side")


def test_the_model_itself_stays(described, bare_float):
    before, after = TFLiteFile(bare_float), TFLiteFile(described)
    assert after.operators == before.operators
    for old, new in zip(before.tensors, after.tensors, strict=True):
        assert (old.name, old.shape, old.dtype) == (new.name, new.shape, new.dtype)
        if before.is_constant(old):
            np.testing.assert_array_equal(before.data(old), after.data(new))
    assert after.metadata_entry("min_runtime_version") == before.metadata_entry(
        "min_runtime_version"
    )


def test_the_same_arguments_give_the_same_bytes(described, bare_float, record):
    assert metadata.attach(bare_float, record, LABELS, WORDS) == described


def test_associated_files_are_a_plain_zip(described):
    with zipfile.ZipFile(BytesIO(described)) as archive:
        assert archive.namelist() == ["labels.txt", "preprocessing.json"]
        for member in archive.infolist():
            assert member.compress_type == zipfile.ZIP_STORED
            assert member.date_time == (1980, 1, 1, 0, 0, 0)
        assert archive.read("labels.txt").decode().splitlines() == list(LABELS)
        assert json.loads(archive.read("preprocessing.json"))["resize_size"] == 40


def test_every_field_is_where_the_schema_has_it(described):
    """Read by field numbers of the public schema, not by our reader's."""
    entry = TFLiteFile(described).metadata_entry("TFLITE_METADATA")
    root = metadata.Source(entry, "metadata").root(b"M001")
    assert [root.text(i) for i in (0, 1, 2, 4, 5, 7)] == [
        "Name", "What it is", "1.2", "Somebody", "BSD-2-Clause", "1.0.0"
    ]  # fmt: skip
    (subgraph,) = root.tables(3)
    (image,), (output,) = subgraph.tables(2), subgraph.tables(3)
    content = image.table(3)
    assert content.scalar(0, "B", 0) == 2  # ImageProperties
    assert content.table(1).scalar(0, "b", 0) == 1  # RGB
    size = content.table(1).table(1)
    assert (size.scalar(0, "I", 0), size.scalar(1, "I", 0)) == (32, 32)
    (unit,) = image.tables(4)
    assert unit.scalar(0, "B", 0) == 1  # NormalizationOptions
    assert image.table(5).vector(0, "float32").tolist() == [255]  # Stats.max
    assert image.table(5).vector(1, "float32").tolist() == [0]
    assert output.table(3).scalar(0, "B", 0) == 1  # FeatureProperties
    (labels,) = output.tables(6)
    assert (labels.text(0), labels.scalar(2, "b", 0)) == ("labels.txt", 2)  # TENSOR_AXIS_LABELS
    assert [item.text(0) for item in root.tables(6)] == ["preprocessing.json"]


def test_a_file_without_metadata_has_none(bare_float):
    assert metadata.read(TFLiteFile(bare_float)) is None


@pytest.mark.parametrize(
    "labels", [LABELS[:4], (*LABELS, "more"), (*LABELS[:4], ""), ("a\nb",) * 5]
)
def test_labels_must_fit(bare_float, record, labels):
    with pytest.raises(UsageError, match="label"):
        metadata.attach(bare_float, record, labels, WORDS)


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfcat\r\ndog\r\n", b"cat\ndog", b"cat\rdog\r"])
def test_label_files_of_any_system_are_read(content, tmp_path):
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    assert metadata.read_labels(str(path)) == ("cat", "dog")


def foreign(bare_float, root, files):
    entry = flatbuffer_tables.write(root, b"M001")
    with_entry = metadata.add_entry(bare_float, "TFLITE_METADATA", entry)
    return TFLiteFile(metadata.append_files(with_entry, files))


def normalized(mean, std):
    options = {0: np.array(mean, np.float32), 1: np.array(std, np.float32)}
    return {3: [{2: [{4: [{0: Scalar("uint8", 1), 1: options}]}]}]}


def test_sparse_metadata_of_others_is_read(bare_float):
    found = metadata.read(foreign(bare_float, {0: "only a name"}, {}))
    assert found.description.name == "only a name"
    assert (found.labels, found.mean, found.preprocessing) == ((), None, None)
    found = metadata.read(foreign(bare_float, normalized([1, 2, 3], [4]), {}))
    assert (found.mean, found.std) == ((1, 2, 3), (4,))


@pytest.mark.parametrize(("mean", "std"), [([], [1]), ([0], [0]), ([0], [1, 0, 1]), ([1, 2], [1])])
def test_impossible_normalization_is_refused(bare_float, mean, std):
    with pytest.raises(FormatError, match="normalization by mean"):
        metadata.read(foreign(bare_float, normalized(mean, std), {}))


def test_missing_and_damaged_files_are_refused(bare_float):
    named = {3: [{3: [{6: [{0: "labels.txt", 2: Scalar("int8", 2)}]}]}]}
    with pytest.raises(FormatError, match=r"names the label file 'labels\.txt'"):
        metadata.read(foreign(bare_float, named, {}))
    with pytest.raises(FormatError, match="not UTF-8"):
        metadata.read(foreign(bare_float, named, {"labels.txt": b"\xff\xfe\x00"}))
    for bad in (b"", b"[]", b"{}", b"[" * 100_000, json.dumps({"image_size": 1}).encode()):
        with pytest.raises(FormatError, match=r"preprocessing\.json"):
            metadata.read(foreign(bare_float, {}, {"preprocessing.json": bad}))
    with pytest.raises(FormatError, match="not a TFLite metadata"):
        metadata.read(TFLiteFile(metadata.add_entry(bare_float, "TFLITE_METADATA", b"no")))


def test_mutated_metadata_is_read_or_refused(described):
    random = np.random.default_rng(7)
    entry = TFLiteFile(described).metadata_entry("TFLITE_METADATA")
    areas = [(described.index(entry), len(entry)), (described.index(b"PK\x03\x04"), 10**9)]
    refused = 0
    for trial in range(600):
        start, length = areas[trial % 2]
        end = min(start + length, len(described))
        bad = bytearray(described)
        for position in random.integers(start, end, 3):
            bad[position] = random.integers(0, 256)
        try:
            metadata.read(TFLiteFile(bytes(bad)))
        except FormatError:
            refused += 1
    assert 100 < refused < 600


def test_a_zip_that_expands_without_bound_is_refused():
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big", bytes(metadata.MAX_BYTES + 1))
    with pytest.raises(FormatError, match="at most"):
        metadata.read_files(stream.getvalue())
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a", b"x")
    with pytest.raises(FormatError, match="unknown compression"):
        metadata.read_files(stream.getvalue())
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for i in range(metadata.MAX_FILES + 1):
            archive.writestr(str(i), b"")
    with pytest.raises(FormatError, match="at most"):
        metadata.read_files(stream.getvalue())
    assert metadata.read_files(b"no zip here") == {}
    with pytest.raises(FormatError, match="damaged zip|whose list of files has"):
        metadata.read_files(b"no zip here PK\x05\x06" + bytes(4) + b"\x09" * 12 + bytes(2))


def test_our_record_tells_only_what_is_left_to_do():
    record = Preprocessing(64, 72, "squash", "BGR", (1, 2, 3), (4, 5, 6))
    left = metadata.outside(record)
    assert left == Preprocessing(64, 72, "squash", "RGB", (0, 0, 0), (1, 1, 1))
