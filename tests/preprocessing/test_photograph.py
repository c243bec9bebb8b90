import io
import struct
import subprocess
import sys
import threading
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from sqzkit import preprocessing
from sqzkit.base.errors import RunError, UsageError
from sqzkit.preprocessing import decoding, photograph

RECORD = preprocessing.default(32)


def encode(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def flat(colour, size=(40, 30)):
    return Image.new("RGB", size, colour)


def test_tensorflow_is_not_imported():
    program = "import sys, sqzkit.preprocessing.photograph; print('tensorflow' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", program]) == b"False\n"


@pytest.mark.parametrize("kind", decoding.formats())
def test_every_format_is_read_from_a_path_and_from_bytes(kind, tmp_path):
    content = encode(flat((200, 100, 50)), kind)
    path = tmp_path / "photo.with.any.name"
    path.write_bytes(content)
    square = photograph.load_photograph(path, RECORD)
    assert square.shape == (32, 32, 3)
    assert square.dtype == np.uint8
    assert np.abs(square.astype(int) - (200, 100, 50)).max() <= 3
    np.testing.assert_array_equal(square, photograph.load_photograph(content, RECORD))


def test_another_format_is_refused_by_name(tmp_path):
    path = tmp_path / "scan.jpg"
    path.write_bytes(encode(flat((1, 2, 3)), "PPM"))
    with pytest.raises(RunError, match=r"scan\.jpg: not an image; JPEG, PNG, GIF, BMP, WEBP"):
        decoding.decode(path)


@pytest.mark.parametrize(
    "content", [b"", b"a letter to a friend", b"\xff\xd8", b"\x89PNG\r\n\x1a\n"]
)
def test_what_is_no_image_is_named(content, tmp_path):
    path = tmp_path / "letter.jpg"
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"letter\.jpg: "):
        photograph.load_photograph(path, RECORD)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP"])
def test_a_truncated_file_is_named(kind, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    content = encode(Image.fromarray(noise), kind)
    path = tmp_path / "half.jpg"
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(RunError, match=r"half\.jpg: damaged or truncated"):
        photograph.load_photograph(path, RECORD)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(RunError, match=r"gone\.jpg is missing"):
        decoding.decode(tmp_path / "gone.jpg")
    with pytest.raises(UsageError, match="is a folder; name a file"):
        decoding.decode(tmp_path)


def test_any_damage_is_a_picture_or_a_run_error():
    noise = np.random.default_rng(1).integers(0, 256, (24, 24, 4), np.uint8)
    generator = np.random.default_rng(2)
    outcomes = set()
    for kind in decoding.formats():
        mode = "RGB" if kind in ("JPEG", "BMP") else "RGBA"
        content = encode(Image.fromarray(noise).convert(mode), kind)
        for _ in range(60):
            damaged = bytearray(content)
            for at in generator.integers(0, min(len(content), 400), 4):
                damaged[at] = generator.integers(0, 256)
            try:
                outcomes.add(photograph.load_photograph(bytes(damaged), RECORD).shape)
            except RunError:
                outcomes.add("refused")
    assert outcomes == {(32, 32, 3), "refused"}


def test_alpha_is_composited_on_white_exactly():
    grey, alpha = np.mgrid[0:256, 0:256].astype(np.uint8)
    image = Image.fromarray(np.stack([grey, grey, grey, alpha], -1))
    decoded = np.asarray(decoding.decode(encode(image, "PNG")))[..., 0]
    grey, alpha = grey.astype(int), alpha.astype(int)
    np.testing.assert_array_equal(decoded, (grey * alpha + 255 * (255 - alpha) + 127) // 255)


def test_sixteen_bit_grey_keeps_the_high_byte():
    values = np.arange(0, 1 << 16, 16, np.uint16).reshape(64, 64)
    decoded = np.asarray(decoding.decode(encode(Image.fromarray(values), "PNG")))
    np.testing.assert_array_equal(decoded, np.repeat((values >> 8)[..., None], 3, -1))


def test_cmyk_becomes_rgb():
    content = encode(flat((220, 30, 40)).convert("CMYK"), "JPEG", quality=95)
    assert np.abs(np.asarray(decoding.decode(content)).astype(int) - (220, 30, 40)).max() < 12


def test_a_broken_exif_block_means_upright():
    content = encode(flat((1, 2, 3), (40, 20)), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert decoding.decode(content).size == (40, 20)


@pytest.mark.parametrize("value", [0, 9, 255])
def test_an_unknown_orientation_means_upright(value):
    exif = Image.Exif()
    exif[0x0112] = value
    assert decoding.decode(encode(flat((1, 2, 3), (40, 20)), "JPEG", exif=exif)).size == (40, 20)


def test_one_pixel_fills_the_square():
    content = encode(flat((9, 99, 199), (1, 1)), "PNG")
    assert (photograph.load_photograph(content, RECORD) == (9, 99, 199)).all()


@pytest.mark.slow
def test_ten_thousand_squared_is_read_without_much_memory():
    image = flat((10, 20, 30), (10_000, 10_000))
    image.paste((250, 240, 230), (0, 0, 10_000, 5_000))
    content = encode(image, "JPEG")
    assert decoding.decode(content).size == (2_500, 2_500)
    square = photograph.load_photograph(content, RECORD).astype(int)
    assert np.abs(square[:15] - (250, 240, 230)).max() < 4
    assert np.abs(square[17:] - (10, 20, 30)).max() < 4
    png = encode(image.convert("L"), "PNG")
    assert photograph.load_photograph(png, RECORD).shape == (32, 32, 3)


@pytest.mark.parametrize(
    ("size", "decoded"),
    [((4096, 4096), (4096, 4096)), ((4097, 4096), (2049, 2048)), ((300, 60_000), (150, 30_000))],
)
def test_the_bound_for_reducing_a_jpeg(size, decoded):
    assert decoding.decode(encode(Image.new("L", size), "JPEG")).size == decoded


def test_too_many_pixels_are_refused_before_they_are_decoded():
    side = 20_000
    header = b"BM" + (54).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little")
    header += (40).to_bytes(4, "little") + side.to_bytes(4, "little") * 2
    header += (1).to_bytes(2, "little") + (24).to_bytes(2, "little") + bytes(24)
    with pytest.raises(RunError, match="20000x20000 pixels are more than the limit of 100,000,000"):
        decoding.decode(header)


def test_pillows_own_limit_is_left_as_it_was(monkeypatch):
    # A value that no earlier decoding in this process can have left behind.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    content = encode(flat((1, 2, 3)), "PNG")
    threads = [threading.Thread(target=decoding.decode, args=(content,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Image.MAX_IMAGE_PIXELS == 1000
    with pytest.raises(RunError):
        decoding.decode(b"not an image")
    assert Image.MAX_IMAGE_PIXELS == 1000


@pytest.mark.parametrize("size", [(1, 70_000), (70_000, 1)])
def test_a_ribbon_is_cut_before_it_is_enlarged(size):
    assert photograph.prepare(flat((5, 6, 7), size), RECORD).shape == (32, 32, 3)


@pytest.mark.parametrize(
    ("width", "height", "target"),
    [
        (32, 49, (33, 51)),
        (32, 48, (33, 50)),
        (49, 32, (51, 33)),
        (7, 7, (33, 33)),
        (640, 480, (44, 33)),
    ],
)
def test_target_size_rounds_halves_up(width, height, target):
    assert photograph.target_size(width, height, preprocessing.default(33)) == target


def test_normalize_reorders_then_subtracts_then_scales():
    record = preprocessing.Preprocessing(
        32, 32, channel_order="BGR", mean=(1.0, 2.0, 3.0), scale=(1.0, 0.5, 2.0)
    )
    images = np.array([[[10, 20, 30]]], np.uint8)
    np.testing.assert_array_equal(
        photograph.normalize(images, record), np.array([[[29.0, 9.0, 14.0]]], np.float32)
    )
    assert photograph.normalize(images, record).dtype == np.float32


def test_square_record_gives_the_uncropped_middle():
    record = preprocessing.caffe(227)
    wide = photograph.square_record(record, record.resize_size)
    image = Image.fromarray(np.random.default_rng(3).integers(0, 256, (90, 120, 3), np.uint8))
    whole = photograph.prepare(image, wide)
    assert whole.shape == (256, 256, 3)
    np.testing.assert_array_equal(photograph.prepare(image, record), whole[14:241, 14:241])


def png(width, height, depth, colour, pixels):
    """A PNG whose header need not fit its pixels."""
    made = b"\x89PNG\r\n\x1a\n"
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    for kind, content in ((b"IHDR", header), (b"IDAT", zlib.compress(pixels, 9)), (b"IEND", b"")):
        made += struct.pack(">I", len(content)) + kind + content
        made += struct.pack(">I", zlib.crc32(kind + content))
    return made


def test_a_picture_of_far_more_pixels_than_its_bytes_hold_is_refused_before_decoding(monkeypatch):
    bits = png(9_000, 9_000, 1, 0, bytes(9_000 * 1126))  # 80 megapixels in 10 KB
    gif = bytearray(encode(Image.new("P", (8, 8)), "GIF"))
    struct.pack_into("<HH", gif, 6, 9_000, 9_000)
    for bomb in (bits, bytes(gif)):
        with monkeypatch.context() as patch:
            patch.setattr(ImageFile.ImageFile, "load", lambda *_: pytest.fail("is decoded"))
            with pytest.raises(
                RunError, match="9000x9000 pixels in .* bytes cannot be a photograph"
            ):
                decoding.decode(bomb)
    assert decoding.decode(png(4096, 4096, 1, 0, bytes(4096 * 513))).size == (4096, 4096)


def test_sixteen_bit_grey_takes_few_bytes_a_pixel():
    side = 2000
    content = encode(Image.fromarray(np.zeros((side, side), np.uint16)), "PNG")
    tracemalloc.start()  # sees NumPy's memory, where it was 24 bytes a pixel
    decoding.decode(content)
    highest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert highest < 10 * side * side


def test_a_file_too_large_for_a_photograph_is_not_read(tmp_path):
    path = tmp_path / "huge.jpg"
    with open(path, "wb") as stream:
        stream.truncate(decoding.MAX_BYTES + 1)
    with pytest.raises(RunError, match=r"huge\.jpg: larger than the 536,870,912 bytes"):
        decoding.decode(path)


def test_a_jpeg_of_two_pictures_is_bounded_as_a_jpeg(monkeypatch):
    second = encode(flat((1, 2, 3)), "MPO", save_all=True, append_images=[flat((4, 5, 6))])
    monkeypatch.setattr(decoding, "MAX_WHOLE_PIXELS", 100)
    assert decoding.decode(second).size == (40, 30)
    with pytest.raises(RunError, match="40x30 pixels are more than the limit of 100;"):
        decoding.decode(encode(flat((1, 2, 3)), "PNG"))
