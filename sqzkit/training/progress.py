"""What is shown and watched while a stage trains."""

import math
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from sqzkit.base.errors import UnfitNetworkError
from sqzkit.base.progress import time_left

REFRESH_SECONDS = 0.5
CHANCE_BAND = 0.02  # of ln(classes): how near the loss must be to count as chance
MIN_STEPS_AT_CHANCE = 200
ADVICE = (
    "try --normalization=batch, a {direction} --base_learning_rate (now {rate:g}), "
    "--optimizer=adamw, or --warmup_epochs"
)


class Progress:
    """Progress of one stage: how far it is, how good, how fast, and the time left.

    On a terminal the line is rewritten in place twice a second; elsewhere
    only one line an epoch is printed.
    """

    def __init__(
        self,
        stage: str,
        epochs: int,
        steps_per_epoch: int,
        first_epoch: int = 0,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the clock of a stage at `first_epoch` (from 0)."""
        self.stage, self.epochs, self.steps = stage, epochs, steps_per_epoch
        self.stream = stream or sys.stdout
        self.clock = clock
        self.first = float(first_epoch)  # how far it was when the time was `started`
        self.starting = True
        self.started = self.shown = clock()
        self.rewrites = self.stream.isatty()

    def step(self, epoch: int, step: int, loss: float, accuracy: float, rate: float) -> None:
        """Show a step.

        Args:
          epoch: from 0.
          step: finished steps of this epoch.
          loss: mean over this epoch so far.
          accuracy: the same, 0..1.
          rate: images a second.
        """
        now = self.clock()
        if self.starting and step < self.steps:
            # Until now the graph was built, which no other step does.
            self.started, self.first = now, epoch + step / self.steps
        self.starting = False
        if not self.rewrites or now - self.shown < REFRESH_SECONDS:
            return
        self.shown = now
        left = self.time_left(epoch + step / self.steps)
        self.stream.write(
            f"\r\x1b[K{self._head(epoch + 1)} step {step}/{self.steps}  loss {loss:.4f}  "
            f"accuracy {accuracy:.2%}  {rate:,.0f} images/s  {left} left"
        )
        self.stream.flush()

    def epoch(self, line: Mapping[str, Any]) -> None:
        """Print a finished epoch; `line` is that of metrics.jsonl."""
        start = "\r\x1b[K" if self.rewrites else ""
        self.stream.write(
            f"{start}{self._head(line['epoch'])}  loss {line['loss']:.4f}  "
            f"accuracy {line['accuracy']:.2%}  validation loss {line['validation_loss']:.4f} "
            f"accuracy {line['validation_accuracy']:.2%}  "
            f"{line['images_per_second']:,.0f} images/s  {self.time_left(line['epoch'])} left\n"
        )
        self.stream.flush()

    def time_left(self, done: float) -> str:
        """Return the time left as h:mm:ss after `done` epochs (fractions count)."""
        finished = done - self.first
        if finished <= 0:
            return "?"
        return time_left(self.clock() - self.started, finished, self.epochs - done)

    def _head(self, epoch: int) -> str:
        width = len(str(self.epochs))
        return f"{self.stage} epoch {epoch:{width}}/{self.epochs}"


class Watchdog:
    """Stops a stage that cannot succeed, and says what to change.

    A classifier that answers 1/classes for everything has the loss
    ln(classes); SqueezeNet without normalization often never leaves it.
    """

    def __init__(self, classes: int, epochs_at_chance: int, base_learning_rate: float) -> None:
        """Watch a stage.

        Args:
          classes: number of classes, 2 or more.
          epochs_at_chance: fail after that many such epochs in a row; 0 never.
          base_learning_rate: named in the advice.
        """
        self.chance = math.log(classes)
        self.classes = classes
        self.epochs_at_chance = epochs_at_chance
        self.rate = base_learning_rate
        self.stuck = 0

    def check_step(self, loss: float, epoch: int) -> None:
        """Raise `UnfitNetworkError` if the mean loss of some steps is not finite."""
        if not math.isfinite(loss):
            raise UnfitNetworkError(
                f"the loss became {loss} in epoch {epoch + 1}: the training diverged; "
                + ADVICE.format(direction="lower", rate=self.rate)
            )

    def check_epoch(
        self, loss: float, accuracy: float, epoch: int, steps: int = MIN_STEPS_AT_CHANCE
    ) -> None:
        """Raise `UnfitNetworkError` if loss and accuracy have been those of chance for too long.

        That is at least `MIN_STEPS_AT_CHANCE` steps: of a few photographs an epoch is one step.

        Args:
          loss: mean training loss of the epoch.
          accuracy: training accuracy, 0..1.
          epoch: from 0.
          steps: of one epoch, 1 or more.
        """
        self.check_step(loss, epoch)
        at_chance = abs(loss - self.chance) < CHANCE_BAND * self.chance
        self.stuck = self.stuck + 1 if at_chance and accuracy < 2 / self.classes else 0
        patience = max(self.epochs_at_chance, math.ceil(MIN_STEPS_AT_CHANCE / steps))
        if self.epochs_at_chance and self.stuck >= patience:
            raise UnfitNetworkError(
                f"the loss has stayed at ln({self.classes}) = {self.chance:.4f} for {self.stuck} "
                "epochs: the network answers by chance; "
                + ADVICE.format(direction="different", rate=self.rate)
                + " (--watchdog_epochs=0 lets it continue)"
            )
