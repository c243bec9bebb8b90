"""Fine-tuning from few photographs, judged by folds.

Some dozens of validation images do not tell how much of a fine-tuning helps. So the training and
the validation images are divided into folds. For each fold, a head is fitted to the other folds
and all layers are trained from it; the fold's own images then judge the share of the change that
is kept. So every image judges, and only networks that have not seen it.

If they keep most of the change, there is much to learn, and all layers are trained once more, on
all images. If they keep less, much of the change is noise of the images that a fold was trained
on; then the mean of the folds' changes is better than any one of them (Wortsman et al., "Model
soups", 2022), because they start from the same features. It is added to the published network
with a head that is fitted to all images: each fold's head knows two thirds of them.
"""

import dataclasses
import functools
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sqzkit.base.keras import keras
from sqzkit.data.dataset import ImageDataset, Split
from sqzkit.data.store import open_store
from sqzkit.runs.folder import RunFolder
from sqzkit.training import checkpoint, head
from sqzkit.training.config import TrainingConfig
from sqzkit.training.evaluate import Evaluator, Metrics, difference, named, score
from sqzkit.training.features import compute, of_split
from sqzkit.training.fine_tuning import (
    SHARES,
    averaged,
    finish_untrained,
    fit_head,
    interpolate,
    trainable_values,
)
from sqzkit.training.fit import StageFit, StageResult, fit_stage

FOLDS = 3
MUCH = 0.75  # share from which on all images are trained on once more
ENOUGH_VALIDATION = 100  # images that judge a fine-tuning without folds
MAX_IMAGES = 2_000  # for training and validation: folds of more take too long


def folds_for(config: TrainingConfig, dataset: ImageDataset) -> int:
    """Return in how many folds a fine-tuning is judged; 0: by the validation split alone."""
    validation = dataset.split("validation").num_examples
    judged = (
        config.weights
        and not (config.head_epochs or config.teacher.file)
        and config.distribution_strategy in ("off", "one_device")
        and validation < ENOUGH_VALIDATION
        and validation + dataset.split("train").num_examples <= MAX_IMAGES
    )
    return FOLDS if judged else 0


def cross_tune(model: keras.Model, stage: StageFit, config: TrainingConfig) -> StageResult:
    """Train all layers of a network whose head is fitted, as far as the folds say.

    What is finished of it lies in `folds/` of the run folder until all of it is finished.

    Args:
      model: with the published weights, and a head that is fitted to the training split.
      stage: what is to be trained.
      config: of the run.

    Raises: as `fit_stage`.
    """
    stage = dataclasses.replace(stage, config={**stage.config, "folds": FOLDS})
    last = averaged(dataclasses.replace(stage, dataset=_pooled(stage)), config)
    if any(entry["stage"] == stage.stage for entry in stage.folder.finished_stages()):
        result = fit_stage(model, last)
    else:
        result = _tune(model, stage, last, config)
    shutil.rmtree(_folds_folder(stage).path, ignore_errors=True)
    return result


class _FoldsFolder(RunFolder):
    """Where the folds are kept; their epochs are written beside those of the run's stages."""

    @property
    def metrics_path(self) -> Path:
        """The run's metrics."""
        return self.path.parent / "metrics.jsonl"


def _folds_folder(stage: StageFit) -> _FoldsFolder:
    return _FoldsFolder(stage.folder.path / "folds")


def _tune(
    model: keras.Model, stage: StageFit, last: StageFit, config: TrainingConfig
) -> StageResult:
    """Run the folds, and the training on all images that follows if they ask for it."""
    everything, record = last.dataset, stage.preprocessing
    features = compute(model, stage.dataset, record, stage.folder, str(stage.config["weights"]))
    features += of_split(model, stage.dataset, "validation", record)
    published = trainable_values(model)
    fold = head.folds(features.labels, stage.options.seed, FOLDS)
    answers = np.zeros((len(SHARES), len(fold), everything.num_classes), np.float32)
    changes = []
    for number in range(FOLDS):
        if (fold == number).any():
            part = dataclasses.replace(stage, dataset=_without(everything, fold == number))
            interpolate(model, published, published, 0.0)
            fit_head(model, stage, features.at(fold != number))
            start = trainable_values(model)
            answers[:, fold == number] = _fold_answers(model, part, config, number + 1)
            changes.append([b - a for a, b in zip(start, trainable_values(model), strict=True)])
    known = fold >= 0
    measured = [_score(found[known], features.labels[known]) for found in answers]
    share, recorded = choose(measured, stage)
    as_it_is = dataclasses.replace(last, dataset=stage.dataset)  # whose images are decoded
    interpolate(model, published, published, 0.0)
    fit_head(model, stage, features)
    if share < MUCH:
        if share:
            _add_mean(model, changes, share)
            recorded = {**recorded, **_totals(stage)}
        return finish_untrained(model, as_it_is, lambda _: recorded)
    print(f"{stage.stage}: on all {len(fold):,} images, those of validation too", flush=True)
    finish = functools.partial(_keep, start=trainable_values(model), share=share, recorded=recorded)
    return fit_stage(model, dataclasses.replace(last, finish=finish))


def _add_mean(model: keras.Model, changes: Sequence[Sequence[np.ndarray]], share: float) -> None:
    """Add a share of what the folds changed on average."""
    for variable, *of_folds in zip(model.trainable_variables, *changes, strict=True):
        variable.assign_add(share * np.mean(of_folds, axis=0))


def _totals(stage: StageFit) -> dict[str, Any]:
    """Return what is recorded of the folds' training."""
    parts = [entry["metrics"] for entry in _folds_folder(stage).finished_stages()]
    seconds = sum(part["train_seconds"] for part in parts)
    images = sum(part["train_seconds"] * part["images_per_second"] for part in parts)
    rate = round(images / max(seconds, 0.1), 1)
    epochs = max(part["epochs"] for part in parts)
    return {
        "epochs": epochs,
        "best_epoch": epochs,
        "train_seconds": round(seconds, 1),
        "images_per_second": rate,
    }


def _pooled(stage: StageFit) -> ImageDataset:
    """Return the data with the validation images in the training split too."""
    dataset = stage.dataset
    for split in ("train", "validation"):
        # Drops what cannot be decoded, before folds are made and steps are counted.
        open_store(dataset, split, stage.preprocessing)
    both = dataset.split("train").examples + dataset.split("validation").examples
    splits = {**dataset.splits, "train": Split(both)}
    return dataclasses.replace(dataset, splits=splits, stores={})


def _without(dataset: ImageDataset, held_out: np.ndarray) -> ImageDataset:
    """Return the data with some training images, bool [N], in the place of the other splits."""
    examples = dataset.split("train").examples
    others, judges = (
        Split(tuple(e for e, out in zip(examples, held_out, strict=True) if out == wanted))
        for wanted in (False, True)
    )
    # The test split chooses nothing, and to measure each fold on it would take time.
    splits = {"train": others, "validation": judges, "test": judges}
    return dataclasses.replace(dataset, splits=splits, stores={})


def _fold_answers(
    model: keras.Model, part: StageFit, config: TrainingConfig, number: int
) -> np.ndarray:
    """Train on the other folds; return what the images held out are answered, at each share.

    These are probabilities, float32 [shares, images, classes].
    """
    folder = _folds_folder(part)
    path = folder.path / f"answers_{number}.npz"
    start = trainable_values(model)

    def finish(model: keras.Model) -> dict[str, float]:
        tuned = trainable_values(model)
        evaluator, found = Evaluator(model), []
        for share in SHARES:
            interpolate(model, start, tuned, share)
            measured = evaluator(part.dataset, "validation", part.preprocessing)
            found.append(measured.probabilities)
        checkpoint.save(path, {}, {"answers": found})
        return {}

    part = dataclasses.replace(
        part, folder=folder, stage=f"fold_{number}", callbacks=(), finish=finish
    )
    fit_stage(model, averaged(part, config))
    kept = checkpoint.load(path)
    assert kept is not None  # it is written before the stage is finished
    return np.stack(kept[1]["answers"])


def _score(probabilities: np.ndarray, labels: np.ndarray) -> Metrics:
    return score(np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)), labels)


def choose(measured: Sequence[Metrics], stage: StageFit) -> tuple[float, dict[str, Any]]:
    """Return the share of a fine-tuning that is kept, and what to record of the choice.

    Of those that are at least as accurate as the head alone and whose loss is lower by more than
    one standard error of the difference, the one with the lowest loss is taken: an accuracy on so
    few images is less certain. If there is none, the head is kept. A gain within the error is luck
    as often as not, and from 40 images, what fine-tuning changes can do much harm.

    Args:
      measured: of each of `SHARES`, on the images of all folds.
      stage: whose folder the figures of all shares are written to.
    """
    weights = stage.options.class_weights
    judged = [found.judged(weights)[:2] for found in measured]
    losses = [found.losses(weights) for found in measured]
    gains = [difference(losses[0], found) for found in losses]
    better = [
        index
        for index, (gain, error) in enumerate(gains)
        if judged[index][0] >= judged[0][0] and gain > error
    ]
    best = min(better, key=lambda index: judged[index][1], default=0)
    share, count = SHARES[best], measured[best].examples
    figures = [
        {"share": share, "accuracy": accuracy, "loss": loss, "gain": gain, "error": error}
        for share, (accuracy, loss), (gain, error) in zip(SHARES, judged, gains, strict=True)
    ]
    record = {
        "folds": FOLDS,
        "examples": count,
        "shares": figures,
        "kept": share,
        "mean": 0 < share < MUCH,
    }
    stage.folder.write_record("fine_tuning", record)
    print(
        f"{stage.stage}: of {count:,} images, each answered by a network that has not seen it, "
        f"{judged[0][0]:.1%} are right with the head alone and {judged[best][0]:.1%} with "
        f"{share:.0%} of what fine-tuning changes, which is kept",
        flush=True,
    )
    found = named(measured[best], "validation_")
    return share, {"share": share, "folds": FOLDS, "held_out_examples": count, **found}


def _keep(
    model: keras.Model, start: Sequence[np.ndarray], share: float, recorded: dict[str, Any]
) -> dict[str, Any]:
    interpolate(model, start, trainable_values(model), share)
    return recorded
