"""The ImageNet presets, by TFDS's own builder `imagenet2012`, on a stand-in for its files."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from sqzkit.base.imagenet import imagenet_labels
from sqzkit.data import tfds as large_sets
from sqzkit.data.source import DataSource
from sqzkit.training import loop
from sqzkit.training.config import TrainingConfig
from sqzkit.training.presets import PRESETS

CLASSES = 1000
VERSION = "5.1.0"


def picture(label, number):
    """Return a small JPEG as a file, of one of many sizes, whose colours say the class."""
    generator = np.random.default_rng([label, number])
    colour = np.random.default_rng(label).integers(0, 200, (2, 2, 3))
    image = colour + generator.integers(0, 56, (2, 2, 3))
    size = (48 + number, 40 + label % 16)
    stream = io.BytesIO()
    enlarged = Image.fromarray(image.astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)
    enlarged.save(stream, "JPEG")
    stream.seek(0)
    return stream


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory):
    """Return a TFDS folder: two training images a class, 50 validation images, hidden labels."""
    tfds = pytest.importorskip("tensorflow_datasets")
    folder = tmp_path_factory.mktemp("tfds")
    builder = tfds.builder("imagenet2012", data_dir=folder)

    def examples(labels, numbers, hidden=False):
        for label, number in zip(labels, numbers, strict=True):
            name = f"{label:08d}_{number}.JPEG"
            shown = -1 if hidden else label
            yield name, {"image": picture(label, number), "label": shown, "file_name": name}

    classes = np.arange(CLASSES).tolist()
    tfds.dataset_builders.store_as_tfds_dataset(
        name="imagenet2012",
        version=VERSION,
        features=builder.info.features,
        split_datasets={
            "train": list(examples(classes * 2, [0] * CLASSES + [1] * CLASSES)),
            "validation": list(examples(classes[::20], [2] * 50)),
            "test": list(examples(classes[:10], [3] * 10, hidden=True)),
        },
        data_dir=folder,
    )
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "batch_size", "steps"), [("imagenet", 256, 3), ("paper", 128, 7)]
)
def test_a_preset_trains_from_files_that_stay_on_the_disk(
    stand_in, tmp_path, monkeypatch, preset, batch_size, steps
):
    # As for the real one, nothing fits in memory.
    monkeypatch.setattr(large_sets, "MEMORY_BUDGET", 1)
    monkeypatch.setattr("os.sysconf", lambda name: 1)
    source = DataSource(tfds_name="imagenet2012", tfds_data_dir=str(stand_in))
    changes = {**PRESETS[preset], "train_batch_size": batch_size, "image_size": 32}
    # Determinism cannot be switched off again, and other tests of this process draw unseeded.
    changes = {**changes, "train_steps": steps, "deterministic": False}
    changes.pop("train_epochs", None)
    run = loop.train(TrainingConfig(str(tmp_path / "run"), data=source, preset=preset, **changes))
    assert run.spec["classes"] == CLASSES
    # Words, as the published weights have them: --weights keeps their head.
    assert run.dataset.labels == imagenet_labels()
    assert run.spec["normalization"] == ("none" if preset == "paper" else "batch")
    assert run.dataset.flip
    assert run.dataset.split("test").num_examples == 50
    assert run.dataset.split("train").num_examples == 1000  # one a class is cut off
    (line,) = [json.loads(text) for text in (tmp_path / "run" / "metrics.jsonl").open()]
    assert line["loss"] == pytest.approx(np.log(CLASSES), rel=0.2)
    assert np.isfinite(line["validation_loss"])
