"""Small photographs and folders of them."""

import io

import numpy as np
import pytest
from PIL import Image

from sqzkit.data.dataset import Example, ImageDataset, Split


@pytest.fixture
def jpeg():
    """JPEG bytes of noise that tells photographs apart."""

    def make(number=0, width=20, height=16, **options):
        generator = np.random.default_rng(number)
        image = Image.fromarray(generator.integers(0, 256, (height, width, 3), np.uint8))
        stream = io.BytesIO()
        image.save(stream, "JPEG", **options)
        return stream.getvalue()

    return make


@pytest.fixture
def photo_folder(tmp_path, jpeg):
    """Make a folder with `count` photographs for each "SPLIT/CLASS" or "CLASS"."""

    def make(counts, name="photos"):
        number = 0
        for place, count in counts.items():
            folder = tmp_path / name / place
            folder.mkdir(parents=True)
            for index in range(count):
                (folder / f"{index:03}.jpg").write_bytes(jpeg(number))
                number += 1
        return tmp_path / name

    return make


@pytest.fixture
def coloured():
    """A data set whose image i of a split has colour (i, label, 7): 8x8 pixels, three classes."""

    def make(train=20, validation=6, test=9, **options):
        def split(count):
            return Split(
                tuple(
                    Example(np.full((8, 8, 3), (i, i % 3, 7), np.uint8), i % 3)
                    for i in range(count)
                )
            )

        parts = {"train": split(train), "validation": split(validation), "test": split(test)}
        return ImageDataset("coloured", ("a", "b", "c"), parts, **options)

    return make
