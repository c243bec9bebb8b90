"""What the contenders of inference share: what they are told, and how they are timed."""

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import contender
from benchmarks.graph import Graph, load

Classify = Callable[[np.ndarray], np.ndarray]
_WARMUP = 5


class Told:
    """The settings of a contender.

    Attributes:
      assets: folder of files.
      side: of the input, pixels.
      threads: of the runtime.
      precision: "float" or "int8".
      runs: inferences in one measurement.
      mode: of runtimes that have several.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        """Take what the parent sent."""
        self.assets = Path(settings["assets"])
        self.side, self.threads = int(settings["side"]), int(settings["threads"])
        self.precision, self.runs = str(settings["precision"]), int(settings["runs"])
        self.mode = str(settings.get("mode", ""))

    def path(self, suffix: str) -> Path:
        """Return the file of the published network at this size that ends in `suffix`."""
        return self.assets / f"published_{self.side}{suffix}"

    def graph(self) -> Graph:
        """Return the network."""
        return load(self.path(".npz"))

    def pictures(self) -> np.ndarray:
        """Return uint8 [N, S, S, 3], RGB."""
        return np.load(self.assets / f"pictures_{self.side}.npy")


def measuring(
    told: Told, classify: Classify, invoke: Callable[[], object], **more: Any
) -> tuple[contender.Answer, contender.Measure]:
    """Return the contender's first answer and its measurement.

    Args:
      told: the settings.
      classify: one picture uint8 [1, S, S, 3] -> probabilities [1, classes].
      invoke: one inference alone, its input in place.
      more: added to the first answer.
    """
    answers = [int(np.argmax(classify(picture[None]))) for picture in told.pictures()]
    for _ in range(_WARMUP):
        invoke()

    clock = contender.clock(told.threads)

    def measure() -> contender.Answer:
        times = []
        for _ in range(told.runs):
            started = clock()
            invoke()
            times.append(clock() - started)
        return {"ms": statistics.median(times) * 1000}

    return {"answers": answers, **more}, measure
