import numpy as np
import pytest

from sqzkit.base.errors import UsageError
from sqzkit.conversion.converter import check_distinct, representative_dataset


def test_every_image_once_as_float32_in_batches_of_one(noise_images):
    batches = list(representative_dataset(noise_images)())
    assert len(batches) == len(noise_images)
    for (batch,), image in zip(batches[1:], noise_images[1:], strict=True):
        assert (batch.shape, batch.dtype) == ((1, 32, 32, 3), np.float32)
        np.testing.assert_array_equal(batch[0], image)


def test_the_range_is_0_to_255_whatever_the_photographs():
    images = np.random.default_rng(0).integers(90, 120, (4, 32, 32, 3), dtype=np.uint8)
    before = images.copy()
    batches = [batch for (batch,) in representative_dataset(images)()]
    assert min(batch.min() for batch in batches) == 0
    assert max(batch.max() for batch in batches) == 255
    assert (batches[0][0] != images[0]).sum() == 6, "one black and one white pixel"
    np.testing.assert_array_equal(images, before)


def test_too_few_or_repeated_images_are_refused(noise_images):
    with pytest.raises(UsageError, match="1 representative images"):
        check_distinct(noise_images[:1])
    repeated = np.repeat(noise_images[:3], 4, axis=0)
    with pytest.raises(UsageError, match="only 3 of 12 representative images are distinct"):
        check_distinct(repeated)
    a_few_copies = np.concatenate([noise_images, noise_images[:3]])
    check_distinct(a_few_copies)
