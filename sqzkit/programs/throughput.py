"""Measure how fast the input pipeline is.

    sqzkit throughput --data_dir=photographs

The CPU time an image takes is what counts where the training step runs on the
same cores; the images per second are what counts where it runs on a device.
"""

import dataclasses
import time
from typing import Any

from sqzkit.base import assembly, quiet
from sqzkit.base.settings import Settings, like, nested, setting
from sqzkit.data.source import DataSource
from sqzkit.programs import cli
from sqzkit.training.options import Augmentation, FitOptions


@dataclasses.dataclass(frozen=True)
class ThroughputSettings(Settings):
    """The flags of `sqzkit throughput`."""

    data: DataSource = nested(factory=DataSource, only=("data_dir", "tfds_name", "tfds_data_dir"))
    image_size: int = setting(
        64, minimum=1, unit="pixels", group="Pipeline", help="Side of the network's input."
    )
    train_batch_size: int = like(FitOptions, "batch_size", flag="")
    augmentation: Augmentation = like(FitOptions, "augmentation", "standard")
    train_epochs: int = setting(3, minimum=1, help="Epochs to measure after the first.")


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
    """Read `epochs` epochs of training batches, after one that does not count, and drop them.

    `image_size` is the side of the network's input, pixels; `augmentation` the name of a preset.
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


def main(given: dict[str, Any], arguments: list[str]) -> None:
    """Measure as the flags say and print the figures."""
    asked = assembly.build(ThroughputSettings, given)
    quiet.load_tensorflow()
    sizes = asked.image_size, asked.train_batch_size
    result = measure(asked.data, *sizes, asked.augmentation, asked.train_epochs)
    print(f"preparation {result.preparation_seconds:.1f} s (libraries included), then")
    print(f"{result.images_per_second:,.0f} images/s, {result.cpu_milliseconds:.3f} ms CPU each")


PROGRAM = cli.Program("throughput", main, (ThroughputSettings,))

if __name__ == "__main__":
    cli.run(PROGRAM)
