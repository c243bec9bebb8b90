"""Stop a run that cannot succeed, and say what to change."""

import math

from sqzkit.base.errors import UnfitNetworkError

CHANCE_BAND = 0.02  # of ln(classes): how near the loss must be to count as chance
ADVICE = (
    "try --normalization=batch, a {direction} --base_learning_rate (now {rate:g}), "
    "--optimizer=adamw, or --warmup_epochs"
)


class Watchdog:
    """Watches the training loss of one stage.

    A classifier that answers 1/classes for everything has the loss
    ln(classes); SqueezeNet without normalization often never leaves it.
    """

    def __init__(self, classes: int, epochs_at_chance: int, base_learning_rate: float) -> None:
        """Watch a stage.

        Args:
          classes: number of classes, 2 or more.
          epochs_at_chance: fail after so many such epochs running; 0 never.
          base_learning_rate: named in the advice.
        """
        self.chance = math.log(classes)
        self.classes = classes
        self.epochs_at_chance = epochs_at_chance
        self.rate = base_learning_rate
        self.stuck = 0

    def check_step(self, loss: float, epoch: int) -> None:
        """Raise `UnfitNetworkError` if the mean loss of some steps is not finite."""
        if math.isfinite(loss):
            return
        raise UnfitNetworkError(
            f"the loss became {loss} in epoch {epoch + 1}: the training diverged; "
            + ADVICE.format(direction="lower", rate=self.rate)
        )

    def check_epoch(self, loss: float, accuracy: float, epoch: int) -> None:
        """Raise `UnfitNetworkError` if loss and accuracy have been those of chance for too long.

        Args:
          loss: mean training loss of the epoch.
          accuracy: training accuracy, 0..1.
          epoch: from 0.
        """
        self.check_step(loss, epoch)
        at_chance = abs(loss - self.chance) < CHANCE_BAND * self.chance
        self.stuck = self.stuck + 1 if at_chance and accuracy < 2 / self.classes else 0
        if not self.epochs_at_chance or self.stuck < self.epochs_at_chance:
            return
        raise UnfitNetworkError(
            f"the loss has stayed at ln({self.classes}) = {self.chance:.4f} for {self.stuck} "
            "epochs: the network answers by chance; "
            + ADVICE.format(direction="different", rate=self.rate)
            + " (--watchdog_epochs=0 lets it go on)"
        )
