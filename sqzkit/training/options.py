"""What one stage of training is told to do; light, so that flags may import it."""

import dataclasses
from typing import Any

from sqzkit.base.errors import UsageError

SCHEDULES = ("constant", "linear", "cosine", "step")
OPTIMIZERS = ("sgd", "adam", "adamw")
KEEP = ("best", "last")


@dataclasses.dataclass(frozen=True)
class FitOptions:
    """Everything that decides the weights a stage ends with.

    Attributes:
      epochs: passes over the training split, 1 or more.
      batch_size: examples a step over all replicas, 1 or more.
      base_learning_rate: the schedule's highest rate, above 0.
      lr_schedule: "constant", "linear" (to 0), "cosine" (to 0) or "step"
        (a tenth at one half and again at three quarters of the steps).
      warmup_epochs: linear rise from 0 to the base rate, 0..epochs.
      optimizer: "sgd", "adam" or "adamw".
      momentum: of SGD, [0, 1); ignored by Adam.
      weight_decay: on kernels only, 0 or more. SGD adds it to the gradient,
        as Caffe and the paper do; AdamW and Adam shrink the kernel by
        rate * decay (Loshchilov and Hutter, 2019).
      label_smoothing: share of the target spread over all classes, [0, 1).
      augmentation: preset of `sqzkit.data`: "none", "light" or "standard".
      seed: of shuffling, augmentation and dropout.
      keep: "best" ends with the latest epoch within a standard error of the
        highest validation accuracy, "last" with the last one.
      best_from_epoch: epochs before this one (from 0) are never the best;
        pruning sets it to the epoch at which the final sparsity is reached.
      early_stopping_patience: stop after so many epochs without a higher
        validation accuracy or a lower loss; 0 never stops early.
      watchdog_epochs: fail after so many epochs at chance; 0 never.
    """

    epochs: int
    batch_size: int = 32
    base_learning_rate: float = 1e-3
    lr_schedule: str = "cosine"
    warmup_epochs: float = 0.0
    optimizer: str = "adamw"
    momentum: float = 0.9
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    augmentation: str = "none"
    seed: int = 1
    keep: str = "best"
    best_from_epoch: int = 0
    early_stopping_patience: int = 0
    watchdog_epochs: int = 5

    def __post_init__(self) -> None:
        _check(self)

    def to_json(self) -> dict[str, Any]:
        """Return the options as JSON-ready values."""
        return dataclasses.asdict(self)


def _check(options: FitOptions) -> None:
    _at_least("train_epochs", options.epochs, 1)
    _at_least("train_batch_size", options.batch_size, 1)
    if not options.base_learning_rate > 0:
        raise UsageError(f"--base_learning_rate {options.base_learning_rate}: must be above 0")
    _one_of("lr_schedule", options.lr_schedule, SCHEDULES)
    _one_of("optimizer", options.optimizer, OPTIMIZERS)
    _one_of("keep", options.keep, KEEP)
    if not 0 <= options.warmup_epochs <= options.epochs:
        raise UsageError(
            f"--warmup_epochs {options.warmup_epochs}: must be 0..{options.epochs} (--train_epochs)"
        )
    for name in ("momentum", "label_smoothing"):
        if not 0 <= getattr(options, name) < 1:
            raise UsageError(f"--{name} {getattr(options, name)}: must be in [0, 1)")
    for name in ("weight_decay", "early_stopping_patience", "watchdog_epochs", "best_from_epoch"):
        _at_least(name, getattr(options, name), 0)


def _at_least(flag: str, value: float, lowest: int) -> None:
    if not value >= lowest:
        raise UsageError(f"--{flag} {value}: must be {lowest} or more")


def _one_of(flag: str, value: str, legal: tuple[str, ...]) -> None:
    if value not in legal:
        raise UsageError(f"--{flag} {value!r}: must be one of {', '.join(legal)}")
