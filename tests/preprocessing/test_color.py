import numpy as np
import pytest
from PIL import Image, ImageCms

from sqzkit.preprocessing import Preprocessing, color, decoding, photograph
from tests.preprocessing import profiles
from tests.preprocessing.odd_images import ADOBE, GRAY, IN_P3, P3, SCENE, saved

LEVELS = np.linspace(0, 255, 9).astype(np.uint8)
GRID = np.stack(np.meshgrid(LEVELS, LEVELS, LEVELS), -1).reshape(27, 27, 3)


def difference(image, shown):
    return np.abs(np.asarray(image).astype(int) - shown).max()


@pytest.mark.parametrize(
    ("space", "gamma"),
    [(profiles.DISPLAY_P3, 2.2), (profiles.ADOBE_RGB, 2.2), (profiles.PROPHOTO, 1.8)],
)
def test_colors_are_those_that_the_profile_states(space, gamma):
    shown = profiles.in_srgb(GRID, space, gamma)
    assert difference(shown, GRID) > 50
    assert difference(color.to_srgb(Image.fromarray(GRID), profiles.rgb(space, gamma)), shown) <= 1


def test_inks_are_those_that_the_profile_states():
    inks = np.random.default_rng(0).integers(0, 256, (30, 30, 4), np.uint8)
    seen = color.to_srgb(Image.fromarray(inks, "CMYK"), profiles.cmyk())
    assert difference(seen, profiles.inks_in_srgb(inks)) <= 6


def test_a_profile_that_changes_nothing_is_not_applied():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert color._transform(srgb, "RGB") is None
    assert color._transform(P3, "RGB") is not None


@pytest.mark.parametrize("damage", range(60))
def test_a_damaged_profile_does_not_lose_the_photograph(damage):
    changed = bytearray(ADOBE)
    generator = np.random.default_rng(damage)
    for at in generator.integers(0, len(changed), 1 + damage % 9):
        changed[at] = generator.integers(256)
    profile = bytes(changed[: len(changed) - damage % 3 * 100])
    seen = decoding.decode(saved(SCENE, "PNG", icc_profile=profile))
    assert (seen.mode, seen.size) == ("RGB", SCENE.shape[1::-1])


def test_a_profile_of_more_than_a_mebibyte_is_ignored():
    large = P3 + bytes(color.MAX_PROFILE)
    assert difference(color.to_srgb(Image.fromarray(SCENE), large), SCENE) == 0


def test_an_open_image_is_converted_once_and_left_as_it_is():
    record = Preprocessing(32, 32, "squash")
    image = Image.fromarray(SCENE)
    image.info["icc_profile"] = P3
    prepared = photograph.prepare(image, record)
    np.testing.assert_array_equal(np.asarray(image), SCENE)
    converted = decoding.decode(saved(SCENE, "PNG", icc_profile=P3))
    assert difference(converted, IN_P3) <= 1
    np.testing.assert_array_equal(photograph.prepare(converted, record), prepared)
    gray = Image.fromarray(GRAY)
    gray.info["icc_profile"] = profiles.gray(1.8)
    assert difference(decoding.to_rgb(gray), profiles.gray_in_srgb(GRAY, 1.8)) <= 1


def test_transforms_are_made_once_a_profile():
    color._transform.cache_clear()
    for _ in range(5):
        decoding.decode(saved(SCENE, "PNG", icc_profile=P3))
    assert color._transform.cache_info().misses == 1
