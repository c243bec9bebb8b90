"""Fine-tuning from a fitted head, and how much of it is kept."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sqzkit.base.keras import keras
from sqzkit.data.dataset import ImageDataset
from sqzkit.runs.weights import load_weights, save_weights
from sqzkit.training import head
from sqzkit.training.config import TrainingConfig
from sqzkit.training.duration import steps_per_epoch
from sqzkit.training.evaluate import Evaluator, named, split_metrics
from sqzkit.training.features import MAX_PHOTOGRAPHS, Features, of_split
from sqzkit.training.fit import StageFit, StageResult, finished, fit_stage

MAX_AVERAGED = 100  # last steps that count in the averaged weights, or a third of all if fewer
# Of the way from the start to the fine-tuned weights; the first of equally good ones is taken.
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
MIN_VALIDATION = 10  # images by which fine-tuning is judged
MIN_JUDGED = 40  # the same in folds, where less is left to train on


def cannot_be_judged(config: TrainingConfig, dataset: ImageDataset, folds: int) -> bool:
    """Return, and print, whether too few images would judge a default fine-tuning.

    Args:
      config: of the run.
      dataset: what it is trained on.
      folds: in which all its images judge; 0: the validation split judges.
    """
    judges, count, enough = "validation images", 0, MIN_VALIDATION
    if folds:
        judges, count, enough = "images", dataset.split("train").num_examples, MIN_JUDGED
    count += dataset.split("validation").num_examples
    if not config.weights or not config.min_train_steps or count >= enough:
        return False
    print(
        f"fine-tuning: none, because {count} {judges} cannot tell whether it helps; with "
        f"at least {enough}, or with --train_epochs, there is one",
        flush=True,
    )
    return True


def fine_tune(model: keras.Model, stage: StageFit, config: TrainingConfig) -> StageResult:
    """Train all layers of a network whose head is fitted or trained already."""
    stage = averaged(stage, config)
    if config.head_epochs:
        return fit_stage(model, dataclasses.replace(stage, keep_start=True))
    start = trainable_values(model)
    finish = functools.partial(settle, stage=stage, start=start)
    return fit_stage(model, dataclasses.replace(stage, finish=finish))


def averaged(stage: StageFit, config: TrainingConfig) -> StageFit:
    """Return the stage with the average of its weights as its result, if its length is default."""
    if not config.min_train_steps:
        return stage
    steps = stage.options.epochs * steps_per_epoch(stage.dataset, stage.options)
    return dataclasses.replace(stage, average=average_decay(steps))


def average_decay(steps: int) -> float:
    """Return the decay, a step, of the averaged weights of a training of that many steps.

    With a decay that is the same for all, a third of a training of 100 steps would be its start.
    Of any training, 5 % are now.
    """
    return max(0.0, 1 - 1 / min(MAX_AVERAGED, max(1.0, steps / 3)))


def settle(
    model: keras.Model, stage: StageFit, start: Sequence[np.ndarray]
) -> dict[str, float | int]:
    """Go back from the fine-tuned weights towards the start as far as the validation split says.

    Fine-tuning changes all weights, whether the data have more to teach than the head knows or
    not. A mean of the weights before and after it is often better than both (Wortsman et al.,
    "Robust fine-tuning of zero-shot models", 2022). The most accurate share is taken, and of
    equally accurate ones that with the lowest loss. If that is the start, the head is fitted once
    more, to both splits.

    Args:
      model: with the weights that are kept.
      stage: what was trained.
      start: the trainable variables before the training, in their order.

    Returns:
      The share, and the other metrics to record in place of those measured afterwards.
    """
    tuned = trainable_values(model)
    evaluator, scores = Evaluator(model), []
    for share in SHARES:
        interpolate(model, start, tuned, share)
        measured = evaluator(stage.dataset, "validation", stage.preprocessing)
        top1, loss, _ = measured.judged(stage.options.class_weights)
        scores.append((top1, -loss, share, measured))
    *_, share, measured = max(scores, key=lambda score: score[:2])
    interpolate(model, start, tuned, share)
    if share:
        print(f"{stage.stage}: kept {share:.0%} of what fine-tuning changed", flush=True)
        return {"share": share}
    fit_to_both(model, stage)
    return {"best_epoch": 0, "share": 0.0, **named(measured, "validation_")}


def trainable_values(model: keras.Model) -> list[np.ndarray]:
    """Return copies of the trainable weights, in their order."""
    return [variable.numpy() for variable in model.trainable_variables]


def interpolate(
    model: keras.Model, start: Sequence[np.ndarray], tuned: Sequence[np.ndarray], share: float
) -> None:
    """Set the trainable weights to a share, 0..1, of the way from `start` to `tuned`."""
    for variable, before, after in zip(model.trainable_variables, start, tuned, strict=True):
        variable.assign((1 - share) * before + share * after)


def fit_to_both(model: keras.Model, stage: StageFit) -> None:
    """Fit `conv10` of a network that is not fine-tuned to the validation split, too."""
    dataset = stage.dataset
    if dataset.split("train").num_examples > MAX_PHOTOGRAPHS:
        return  # the others add nothing
    train, validation = (
        of_split(model, dataset, split, stage.preprocessing) for split in ("train", "validation")
    )
    fit_head(model, stage, train + validation)


def fit_head(model: keras.Model, stage: StageFit, features: Features) -> None:
    """Fit `conv10` of a network to the features of some images."""
    options, classes = stage.options, stage.dataset.num_classes
    head.fit(features, classes, options.seed, options.class_weights).write(model)


def finish_with_head(model: keras.Model, stage: StageFit) -> StageResult:
    """Finish a stage that is not trained: with its head, fitted to both splits."""
    weights = trainable_values(model)
    return finish_untrained(model, stage, functools.partial(settle, stage=stage, start=weights))


def finish_untrained(
    model: keras.Model, stage: StageFit, finish: Callable[[keras.Model], Mapping[str, Any]]
) -> StageResult:
    """Finish a stage whose network is trained already; `finish` is that of a stage."""
    folder = stage.folder
    if found := finished(folder, stage.stage, stage.record):
        load_weights(model, folder.weights_path(stage.stage))
        return StageResult(model, found["metrics"])
    recorded = finish(model)
    measured = split_metrics(Evaluator(model), stage.dataset, stage.preprocessing)
    nothing = {"epochs": 0, "best_epoch": 0, "train_seconds": 0.0, "images_per_second": 0.0}
    metrics: dict[str, Any] = {**nothing, **measured, **recorded}
    save_weights(model, folder.weights_path(stage.stage))
    folder.finish_stage(stage.stage, metrics, stage.record)
    return StageResult(model, metrics)
