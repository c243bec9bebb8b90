import io

import pytest
from PIL import Image

from sqzkit.data import truncation


def encoded(kind, **options):
    stream = io.BytesIO()
    Image.effect_noise((50, 40), 80).convert("RGB").save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_whole_files_look_whole_and_halves_do_not(kind):
    content = encoded(kind)
    assert truncation.looks_whole(content)
    assert not truncation.looks_whole(content[: len(content) // 2])
    assert not truncation.looks_whole(content[:-8])


@pytest.mark.parametrize("content", [b"", b"text", encoded("BMP")])
def test_what_has_no_known_end_is_decoded_to_be_sure(content):
    assert not truncation.looks_whole(content)


def test_only_what_cannot_be_decoded_is_broken(tmp_path, monkeypatch):
    contents = {
        "whole.jpg": encoded("JPEG"),
        "trailing.jpg": encoded("JPEG") + bytes(500),
        "plain.bmp": encoded("BMP"),
        "half.jpg": encoded("JPEG")[:900],
        "letter.png": b"Dear friend",
        "empty.gif": b"",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    paths = [tmp_path / name for name in (*contents, "absent.jpg")]
    broken = truncation.find_broken(paths)
    assert {path.name for path in broken} == {"half.jpg", "letter.png", "empty.gif", "absent.jpg"}
    for path, message in broken.items():
        assert str(path) in message


def test_whole_files_are_not_decoded(tmp_path, monkeypatch):
    (tmp_path / "a.jpg").write_bytes(encoded("JPEG"))
    monkeypatch.setattr(truncation.photograph, "decode", None)
    assert truncation.find_broken([tmp_path / "a.jpg"]) == {}
