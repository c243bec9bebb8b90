"""Turns, and what is told of many measurements of one thing."""

import dataclasses
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.contender import Contender

_PAUSE_S = 0.2  # for the threads of the last one to fall asleep


@dataclasses.dataclass(frozen=True)
class Spread:
    """Median and extremes of repeated measurements."""

    minimum: float
    median: float
    maximum: float
    count: int

    def text(self, digits: int = 1) -> str:
        """Return "median (minimum-maximum)"."""
        low, middle, high = (
            f"{value:,.{digits}f}" for value in (self.minimum, self.median, self.maximum)
        )
        return f"{middle} ({low}-{high})"


def spread(values: Sequence[float]) -> Spread:
    """Return the spread of one or more values."""
    return Spread(min(values), statistics.median(values), max(values), len(values))


def take_turns(contenders: Sequence[Contender], rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Let each measure once a round; who begins changes with the round.

    Returns:
      the answers by contender's name, in order.
    """
    answers: dict[str, list[dict[str, Any]]] = {contender.name: [] for contender in contenders}
    for number in range(rounds):
        first = number % len(contenders)
        for contender in (*contenders[first:], *contenders[:first]):
            time.sleep(_PAUSE_S)
            answers[contender.name].append(contender.measure())
    return answers


def spreads(answers: Mapping[str, Sequence[Mapping[str, float]]], field: str) -> dict[str, Spread]:
    """Return the spread of one field of all answers, by contender."""
    return {name: spread([one[field] for one in found]) for name, found in answers.items()}
