"""One offspring: the channels it inherits, its run folder, and its training."""

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sqzkit.base.keras import keras
from sqzkit.data.dataset import ImageDataset
from sqzkit.data.pipeline import training_batches
from sqzkit.evolution.config import EvolveConfig
from sqzkit.evolution.surgery import cut
from sqzkit.evolution.synthesis import (
    Counts,
    channel_counts,
    draw,
    draw_counted,
    synaptic_strengths,
)
from sqzkit.models.spec import SqueezeNetSpec
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.loading import LoadedRun, begin_run
from sqzkit.runs.settings import recorded_options
from sqzkit.training.distillation import distillation_loss
from sqzkit.training.fit import StageFit, fit_stage
from sqzkit.training.options import FitOptions

STAGE = "train"
NORMALIZATION_BATCHES = 16


@dataclasses.dataclass(frozen=True)
class Family:
    """What all generations of an evolution share.

    The ancestor is the trained network that all descend from, and the teacher in distillation; the
    data are its own.
    """

    config: EvolveConfig
    ancestor: LoadedRun
    dataset: ImageDataset

    def folder(self, name: str) -> RunFolder:
        """Return the run folder of that name in the evolution's folder."""
        return RunFolder(Path(self.config.output_dir) / name)


def raise_offspring(family: Family, parent: LoadedRun, number: int, index: int) -> dict[str, Any]:
    """Draw and train offspring `index` (from 0) of generation `number` (from 1); return its record.

    That is "folder", "parameters", "validation_top1" (0..1) and "validation_loss". If the offspring
    was trained before, its recorded metrics are returned.
    """
    seed = (family.config.seed, number, index)
    batches, counts = _normalization_batches(family), _counts(family, parent, number)
    spec, model = inherit(parent, family.config.environment, seed, batches, counts)
    folder = family.folder(offspring_name(number, index))
    prepare(family, folder, spec, model)
    metrics = train(family, folder, model, family.config.train_epochs, number)
    parameters = model.count_params()
    keras.backend.clear_session()
    return {
        "folder": folder.path.name,
        "parameters": parameters,
        "validation_top1": metrics["validation_top1"],
        "validation_loss": metrics["validation_loss"],
    }


def _counts(family: Family, parent: LoadedRun, number: int) -> Counts | None:
    config = family.config
    if config.channel_multiple == 1:
        return None
    whole, now = (SqueezeNetSpec.from_json(run.spec) for run in (family.ancestor, parent))
    return channel_counts(whole, now, config.environment**number, config.channel_multiple)


def offspring_name(number: int, index: int) -> str:
    """Return the name of an offspring's run folder."""
    return f"generation_{number:02d}.{index}"


def inherit(
    parent: LoadedRun,
    environment: float,
    seed: tuple[int, ...],
    batches: Iterable[np.ndarray],
    counts: Counts | None = None,
) -> tuple[SqueezeNetSpec, keras.Model]:
    """Return an offspring with the weights of the channels that it inherits.

    Args:
      parent: its parent.
      environment: R, share of channels that survives, above 0 and at most 1.
      seed: decides which.
      batches: preprocessed images for its batch normalization (`renormalize`).
      counts: numbers of channels (`channel_counts`); None: R of them, on average.
    """
    spec = SqueezeNetSpec.from_json(parent.spec)
    strengths = synaptic_strengths(parent.model, spec)
    kept = draw_counted(strengths, counts, seed) if counts else draw(strengths, environment, seed)
    # A smaller network overfits less and needs less dropout (Han et al. 2015, equation 2):
    # dropout falls with the root of the parameters, and these fall with R squared.
    calmed = dataclasses.replace(spec, dropout=spec.dropout * environment)
    child_spec, child = cut(parent.model, calmed, kept)
    renormalize(child, batches)
    return child_spec, child


def renormalize(model: keras.Model, batches: Iterable[np.ndarray]) -> None:
    """Set the moving means and variances of batch normalization to those of the batches.

    The inherited statistics are those of the whole network. After the cut, less signal reaches each
    layer, so that the network answers at random until they are measured again. The batches are
    preprocessed, float32 [B, S, S, 3]; each counts the same.
    """
    normalizations = [
        layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    before = [layer.momentum for layer in normalizations]
    for number, images in enumerate(batches if normalizations else ()):
        for layer in normalizations:
            layer.momentum = number / (number + 1)  # the moving average is the mean so far
        model(images, training=True)
    for layer, momentum in zip(normalizations, before, strict=True):
        layer.momentum = momentum


def prepare(family: Family, folder: RunFolder, spec: SqueezeNetSpec, model: keras.Model) -> None:
    """Make `folder` the run folder of `model`, which is not trained yet."""
    ancestor, flags = family.ancestor, {"evolve": family.config.to_json()}
    records = {"data": ancestor.folder.read_record("data"), "flags": flags}
    begin_run(folder, spec.to_json(), model, ancestor.preprocessing, ancestor.labels, records)
    folder.add_command(family.config.command())


def train(
    family: Family, folder: RunFolder, model: keras.Model, epochs: int, number: int
) -> dict[str, Any]:
    """Train `model` in the run folder that `prepare` made, and return the stage's metrics.

    `number` is that of the generation; it decides order and augmentation.
    """
    fit, share = options(family, epochs, number), family.config.distillation
    loss = None
    if share:
        loss = distillation_loss(family.ancestor.model, share, fit.label_smoothing)
    record = family.ancestor.preprocessing
    config = {"distillation": share}
    stage = StageFit(folder, STAGE, family.dataset, record, fit, loss=loss, config=config)
    return fit_stage(model, stage).metrics


def options(family: Family, epochs: int, number: int) -> FitOptions:
    """Return the ancestor's own options with `epochs` and this evolution's learning rate.

    Each generation sees the photographs in another order and otherwise augmented; the
    offspring of one generation see the same, so that they differ only in what they inherited.
    """
    return dataclasses.replace(
        recorded_options(family.ancestor.folder, STAGE, FitOptions),
        epochs=epochs,
        base_learning_rate=family.config.base_learning_rate,
        lr_schedule="cosine",
        warmup_epochs=0.0,
        seed=family.config.seed + number,
        early_stopping_patience=0,
        best_from_epoch=0,
        watchdog_epochs=0,
    )


def _normalization_batches(family: Family) -> Iterator[np.ndarray]:
    fit = options(family, 1, 0)
    batches = training_batches(
        family.dataset, family.ancestor.preprocessing, fit.batch_size, "none", fit.seed, 0
    )
    for images, _ in batches.take(NORMALIZATION_BATCHES):
        yield images.numpy()
