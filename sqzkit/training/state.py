"""What an unfinished stage remembers between epochs, and across a kill."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np

from sqzkit.base.errors import FormatError, UsageError
from sqzkit.base.keras import keras
from sqzkit.training import checkpoint


@dataclasses.dataclass
class Progressed:
    """How far the stage is.

    Attributes:
      epoch: finished epochs.
      best_epoch: the one whose weights are kept, from 1; 0 before there is one.
      improved_epoch: the last with a new highest accuracy or lowest loss.
      top_accuracy, lowest_loss: on validation, over the epochs that may be the best.
      stuck: epochs at chance, for the watchdog.
      seconds: time spent training so far, over all processes.
      examples: training examples seen so far.
    """

    epoch: int = 0
    best_epoch: int = 0
    improved_epoch: int = 0
    top_accuracy: float = -1.0
    lowest_loss: float = float("inf")
    stuck: int = 0
    seconds: float = 0.0
    examples: int = 0


class StageState:
    """The variables of a stage and their checkpoint."""

    def __init__(
        self, path: Path, model: keras.Model, optimizer: keras.optimizers.Optimizer
    ) -> None:
        """Hold a stage's variables.

        Args:
          path: of the checkpoint, ending in .npz.
          model: all its variables are kept.
          optimizer: built; all its variables are kept.
        """
        self.path = path
        self.config: dict[str, Any] = {}
        self.model = model
        self.variables = {
            "model": list(model.variables),
            "optimizer": list(optimizer.variables),
        }
        self.best: list[np.ndarray] = []
        self.progress = Progressed()

    def restore(self, config: dict[str, Any]) -> bool:
        """Go back to the checkpoint if there is one; return whether there was.

        Args:
          config: what decides the outcome, JSON values; stored with each checkpoint.

        Raises:
          UsageError: it was made with another configuration.
          FormatError: it is damaged or of another network.
        """
        self.config = config
        found = checkpoint.load(self.path)
        if found is None:
            return False
        try:
            recorded = dict(found.record["config"])
            progress = Progressed(**found.record["progress"])
            groups = {name: found.groups[name] for name in (*self.variables, "best")}
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(
                f"{self.path}: damaged checkpoint ({error}); delete it to begin the stage again"
            ) from error
        refuse_other(self.path, recorded, config)
        for name, variables in self.variables.items():
            checkpoint.assign(self.path, name, variables, groups[name])
        self.best = groups["best"]
        self.progress = progress
        return True

    def save(self, write: bool = True) -> None:
        """Write the checkpoint, replacing the one before.

        Args:
          write: False only reads, as all workers must where one of them writes:
            averages of normalization are gathered from all of them.
        """
        groups = {
            name: [variable.numpy() for variable in variables]
            for name, variables in self.variables.items()
        }
        if not write:
            return
        record = {"config": self.config, "progress": dataclasses.asdict(self.progress)}
        checkpoint.save(self.path, record, {**groups, "best": self.best})

    def note_validation(self, accuracy: float, loss: float, examples: int) -> bool:
        """Keep the weights if they are the best so far; return whether they are.

        The latest epoch within one standard error of the highest accuracy
        (Breiman et al., 1984, section 3.4.3) is the best: on a small split the
        highest accuracy is luck, and a falling learning rate makes weights
        better than the split can tell.
        Args:
          accuracy: on the validation split, 0..1.
          loss: on the same.
          examples: how many that are, 1 or more.
        """
        progress = self.progress
        if accuracy > progress.top_accuracy or loss < progress.lowest_loss:
            progress.improved_epoch = progress.epoch
        top = progress.top_accuracy = max(progress.top_accuracy, accuracy)
        progress.lowest_loss = min(progress.lowest_loss, loss)
        # (k + 1) / (n + 2): no accuracy of a finite split is certain.
        expected = (top * examples + 1) / (examples + 2)
        if accuracy < top - math.sqrt(expected * (1 - expected) / examples):
            return False
        progress.best_epoch = progress.epoch
        self.best = [variable.numpy() for variable in self.variables["model"]]
        return True

    def restore_best(self) -> None:
        """Set the model to its best epoch, if one was noted."""
        if self.best:
            checkpoint.assign(self.path, "model", self.variables["model"], self.best)


def refuse_other(where: Path | str, recorded: dict[str, Any], asked: dict[str, Any]) -> None:
    """Raise `UsageError` naming every field in which two configurations differ."""
    differences = [
        f"{key}: {recorded.get(key)!r} there, {asked.get(key)!r} asked"
        for key in sorted({*recorded, *asked})
        if recorded.get(key) != asked.get(key)
    ]
    if differences:
        raise UsageError(
            f"{where} was made with other settings ({'; '.join(differences)}); "
            "give the same flags again, or another --model_dir"
        )
