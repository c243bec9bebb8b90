"""Learning rate by step, in plain Python so that it can be read and plotted without TensorFlow."""

import math

from sqzkit.training.options import FitOptions

STEP_DROPS = (0.5, 0.75)  # shares of the steps after which "step" divides the rate by ten


def learning_rate(options: FitOptions, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of one step.

    During the warm-up the rate rises linearly from one step's share to the
    base rate; the schedule then runs over the remaining steps.
    Args:
      options: the schedule, its base rate, warm-up and number of epochs.
      step: 0 for the first step of the stage.
      steps_per_epoch: 1 or more.
    """
    warmup = round(options.warmup_epochs * steps_per_epoch)
    if step < warmup:
        return options.base_learning_rate * (step + 1) / warmup
    total = max(1, options.epochs * steps_per_epoch - warmup)
    progress = min(1.0, (step - warmup) / total)
    return options.base_learning_rate * _share(options.lr_schedule, progress)


def _share(schedule: str, progress: float) -> float:
    if schedule == "linear":
        return 1 - progress
    if schedule == "cosine":
        return (1 + math.cos(math.pi * progress)) / 2
    if schedule == "step":
        return math.prod(0.1 for drop in STEP_DROPS if progress >= drop)
    return 1.0
