import pytest

from sqzkit.base.errors import FormatError, RunError, UsageError
from sqzkit.tflite import flatbuffer


def test_a_tflite_is_taken_as_it_is(converted, tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(converted["int8"])
    assert flatbuffer.load(path) == converted["int8"]
    assert flatbuffer.load(converted["int8"]) == converted["int8"]


def test_an_archive_is_expanded(converted, tmp_path):
    from sqzkit.coding import sqz

    path = tmp_path / "m.sqz"
    archive = sqz.pack(converted["int8"])
    assert len(archive) < len(converted["int8"])
    path.write_bytes(archive)
    assert flatbuffer.load(str(path)) == converted["int8"]
    path.write_bytes(archive[:-3])
    with pytest.raises(FormatError, match=r"m\.sqz"):
        flatbuffer.load(path)


def test_refuses_other_files(tmp_path, monkeypatch):
    path = tmp_path / "m.tflite"
    with pytest.raises(RunError, match=r"m\.tflite is missing"):
        flatbuffer.load(path)
    with pytest.raises(UsageError, match="is a folder; name a file"):
        flatbuffer.load(tmp_path)
    for content in (b"", b"text", b"PK\x03\x04 a zip"):
        path.write_bytes(content)
        with pytest.raises(FormatError, match="neither a .tflite model nor a .sqz archive"):
            flatbuffer.load(path)
    monkeypatch.setattr(flatbuffer, "MAX_BYTES", 3)
    with pytest.raises(RunError, match="larger than the 3 bytes"):
        flatbuffer.load(path)
