"""The image size and resize rule of transfer learning, chosen by heads on frozen features."""

import contextlib
import dataclasses
import math
from collections.abc import Callable

import numpy as np

from sqzkit.base.errors import RunError
from sqzkit.base.keras import keras
from sqzkit.data.dataset import ImageDataset
from sqzkit.models import squeezenet, transfer
from sqzkit.models.pretrained import Pretrained
from sqzkit.models.spec import SqueezeNetSpec
from sqzkit.preprocessing import Preprocessing
from sqzkit.runs.folder import RunFolder
from sqzkit.training import head
from sqzkit.training.config import TrainingConfig
from sqzkit.training.evaluate import difference
from sqzkit.training.features import compute

SIZES = (96, 160, 227, 288)  # pixels
MAX_TRIED = 1_000  # photographs on which sizes are compared
MAX_MEASURED = 50  # photographs whose own size is looked at
# What training may take: this many images of 227x227 pixels, half an hour to an hour on two cores.
MAX_WORK = 100_000


def transfer_preprocessing(
    folder: RunFolder,
    dataset: ImageDataset,
    spec: SqueezeNetSpec,
    config: TrainingConfig,
    pretrained: Pretrained,
    epochs: int,
) -> Preprocessing:
    """Return the weights' record at the size asked for, or what is best for the features."""
    if pretrained.assumed:
        print(pretrained.assumed, flush=True)
    if config.image_size:
        return pretrained.preprocessing_at(config.image_size)
    if folder.spec_path.exists():
        return folder.preprocessing
    if transfer.keeps_head(pretrained, dataset.labels):
        return pretrained.preprocessing_at(pretrained.image_size)

    def build(size: int) -> keras.Model:
        model = squeezenet.build(spec, size)
        transfer.load_pretrained(model, pretrained, config.weights_dir, dataset.labels)
        return model

    images = epochs * dataset.split("train").num_examples
    tried = Trial(*(build, dataset, folder, pretrained.identity, config.seed, config.class_weights))
    return choose_preprocessing(tried, pretrained.preprocessing_at, images)


@dataclasses.dataclass(frozen=True)
class Trial:
    """Measures heads on frozen features under a preprocessing record.

    Attributes:
      build: makes the network, with the published weights, for an image size.
      dataset: at most `MAX_TRIED` of its training images are looked at.
      folder: keeps the features.
      weights: the name of the published weights.
      seed: decides the folds.
      class_weights: as in `fit`.
    """

    build: Callable[[int], keras.Model]
    dataset: ImageDataset
    folder: RunFolder
    weights: str
    seed: int
    class_weights: str | None = None

    def shorter_side(self) -> float:
        """Return the median of the shorter sides of some training images, in pixels.

        It is 0 if none of them can be decoded, which is accounted for when all are.
        """
        examples, sides = self.dataset.split("train").examples, []
        for example in examples[:: math.ceil(len(examples) / MAX_MEASURED)]:
            with contextlib.suppress(RunError):
                sides.append(min(example.decode().size))
        return float(np.median(sides)) if sides else 0.0

    def losses(self, record: Preprocessing) -> np.ndarray:
        """Return the head's loss on every image held out; print its accuracy on them."""
        model = self.build(record.image_size)
        features = compute(model, self.dataset, record, self.folder, self.weights, MAX_TRIED)
        fitted = head.fit(features, self.dataset.num_classes, self.seed, self.class_weights)
        print(
            f"head on frozen features, {record.image_size} px, {record.resize}: "
            f"{head.in_words(fitted, features)}",
            flush=True,
        )
        return fitted.losses(features.labels)


def choose_preprocessing(
    trial: Trial, record_at: Callable[[int], Preprocessing], images: int
) -> Preprocessing:
    """Return the record for the data: the size is chosen first, then the resize rule.

    Few photographs do not tell which size and rule are best. On photographs a larger size nearly
    always is, so it is taken unless its held-out losses are higher by more than one standard
    error of the difference, or two where half of the photographs have so many pixels. And
    photographs that keep their shape are more often answered right, also by weights that were
    trained on squashed ones; so "squash" is taken only if its losses are lower by more than one
    standard error.

    Args:
      trial: measures a record.
      record_at: the record of the published weights at an image size.
      images: that the whole training takes, counted in each epoch; sizes at which that is too
        much work are left out.
    """
    affordable = [size for size in SIZES if images * (size / 227) ** 2 <= MAX_WORK]
    first, *larger = (
        dataclasses.replace(record_at(size), resize="shorter_side")
        for size in affordable[-3:] or SIZES[:1]
    )
    best, lowest, own_side = first, trial.losses(first), trial.shorter_side()
    for record in larger:
        losses, errors = trial.losses(record), 2 if own_side >= record.resize_size else 1
        if not _are_higher(losses, lowest, errors):
            best, lowest = record, losses
    squashed = dataclasses.replace(best, resize="squash")
    return squashed if _are_higher(lowest, trial.losses(squashed)) else best


def _are_higher(losses: np.ndarray, others: np.ndarray, errors: int = 1) -> bool:
    """Return whether the mean is higher by more than some standard errors of the difference."""
    if len(losses) < 2:
        return False
    mean, error = difference(losses, others)
    return mean > errors * error
