import numpy as np
import pytest
import tensorflow as tf

from sqzkit import preprocessing
from sqzkit.base.errors import UsageError
from sqzkit.data import augmentation

SIDE = 32
LEFT, TOP, FLIP, AREA, ASPECT, BRIGHTNESS, CONTRAST, SATURATION = range(augmentation.UNIFORMS)
STILL = augmentation.Augmentation("still")
MIRROR = augmentation.Augmentation("mirror", flip=True)
SHIFT = augmentation.preset("light")
CROP = augmentation.Augmentation("crop", smallest_area=0.25, aspect=1.5)
COLOUR = augmentation.Augmentation("colour", brightness=0.2, contrast=0.5, saturation=0.5)


def noise(count=2, side=SIDE, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), np.uint8)


def numbers(count=2, **columns):
    """Uniforms that change nothing, but for the columns given."""
    table = np.full((count, augmentation.UNIFORMS), 0.5, np.float32)
    table[:, AREA] = 0
    for name, value in columns.items():
        table[:, globals()[name]] = value
    return table


def augmented(images, table, preset, flip=True, side=SIDE):
    return augmentation.augment(tf.constant(images), tf.constant(table), preset, flip, side).numpy()


def test_presets_are_named_and_others_refused():
    assert list(augmentation.PRESETS) == ["none", "light", "standard"]
    with pytest.raises(UsageError, match="--augmentation 'strong': must be one of none, light"):
        augmentation.preset("strong")


def test_none_changes_nothing_but_the_type():
    out = augmented(noise(), numbers(FLIP=0.0), augmentation.preset("none"))
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, noise())


def test_a_flip_mirrors_about_half_and_only_where_allowed():
    images = noise(4)
    table = numbers(4)
    table[:, FLIP] = (0.0, 0.49, 0.5, 0.99)
    out = augmented(images, table, MIRROR)
    np.testing.assert_array_equal(out[:2], images[:2, :, ::-1])
    np.testing.assert_array_equal(out[2:], images[2:])
    np.testing.assert_array_equal(augmented(images, table, MIRROR, flip=False), images)


@pytest.mark.parametrize("uniform", [0.0, 0.3, 0.5, 0.7, 0.9999])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_shift_is_a_cut_from_the_reflected_image(uniform, mirrored):
    images = noise()
    table = numbers(LEFT=uniform, TOP=0.9999 - uniform, FLIP=0.0 if mirrored else 0.9)
    out = augmented(images, table, SHIFT)
    padded = np.pad(images, ((0, 0), (4, 4), (4, 4), (0, 0)), mode="reflect")
    left, top = int(uniform * 9), int((0.9999 - uniform) * 9)
    wanted = padded[:, top : top + SIDE, left : left + SIDE]
    np.testing.assert_array_equal(out, wanted[:, :, ::-1] if mirrored else wanted)


def test_a_margin_is_what_crops_move_in():
    images = noise(side=SIDE + 6)
    for uniform, offset in ((0.0, 0), (0.5, 3), (0.9999, 6)):
        out = augmented(images, numbers(LEFT=uniform, TOP=uniform), SHIFT)
        np.testing.assert_array_equal(
            out, images[:, offset : offset + SIDE, offset : offset + SIDE]
        )


def test_the_whole_area_is_the_whole_image():
    images = noise()
    out = augmented(images, numbers(), CROP)
    np.testing.assert_allclose(out, images, atol=1e-3)


def test_a_crop_is_bilinear_about_pixel_centres():
    ramp = np.broadcast_to(6 * np.arange(32, dtype=np.uint8)[:, None, None], (1, 32, 32, 3))
    out = augmented(ramp, numbers(1, AREA=1.0), CROP)[0]
    # The middle quarter, doubled: output i lies at 8 + (i + 0.5) / 2 - 0.5.
    wanted = 6 * (7.75 + 0.5 * np.arange(32))
    np.testing.assert_allclose(out[:, 3, 1], wanted, atol=1e-3)
    assert np.ptp(out, axis=1).max() < 1e-3


def test_crops_stay_inside_the_image():
    images = np.full((256, 36, 36, 3), 200, np.uint8)
    table = augmentation.draw(0, 0, 256)
    out = augmented(images, table, CROP)
    np.testing.assert_allclose(out, 200, atol=1e-3)


def test_a_mirrored_crop_is_the_crop_mirrored():
    images = noise()
    table = numbers(AREA=0.6, LEFT=0.2, TOP=0.9, ASPECT=0.8)
    mirror = augmentation.Augmentation("both", smallest_area=0.25, aspect=1.5, flip=True)
    straight = augmented(images, table, mirror)
    table[:, FLIP] = 0.1
    np.testing.assert_allclose(augmented(images, table, mirror), straight[:, :, ::-1], atol=1e-3)


def test_brightness_is_added():
    images = np.full((1, SIDE, SIDE, 3), 100, np.uint8)
    assert augmented(images, numbers(1, BRIGHTNESS=1.0), COLOUR) == pytest.approx(151)
    assert augmented(images, numbers(1, BRIGHTNESS=0.0), COLOUR) == pytest.approx(49)


def test_contrast_is_about_the_mean_grey():
    images = np.full((1, SIDE, SIDE, 3), 100, np.uint8)
    images[:, : SIDE // 2] = 140
    out = augmented(images, numbers(1, CONTRAST=1.0), COLOUR)
    assert out[0, 0, 0, 0] == pytest.approx(150, abs=1e-3)
    assert out[0, -1, 0, 0] == pytest.approx(90, abs=1e-3)


def test_saturation_is_about_each_pixels_grey():
    images = np.full((1, SIDE, SIDE, 3), (120, 80, 100), np.uint8)
    grey = 0.299 * 120 + 0.587 * 80 + 0.114 * 100
    out = augmented(images, numbers(1, SATURATION=0.0), COLOUR)
    wanted = grey + 0.5 * (np.array([120, 80, 100]) - grey)
    np.testing.assert_allclose(out[0, 0, 0], wanted, atol=1e-3)


def test_colours_are_clipped():
    out = augmented(noise(), numbers(BRIGHTNESS=1.0, CONTRAST=1.0, SATURATION=1.0), COLOUR)
    assert (out.min(), out.max()) == (0.0, 255.0)


@pytest.mark.parametrize("name", augmentation.PRESETS)
def test_eagerly_and_in_map_and_in_any_batch_alike(name):
    preset = augmentation.preset(name)
    record = preprocessing.default(SIDE)
    images = noise(6, preset.training_side(record))
    table = augmentation.draw(1, 2, 6)
    eager = augmented(images, table, preset)
    dataset = tf.data.Dataset.from_tensor_slices((images, table)).batch(4)
    mapped = dataset.map(lambda i, u: augmentation.augment(i, u, preset, True, SIDE))
    np.testing.assert_allclose(np.concatenate(list(mapped)), eager, atol=2e-4)
    single = np.concatenate(
        [augmented(images[i : i + 1], table[i : i + 1], preset) for i in range(6)]
    )
    np.testing.assert_allclose(single, eager, atol=2e-4)


def test_numbers_depend_on_seed_epoch_and_example():
    table = augmentation.draw(1, 2, 50)
    np.testing.assert_array_equal(table, augmentation.draw(1, 2, 50))
    np.testing.assert_array_equal(table[:20], augmentation.draw(1, 2, 20))
    assert not np.array_equal(table, augmentation.draw(1, 3, 50))
    assert not np.array_equal(table, augmentation.draw(2, 2, 50))
    assert len(np.unique(table)) == table.size
    assert 0 <= table.min() < table.max() < 1


@pytest.mark.parametrize(
    ("name", "record", "side"),
    [
        ("none", preprocessing.caffe(227), 227),
        ("light", preprocessing.caffe(227), 256),
        ("light", preprocessing.default(64), 64),
        ("standard", preprocessing.default(64), 73),
        ("standard", preprocessing.caffe(227), 256),
        ("standard", preprocessing.default(1024), 1024),
    ],
)
def test_the_side_kept_for_training(name, record, side):
    assert augmentation.preset(name).training_side(record) == side
