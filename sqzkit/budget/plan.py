"""How long everything is trained, so that a fit takes about the hours it was given.

The plan is made once and recorded: a resumed fit follows it, so it ends with the same choice.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqzkit.budget.networks import Network
from sqzkit.compression.plan import CompressionConfig

TRIAL_EPOCHS, TRIAL_PRUNE_EPOCHS = 5, 4
TRAIN_EPOCHS = 30
COMPRESSING = 1.4  # times the work of training: a teacher answers too
FILES_SECONDS = 90.0  # to convert, pack and measure the files of a finalist
STAGE_SECONDS = 10.0  # to build, trace and store a stage of training
_FIXED_SHARE = 0.3  # of an epoch's time that does not fall with the multiplications
_STEPS = 40
_SAFETY = 0.9


@dataclasses.dataclass(frozen=True)
class Plan:
    """Epochs of everything.

    Attributes:
      trial_epochs, trial_prune_epochs: of a trial.
      train_epochs, prune_epochs, cluster_epochs, quantize_epochs: of a finalist.
      finalists: how many networks are trained to the end.
      epoch_seconds: by network, what an epoch of training is expected to take.
    """

    trial_epochs: int
    trial_prune_epochs: int
    train_epochs: int
    prune_epochs: int
    cluster_epochs: int
    quantize_epochs: int
    finalists: int
    epoch_seconds: dict[str, float]

    def trial_seconds(self, name: str) -> float:
        """Return what a network's trial takes."""
        work = self.trial_epochs + COMPRESSING * self.trial_prune_epochs
        return self.epoch_seconds[name] * work + 2 * STAGE_SECONDS

    def final_seconds(self, name: str) -> float:
        """Return what a finalist takes."""
        compressed = self.prune_epochs + self.cluster_epochs + self.quantize_epochs
        work = self.train_epochs + COMPRESSING * compressed
        return self.epoch_seconds[name] * work + 4 * STAGE_SECONDS + FILES_SECONDS

    @property
    def seconds(self) -> float:
        """What the whole fit takes at most: the slowest networks win their trials."""
        return self.seconds_for(list(self.epoch_seconds))

    def seconds_for(self, names: Sequence[str]) -> float:
        """Return what is left at most when the trials of the networks `names` are to come."""
        slowest = sorted(map(self.final_seconds, self.epoch_seconds))[-self.finalists :]
        return sum(map(self.trial_seconds, names)) + sum(slowest)

    def shortened(self, share: float, finalists: int) -> "Plan":
        """Return the plan with that share of the finalists' epochs, one at least of each stage."""
        stages = ("train_epochs", "prune_epochs", "cluster_epochs", "quantize_epochs")
        fewer = {stage: max(1, round(share * getattr(self, stage))) for stage in stages}
        return dataclasses.replace(self, finalists=finalists, **fewer)

    def finals_in_words(self) -> str:
        """Return the epochs of a finalist as words."""
        return (
            f"{self.train_epochs} epochs, then {self.prune_epochs}, {self.cluster_epochs} and "
            f"{self.quantize_epochs} of compression"
        )


def epoch_seconds(networks: Sequence[Network], timed: Network, seconds: float) -> dict[str, float]:
    """Return the seconds of an epoch by network, from those of the `timed` one."""
    whole = timed.multiply_accumulates
    return {
        network.name: seconds
        * (_FIXED_SHARE + (1 - _FIXED_SHARE) * network.multiply_accumulates / whole)
        for network in networks
    }


def make(expected: dict[str, float], steps: int, finalists: int, seconds: float) -> Plan:
    """Return the longest plan that fits into some seconds; at worst one epoch of everything.

    Args:
      expected: seconds of an epoch by network.
      steps: of an epoch.
      finalists: at most that many; fewer if that leaves each at least half of its epochs.
      seconds: that it may take.
    """
    plans = [
        _scaled(share, expected, steps, number)
        for number, share in _shares(min(finalists, len(expected)))
    ]
    fitting = (plan for plan in plans if plan.seconds <= _SAFETY * seconds)
    return next(fitting, plans[-1])


def slowdown(planned: Plan, trials: Sequence[Mapping[str, Any]]) -> float:
    """Return how many times as long as planned the trials took; 1 without any."""
    timed = [row for row in trials if "seconds" in row]
    expected = sum(planned.trial_seconds(row["name"]) for row in timed)
    return sum(row["seconds"] for row in timed) / expected if timed else 1.0


def finals(planned: Plan, names: Sequence[str], factor: float, seconds: float) -> Plan:
    """Return the plan with as many finalists and epochs as the time that is left suffices for.

    Args:
      planned: before the trials.
      names: of the networks, the best first.
      factor: how many times as long as planned everything takes.
      seconds: that are left. At worst there is one finalist with one epoch of everything.
    """
    plans = [
        planned.shortened(share, number)
        for number, share in _shares(min(planned.finalists, len(names)))
    ]
    for plan in plans:
        if factor * sum(map(plan.final_seconds, names[: plan.finalists])) <= seconds:
            return plan
    return plans[-1]


def _shares(finalists: int) -> Iterator[tuple[int, float]]:
    """Yield numbers of finalists and shares of their epochs, the longest training first."""
    for number in range(finalists, 0, -1):
        for share in range(_STEPS, 0 if number == 1 else _STEPS // 2 - 1, -1):
            yield number, share / _STEPS


def _scaled(share: float, expected: dict[str, float], steps: int, finalists: int) -> Plan:
    chain = CompressionConfig()

    def scaled(epochs: int) -> int:
        return max(1, round(share * epochs))

    return Plan(
        trial_epochs=scaled(TRIAL_EPOCHS),
        trial_prune_epochs=scaled(TRIAL_PRUNE_EPOCHS),
        train_epochs=scaled(TRAIN_EPOCHS),
        prune_epochs=scaled(chain.epochs("prune", steps)),
        cluster_epochs=scaled(chain.epochs("cluster", steps)),
        quantize_epochs=scaled(chain.epochs("quantize", steps)),
        finalists=finalists,
        epoch_seconds=expected,
    )
