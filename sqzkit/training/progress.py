"""One line that says how far a stage is, how good, how fast and how long yet."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

REFRESH_SECONDS = 0.5


class Progress:
    """Progress of one stage.

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
        self.first_epoch = first_epoch
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
        if not self.rewrites or now - self.shown < REFRESH_SECONDS:
            return
        self.shown = now
        left = self.time_left(epoch + step / self.steps)
        self.stream.write(
            f"\r\x1b[K{self._head(epoch)} step {step}/{self.steps}  loss {loss:.4f}  "
            f"accuracy {accuracy:.2%}  {rate:,.0f} images/s  {left} left"
        )
        self.stream.flush()

    def epoch(self, epoch: int, line: dict[str, float], note: str = "") -> None:
        """Print the finished epoch's line; `line` is that of metrics.jsonl."""
        validation = ""
        if "validation_loss" in line:
            validation = (
                f"  validation loss {line['validation_loss']:.4f} "
                f"accuracy {line['validation_accuracy']:.2%}"
            )
        start = "\r\x1b[K" if self.rewrites else ""
        self.stream.write(
            f"{start}{self._head(epoch)}  loss {line['loss']:.4f}  "
            f"accuracy {line['accuracy']:.2%}{validation}  "
            f"{line['images_per_second']:,.0f} images/s  {self.time_left(epoch + 1)} left{note}\n"
        )
        self.stream.flush()

    def time_left(self, done: float) -> str:
        """Return the time left as h:mm:ss after `done` epochs (fractions count)."""
        finished = done - self.first_epoch
        if finished <= 0:
            return "?"
        seconds = round((self.clock() - self.started) / finished * (self.epochs - done))
        hours, rest = divmod(max(0, seconds), 3600)
        return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"

    def _head(self, epoch: int) -> str:
        width = len(str(self.epochs))
        return f"{self.stage} epoch {epoch + 1:{width}}/{self.epochs}"
