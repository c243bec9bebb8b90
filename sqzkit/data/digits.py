"""The embedded digits: 1,797 handwritten digits that come with scikit-learn.

8x8 pixels, 17 grey levels, from UCI's "Optical Recognition of Handwritten
Digits" (CC BY 4.0). Nothing is fetched.
"""

import numpy as np

from sqzkit.data import splitting
from sqzkit.data.dataset import SPLITS, Example, ImageDataset, Split

VALIDATION_SHARE = 0.1
TEST_SHARE = 0.2
# The cut is fixed, whatever the seed of a run, so that results can be compared.
SPLIT_SEED = 0


def open_digits(flip: bool = False) -> ImageDataset:
    """Return the digits: 8x8 pixels uint8 RGB, ten labels "0" to "9"."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    grey = np.round(bunch.images * (255 / 16)).astype(np.uint8)
    images = np.repeat(grey[..., np.newaxis], 3, axis=-1)
    labels = tuple(str(digit) for digit in range(10))
    rest, validation, test = splitting.stratified(
        bunch.target, (VALIDATION_SHARE, TEST_SHARE), SPLIT_SEED, labels
    )
    splits = {
        name: Split(tuple(Example(images[i], int(bunch.target[i])) for i in indices))
        for name, indices in zip(SPLITS, (rest, validation, test), strict=True)
    }
    return ImageDataset("digits", labels, splits, flip=flip)
