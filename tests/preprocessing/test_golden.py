import json

import numpy as np
import pytest
from PIL import Image

from sqzkit.preprocessing import decoding, photograph
from tests.preprocessing import cases as golden
from tests.preprocessing import numpy_rule as plain

INDEX = json.loads((golden.FOLDER / "index.json").read_text())["cases"]
PIXELS = [case for case in INDEX if case["kind"] == "pixels"]
FILES = [case for case in INDEX if case["kind"] == "file"]


def names(cases):
    return [case["name"] for case in cases]


def record(case):
    return golden.record(case["image_size"], case["resize_size"], case["resize"])


def expected(case):
    content = (golden.FOLDER / case["expected"]).read_bytes()
    side = case["image_size"]
    return np.frombuffer(content, np.uint8).reshape(side, side, 3)


def stored(case):
    shape = case["height"], case["width"], case["channels"]
    return np.frombuffer((golden.FOLDER / case["input"]).read_bytes(), np.uint8).reshape(shape)


def test_the_index_lists_every_case_and_every_file():
    assert names(PIXELS) == list(golden.PIXELS)
    assert names(FILES) == list(golden.encoded())
    listed = {case[key] for case in INDEX for key in ("input", "expected")} | {"index.json"}
    assert {path.name for path in golden.FOLDER.iterdir()} == listed
    assert sum(path.stat().st_size for path in golden.FOLDER.iterdir()) < 300_000


@pytest.mark.parametrize("case", PIXELS, ids=names(PIXELS))
def test_pillow_still_gives_the_golden_square(case):
    image = stored(case)
    np.testing.assert_array_equal(image, golden.pixels(case["name"]))
    upright = decoding.upright(Image.fromarray(image), case["orientation"])
    np.testing.assert_array_equal(photograph.prepare(upright, record(case)), expected(case))


@pytest.mark.parametrize("case", PIXELS, ids=names(PIXELS))
def test_the_page_is_precise_enough_to_be_written_again(case):
    square = plain.prepare(stored(case), case["orientation"], case)
    np.testing.assert_array_equal(square, expected(case))


@pytest.mark.parametrize("case", FILES, ids=names(FILES))
def test_a_file_still_gives_the_golden_square(case):
    square = photograph.load_photograph(golden.FOLDER / case["input"], record(case))
    difference = np.abs(square.astype(int) - expected(case))
    # JPEG decoders may differ in the last bit or two; the others may not.
    assert difference.max() <= (0 if case["exact"] else 3)


def test_all_eight_orientations_look_alike_upright():
    squares = [expected(case).astype(int) for case in FILES if "orientation" in case["name"]]
    assert len(squares) == 8
    for square in squares[1:]:
        assert np.abs(square - squares[0]).mean() < 5
    mirrored = squares[0][:, ::-1]
    assert np.abs(mirrored - squares[0]).mean() > 30


@pytest.mark.parametrize("seed", range(40))
def test_random_sizes_agree_with_the_page_bit_for_bit(seed):
    generator = np.random.default_rng(seed)
    height, width = generator.integers(1, 90, 2)
    side = int(generator.integers(32, 70))
    case = {
        "image_size": side,
        "resize_size": side + int(generator.integers(0, 9)),
        "resize": ("squash", "shorter_side")[seed % 2],
    }
    channels = 3 + seed // 2 % 2
    image = generator.integers(0, 256, (height, width, channels), np.uint8)
    turn = 1 + seed % 8
    # Compositing first or turning first is the same, pixel by pixel.
    got = photograph.prepare(decoding.upright(Image.fromarray(image), turn), record(case))
    np.testing.assert_array_equal(got, plain.prepare(image, turn, case))
