import numpy as np
import pytest
from PIL import Image

from sqzkit.base.errors import RunError
from sqzkit.preprocessing import decoding, jpeg_xl
from tests.preprocessing.odd_images import ALPHA, IN_P3, P3, SCENE, exif, on_white, saved


def packed(*fields):
    """Bytes that hold (value, bits) one after the other, the lowest bit first."""
    number = place = 0
    for value, count in fields:
        number |= value << place
        place += count
    return number.to_bytes(-(-place // 8), "little")


def stream(*fields):
    return jpeg_xl.CODESTREAM + packed(*fields) + bytes(64)


def box(kind, content):
    return (8 + len(content)).to_bytes(4, "big") + kind + content


DEFAULTS = (1, 1)
SMALL = [(1, 1), (4, 5)]  # height 40
WHOLE = [(0, 1), (1, 2), (999, 13)]  # height 1000
PLAIN = [(0, 1), (0, 1), (0, 1), (0, 2), (1, 1)]  # no defaults, no extra fields, 8 bits


@pytest.mark.parametrize(
    ("fields", "planes"),
    [
        ([*SMALL, (1, 3), DEFAULTS], (40, 40, 3)),
        ([*SMALL, (5, 3), DEFAULTS], (71, 40, 3)),
        ([*SMALL, (0, 3), (9, 5), DEFAULTS], (80, 40, 3)),
        ([*WHOLE, (0, 3), (0, 2), (6, 9), DEFAULTS], (7, 1000, 3)),
        ([(0, 1), (3, 2), (2**30 - 1, 30), (7, 3), DEFAULTS], (2**31, 2**30, 3)),
        ([*SMALL, (1, 3), *PLAIN, (1, 2)], (40, 40, 4)),
        ([*SMALL, (1, 3), *PLAIN, (2, 2), (7, 4)], (40, 40, 12)),
        ([*SMALL, (1, 3), *PLAIN, (3, 2), (4095, 12)], (40, 40, 4099)),
        ([*SMALL, (1, 3), (0, 1), (1, 1), (5, 3), (1, 1), *SMALL, (1, 3), (0, 2),
          (1, 1), (0, 2), (7, 4), (0, 1), (1, 2)], (40, 40, 4)),
    ],
)  # fmt: skip
def test_the_header_tells_sides_and_planes(fields, planes):
    plain = stream(*fields)
    assert jpeg_xl.planes(plain) == planes
    jxl = box(b"ftyp", b"jxl \0\0\0\0jxl ")
    assert jpeg_xl.planes(jpeg_xl.CONTAINER + jxl + box(b"jxlc", plain)) == planes
    assert jpeg_xl.planes(jpeg_xl.CONTAINER + jxl + box(b"jxlp", bytes(4) + plain)) == planes
    long = (1).to_bytes(4, "big") + b"jxlc" + (99).to_bytes(8, "big") + plain
    assert jpeg_xl.planes(jpeg_xl.CONTAINER + long) == planes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (jpeg_xl.CODESTREAM, "truncated"),
        (stream(*WHOLE)[:4], "truncated"),
        (jpeg_xl.CONTAINER, "without a codestream"),
        (jpeg_xl.CONTAINER + bytes(99), "without a codestream"),
        (stream(*SMALL, (1, 3), (0, 1), (1, 1), (0, 3), (0, 1), (2, 2)), "an animation"),
        (stream(*SMALL, (1, 3), *PLAIN, (3, 2), (4095, 12)), "4099 planes are more than"),
        (stream((0, 1), (3, 2), (2**30 - 1, 30), (1, 3), DEFAULTS), "more than the limit"),
        (stream((0, 1), (1, 2), (8000, 13), (1, 3), DEFAULTS), "cannot be a photograph"),
    ],
)
def test_what_could_fill_the_memory_is_refused_before_the_plug_in_sees_it(content, message):
    with pytest.raises(RunError, match=message):
        decoding.decode(content)


def test_jpeg_xl_is_read_where_its_plug_in_is_installed(tmp_path):
    pytest.importorskip("pillow_jxl")
    assert ".jxl" in decoding.suffixes()

    def difference(content, shown):
        return np.abs(np.asarray(decoding.decode(content)).astype(int) - shown).max()

    assert difference(saved(SCENE, "JXL", lossless=True), SCENE) == 0
    rgba = np.dstack([SCENE, ALPHA])
    assert difference(saved(rgba, "JXL", lossless=True), on_white(SCENE, ALPHA)) == 0
    marked = saved(SCENE, "JXL", lossless=True, exif=exif(6), use_container=True)
    assert decoding.decode(marked).size == SCENE.shape[1::-1]
    assert difference(saved(SCENE, "JXL", quality=97), SCENE) <= 20
    path = tmp_path / "turned.jpg"
    path.write_bytes(saved(np.rot90(SCENE), "JPEG", quality=97, subsampling=0,
                           exif=b"Exif\0\0" + exif(6), icc_profile=P3))  # fmt: skip
    with Image.open(path) as image:
        repacked = saved(image, "JXL", lossless_jpeg=True)
    assert difference(repacked, IN_P3) <= 25
