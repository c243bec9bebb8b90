r"""Measure whether the input pipeline is ever the slower half.

python -m benchmarks.input_pipeline --data_dir=PHOTOS
python -m benchmarks.input_pipeline --data_dir=PHOTOS --image_size=224 --classes=1000 \
    --augmentation=standard --from_disk        as ImageNet's images are read

Times the training step alone (one batch again and again), the pipeline alone,
and both together. Where the pipeline hides behind the step, together is about
as fast as the step alone.
"""

import dataclasses
import itertools
import time
from collections.abc import Iterable, Sequence
from typing import Any

from absl import flags

from benchmarks import script
from sqzkit.data.source import DataSource

_DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of photographs; default: the digits.")
_IMAGE_SIZE = flags.DEFINE_integer("image_size", 64, "Side of the network's input, pixels.")
_BATCH_SIZE = flags.DEFINE_integer("train_batch_size", 32, "Examples a step.")
_AUGMENTATION = flags.DEFINE_list("augmentation", ["light", "standard"], "Presets to measure.")
_STEPS = flags.DEFINE_integer("steps", 80, "Steps to measure, after 8 that are not.")
_CLASSES = flags.DEFINE_integer("classes", None, "Of the network; default: those of the data.")
_FROM_DISK = flags.DEFINE_boolean(
    "from_disk", False, "Decode every image again each epoch, as where they do not fit in memory."
)
_WARMUP = 8


@dataclasses.dataclass(frozen=True)
class Rates:
    """Images a second."""

    step: float
    pipeline: float
    together: float


def measure(source: DataSource, size: int, batch: int, augmentation: str, steps: int) -> Rates:
    """Measure v1.1 with batch normalization on one data set."""
    import tensorflow as tf

    from sqzkit.data import open, pipeline
    from sqzkit.models import spec, squeezenet
    from sqzkit.preprocessing import default
    from sqzkit.training import optimization
    from sqzkit.training.options import FitOptions
    from sqzkit.training.steps import Stepper, smoothed_cross_entropy

    dataset = open.open_dataset(source)
    if _FROM_DISK.value:
        dataset.memory_budget = 0
    classes = _CLASSES.value or dataset.num_classes
    options = FitOptions(epochs=1, batch_size=batch)
    model = squeezenet.build(spec.v1_1(classes), size)
    optimizer = optimization.build_optimizer(options, model.trainable_variables)
    loss = smoothed_cross_entropy(classes, 0.0)
    train = Stepper(model, optimizer, options, loss, tf.distribute.get_strategy()).train

    def batches() -> Iterable[Any]:
        for epoch in itertools.count():
            made = pipeline.training_batches(
                dataset, default(size), batch, augmentation, options.seed, epoch
            )
            yield from (pair for pair in made if len(pair[1]) == batch)

    one = next(iter(batches()))
    return Rates(
        step=_rate(itertools.repeat(one), train, batch, steps),
        pipeline=_rate(batches(), lambda images, labels: images, batch, steps),
        together=_rate(batches(), train, batch, steps),
    )


def _rate(batches: Iterable[Any], work: Any, batch: int, steps: int) -> float:
    started = 0.0
    for step, pair in enumerate(itertools.islice(batches, _WARMUP + steps)):
        if step == _WARMUP:
            started = time.monotonic()
        # Reading the result waits for it.
        work(*pair).numpy()
    return batch * steps / (time.monotonic() - started)


def main(argv: Sequence[str]) -> None:
    """Print one line per preset."""
    script.reject_arguments(argv)
    source = DataSource(data_dir=_DATA_DIR.value)
    print("images/s       step  pipeline  together")
    for name in _AUGMENTATION.value:
        rates = measure(source, _IMAGE_SIZE.value, _BATCH_SIZE.value, name, _STEPS.value)
        print(f"{name:12} {rates.step:6.0f} {rates.pipeline:9.0f} {rates.together:9.0f}")


if __name__ == "__main__":
    script.run(main)
