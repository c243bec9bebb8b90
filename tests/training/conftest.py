"""Small made data: four classes that a tiny network can tell apart."""

import numpy as np
import pytest

from sqzkit.data.dataset import Example, ImageDataset, Split
from sqzkit.models import spec as specs
from sqzkit.models import squeezenet
from sqzkit.preprocessing import default
from sqzkit.runs.folder import RunFolder
from tests.models.strategies import randomize


def coloured(count, seed):
    """Return `count` noisy images, each of one of four colours, with labels."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 4
    base = np.array([[220, 40, 40], [40, 220, 40], [40, 40, 220], [200, 200, 40]])
    noise = generator.integers(-40, 40, (count, 32, 32, 3))
    pixels = np.clip(base[labels][:, None, None] + noise, 0, 255).astype(np.uint8)
    return Split(
        tuple(Example(image, int(label)) for image, label in zip(pixels, labels, strict=True))
    )


@pytest.fixture(scope="session")
def colours():
    """96 training, 16 validation and 18 test images of four classes."""
    splits = {"train": coloured(96, 1), "validation": coloured(16, 2), "test": coloured(18, 3)}
    return ImageDataset("colours", ("red", "green", "blue", "yellow"), splits)


@pytest.fixture(scope="session")
def record():
    """The preprocessing of all these tests."""
    return default(32)


@pytest.fixture
def folder(tmp_path):
    """A run folder that is not begun."""
    return RunFolder(tmp_path / "run")


@pytest.fixture(scope="module")
def network():
    """A tiny network as published weights leave it, with a head that answers nothing."""
    model = squeezenet.build(specs.tiny(4, normalization="none", conv10_relu=False), 32)
    randomize(model, 0)
    return model
