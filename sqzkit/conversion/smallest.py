"""The smallest optimized file that loses no more accuracy than is allowed: a search of the price.

What a bit may cost depends on the network: a price that a pruned network bears ruins another. So
files of several prices are judged on the photographs that the run was not trained on.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

from sqzkit.base import progress
from sqzkit.coding import sqz
from sqzkit.conversion.verify import MAX_CHANCE_DROP, Verification

STEP = 4.0  # of the price: it doubles the steps of the weights and saves one bit of each
MAX_STEPS = 4  # from the target's own price, to either side
HALVINGS = 3  # of the last step: to about 3 % of the archive
EVEN = 0.5  # probability at which a loss is as likely as not in a file that is no worse

Judge = Callable[[bytes], Verification]


@dataclasses.dataclass(frozen=True)
class Tried:
    """A file of the search.

    Attributes:
      price: squared logit error that one bit was worth.
      archive_bytes: of its `.sqz`.
      drops: percentage points of top-1 lost, by split; after the first that is too large
        the others are not looked at.
      passed: whether none is too large.
      content: the `.tflite`; not recorded.
    """

    price: float
    archive_bytes: int
    drops: dict[str, float]
    passed: bool
    content: bytes = dataclasses.field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return all but the content as JSON-ready values."""
        names = ("price", "archive_bytes", "drops", "passed")
        return {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        drops = ", ".join(f"{drop:+.2f} on {where}" for where, drop in self.drops.items())
        return f"{self.archive_bytes:,} bytes, drop in points {drops}"


def search(
    at: Callable[[float], bytes],
    judges: Sequence[Judge],
    price: float,
    max_drop: float,
    smaller: bool,
) -> list[Tried]:
    """Return the files that were tried, and print each; which passed, they say.

    The price is multiplied by `STEP` while that passes, or divided until it does, and the last
    step is halved `HALVINGS` times.

    Args:
      at: price -> the `.tflite`.
      judges: compare a file with the float model on one split each, with labels.
      price: to begin with.
      max_drop: percentage points of top-1 that a file may lose on each split. More passes only
        if a file as accurate as the float model loses that as likely as not (`EVEN`), such as one
        photograph with none gained: of many files the luckiest is found, so the sign test of
        the final verification would excuse too much.
      smaller: whether to look for a smaller file than that of `price` if that passes.
    """
    tried: list[Tried] = []
    started = time.monotonic()

    def passes(exponent: float, left: int) -> bool:
        tried.append(_try(at, judges, price * STEP**exponent, max_drop))
        time_left = progress.time_left(time.monotonic() - started, len(tried), left)
        verdict = "passes" if tried[-1].passed else "too much"
        print(f"price {tried[-1].price:.2e}: {tried[-1]}: {verdict}; {time_left} left", flush=True)
        return tried[-1].passed

    good, bad = _bracket(passes, smaller)
    for left in range(HALVINGS - 1, -1, -1):
        if good is None or bad is None:
            break
        middle = (good + bad) / 2
        good, bad = (middle, bad) if passes(middle, left) else (good, middle)
    return tried


def _bracket(
    passes: Callable[[float, int], bool], smaller: bool
) -> tuple[float | None, float | None]:
    """Return neighbouring exponents of which the first passes and the second does not.

    None stands for one that there is not, or that is not wanted.
    """
    direction = 1 if passes(0, HALVINGS + 1) else -1
    if direction == 1 and not smaller:
        return 0, None
    for steps in range(1, MAX_STEPS + 1):
        if passes(direction * steps, HALVINGS) != (direction == 1):
            pair = (direction * steps, direction * (steps - 1))
            return pair if direction == -1 else pair[::-1]
    return (MAX_STEPS, None) if direction == 1 else (None, -MAX_STEPS)


def _try(
    at: Callable[[float], bytes], judges: Sequence[Judge], price: float, max_drop: float
) -> Tried:
    content = at(price)
    drops: dict[str, float] = {}
    passed = False
    for judge in judges:
        found = judge(content)
        assert found.drop is not None
        drops[found.where] = round(found.drop, 4)
        passed = drops[found.where] <= max(max_drop, found.chance >= EVEN and MAX_CHANCE_DROP)
        if not passed:
            break
    return Tried(price, len(sqz.pack(content)), drops, passed, content)
