"""Measure how fast the input pipeline is: `python -m sqzkit.throughput`.

The CPU time an image takes is what counts where the training step runs on the
same cores; the images per second are what counts where it runs on a device.
"""

import dataclasses
import time
from collections.abc import Sequence

from absl import flags

from sqzkit.data.source import DataSource
from sqzkit.programs import cli

_DATA_DIR = flags.DEFINE_string("data_dir", None, "folder of photographs; default: digits")
_TFDS_NAME = flags.DEFINE_string("tfds_name", None, "TFDS data set")
_TFDS_DATA_DIR = flags.DEFINE_string("tfds_data_dir", None, "where TFDS keeps its data sets")
_IMAGE_SIZE = flags.DEFINE_integer("image_size", 64, "side of the network's input, pixels")
_BATCH_SIZE = flags.DEFINE_integer("train_batch_size", 32, "examples in a batch")
_AUGMENTATION = flags.DEFINE_string("augmentation", "standard", "none, light or standard")
_EPOCHS = flags.DEFINE_integer("train_epochs", 3, "epochs to measure after the first", 1)


@dataclasses.dataclass(frozen=True)
class Throughput:
    """What was measured.

    Attributes:
      preparation_seconds: until the first batch of the first epoch.
      images_per_second: over the epochs after that, building each included.
      cpu_milliseconds: processor time an image took, over all cores.
    """

    preparation_seconds: float
    images_per_second: float
    cpu_milliseconds: float


def measure(
    source: DataSource, image_size: int, batch_size: int, augmentation: str, epochs: int
) -> Throughput:
    """Read `epochs` epochs of training batches, doing nothing with them.

    Args:
      source: which images.
      image_size: side of the network's input, pixels.
      batch_size: examples in a batch.
      augmentation: name of a preset.
      epochs: how many to measure after one that is not, 1 or more.
    """
    from sqzkit import preprocessing
    from sqzkit.data import open, pipeline

    start = time.monotonic()
    dataset = open.open_dataset(source)
    record = preprocessing.default(image_size)
    arguments = (dataset, record, batch_size, augmentation, source.seed)
    next(iter(pipeline.training_batches(*arguments, 0)))
    prepared = time.monotonic()
    processor, images = time.process_time(), 0
    for epoch in range(epochs):
        for _, labels in pipeline.training_batches(*arguments, 1 + epoch):
            images += len(labels)
    return Throughput(
        prepared - start,
        images / (time.monotonic() - prepared),
        1000 * (time.process_time() - processor) / images,
    )


def main(argv: Sequence[str]) -> None:
    """Measure what the flags say and print it."""
    cli.reject_arguments(argv)
    source = DataSource(_DATA_DIR.value, _TFDS_NAME.value, _TFDS_DATA_DIR.value)
    sizes = _IMAGE_SIZE.value, _BATCH_SIZE.value
    result = measure(source, *sizes, _AUGMENTATION.value, _EPOCHS.value)
    print(f"preparation {result.preparation_seconds:.1f} s (libraries included), then")
    print(f"{result.images_per_second:,.0f} images/s, {result.cpu_milliseconds:.3f} ms CPU each")


if __name__ == "__main__":
    cli.run(main)
