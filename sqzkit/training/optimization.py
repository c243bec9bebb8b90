"""The learning rate of each step, and optimizers by name with weight decay on kernels only."""

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from sqzkit.base.keras import keras
from sqzkit.training.options import FitOptions

STEP_DROPS = (0.5, 0.75)  # shares of the steps after which "step" divides the rate by ten
KERNELS = ("kernel", "depthwise_kernel")


def learning_rate(options: FitOptions, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of one step.

    During the warm-up the rate rises linearly, from one step's share to the base rate; the
    schedule then runs over the remaining steps.

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


def build_optimizer(
    options: FitOptions, variables: Sequence[Any], average: float = 0.0
) -> keras.optimizers.Optimizer:
    """Return the optimizer of the trainable `variables`, its slots created.

    Its learning rate is a variable that the loop sets before each step. Under float16 it
    scales the loss, so that small gradients survive.

    Args:
      options: of the stage.
      variables: what it will change.
      average: decay, a step, of the running averages that `write_averages` reads; 0: none.
    """
    rate = options.base_learning_rate
    averaging = {"use_ema": True, "ema_momentum": average} if average else {}
    if options.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(
            rate, momentum=options.momentum, jit_compile=False, **averaging
        )
    else:
        # Adam with a decay *is* AdamW: an L2 term would be divided away.
        optimizer = keras.optimizers.AdamW(
            rate, weight_decay=options.weight_decay, jit_compile=False, **averaging
        )
        optimizer.exclude_from_weight_decay([v for v in variables if not is_kernel(v)])
    if keras.mixed_precision.global_policy().compute_dtype == "float16":
        optimizer = keras.mixed_precision.LossScaleOptimizer(optimizer)
    optimizer.build(variables)
    return optimizer


def write_averages(optimizer: keras.optimizers.Optimizer, variables: Sequence[Any]) -> None:
    """Set variables to their running averages, which the optimizer keeps if it was told to."""
    if variables:
        getattr(optimizer, "inner_optimizer", optimizer).finalize_variable_values(variables)


def add_decay(
    options: FitOptions, gradients: Sequence[Any], variables: Sequence[Any], replicas: int
) -> list[Any]:
    """Return the gradients with SGD's weight decay added, as in Caffe.

    Args:
      options: SGD's decay; Adam shrinks the kernels itself.
      gradients: of one replica; they are summed over `replicas` afterwards.
      variables: those they belong to.
      replicas: 1 or more.
    """
    if options.optimizer != "sgd" or not options.weight_decay:
        return list(gradients)
    factor = options.weight_decay / replicas
    return [
        gradient + tf.cast(factor * variable, gradient.dtype)
        if gradient is not None and is_kernel(variable)
        else gradient
        for gradient, variable in zip(gradients, variables, strict=True)
    ]


def is_kernel(variable: Any) -> bool:
    """Return whether `variable` is a layer's kernel (not a bias or a normalization's)."""
    return variable.name.split("/")[-1].split(":")[0] in KERNELS
