import io
import struct

import numpy as np
import pytest
from PIL import Image

from sqzkit.data import picture
from tests.preprocessing.odd_images import IMAGES, SCENE, chunk, exif, saved
from tests.preprocessing.profiles import DISPLAY_P3, rgb

P3 = rgb(DISPLAY_P3, 2.2)


def with_segments(jpeg, *segments):
    blocks = b"".join(
        b"\xff" + bytes([marker]) + struct.pack(">H", 2 + len(body)) + body
        for marker, body in segments
    )
    return jpeg[:2] + blocks + jpeg[2:]


def with_chunk(png, kind, body):
    return png[:33] + chunk(kind, body) + png[33:]


def of(content):
    return picture.digests(content)[0]


JPEG = saved(SCENE, "JPEG", quality=90)
PROGRESSIVE = saved(SCENE, "JPEG", quality=90, progressive=True)
PNG = saved(SCENE, "PNG")
WEBP = saved(SCENE, "WEBP", lossless=True)
EDITED = {
    "jpeg_exif": (JPEG, with_segments(JPEG, (0xE1, b"Exif\0\0" + exif(6)))),
    "jpeg_caption": (JPEG, with_segments(JPEG, (0xED, b"Photoshop 3.0\0"), (0xFE, b"a dog"))),
    "jpeg_profile": (JPEG, with_segments(JPEG, (0xE2, b"ICC_PROFILE\0\1\1" + P3))),
    "jpeg_thumbnail": (JPEG, with_segments(JPEG, (0xE1, b"Exif\0\0" + JPEG))),
    "jpeg_trailing": (JPEG, JPEG + b"a video" * 99),
    "jpeg_without_end": (JPEG, JPEG[:-2]),
    "jpeg_fill_bytes": (JPEG, JPEG[:2] + b"\xff\xff\xff" + JPEG[2:]),
    "progressive": (PROGRESSIVE, with_segments(PROGRESSIVE, (0xFE, b"x"))),
    "png_text": (PNG, with_chunk(PNG, b"tEXt", b"Title\0dog")),
    "png_time": (PNG, with_chunk(PNG, b"eXIf", exif(3))),
    "webp": (WEBP, saved(SCENE, "WEBP", lossless=True, exif=exif(6), xmp=b"<x/>")),
}


@pytest.mark.parametrize("name", EDITED)
def test_a_file_with_other_metadata_holds_the_same_picture(name):
    first, second = EDITED[name]
    assert of(first) == of(second)
    assert picture.digests(first)[1] != picture.digests(second)[1]


def test_a_png_cut_into_other_chunks_holds_the_same_picture():
    at = PNG.index(b"IDAT") - 4
    size = int.from_bytes(PNG[at : at + 4], "big")
    data = PNG[at + 8 : at + 8 + size]
    parts = chunk(b"IDAT", data[:99]) + chunk(b"IDAT", data[99:])
    assert of(PNG[:at] + parts + PNG[at + 12 + size :]) == of(PNG)


def test_other_pictures_have_other_digests():
    known = {}
    for name, (content, _, _) in IMAGES.items():
        known.setdefault(of(content), []).append(name)
    alike = [names for names in known.values() if len(names) > 1]
    # The plain scene, with whatever does not change it.
    for names in alike:
        kinds = {name.split("_")[0] for name in names}
        assert len(kinds) == 1
        seen = {IMAGES[name][1].tobytes() for name in names
                if "profile" not in name and "_color_" not in name
                and not isinstance(IMAGES[name][1], str)}  # fmt: skip
        assert len(seen) <= 1, names
    assert len(known) > 100


@pytest.mark.parametrize("content", [JPEG, PROGRESSIVE, saved(SCENE, "BMP")])
def test_any_changed_bit_of_the_pixels_is_another_picture(content):
    before = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    different = 0
    for at in range(0, len(content), 7):
        changed = bytearray(content)
        changed[at] ^= 4
        try:
            after = np.asarray(Image.open(io.BytesIO(changed)).convert("RGB"))
        except Exception:
            continue
        if after.shape != before.shape or (after != before).any():
            different += 1
            assert of(bytes(changed)) != of(content), at
    assert different > 20


@pytest.mark.parametrize("head", [b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b""])
def test_damaged_files_are_told_apart(head):
    assert len({of(head + tail) for tail in (b"", b"\xff\xe1\0\4ab", b"\xff\xe1\0\4ac")}) == 3
