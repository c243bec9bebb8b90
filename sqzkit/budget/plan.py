"""How long everything is trained, so that a fit takes about the hours it was given.

The plan is made once and recorded: a resumed fit follows it, so it ends with the same choice.
"""

import dataclasses
from collections.abc import Sequence

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
        trials = sum(map(self.trial_seconds, self.epoch_seconds))
        slowest = sorted(map(self.final_seconds, self.epoch_seconds))[-self.finalists :]
        return trials + sum(slowest)


def epoch_seconds(networks: Sequence[Network], timed: Network, seconds: float) -> dict[str, float]:
    """Return the seconds of an epoch by network, from those of the `timed` one."""
    whole = timed.multiply_accumulates
    return {
        network.name: seconds
        * (_FIXED_SHARE + (1 - _FIXED_SHARE) * network.multiply_accumulates / whole)
        for network in networks
    }


def make(expected: dict[str, float], steps: int, finalists: int, hours: float) -> Plan:
    """Return the longest plan that fits into some hours; at worst one epoch of everything.

    Args:
      expected: seconds of an epoch by network.
      steps: of an epoch.
      finalists: at most so many; fewer if that leaves each at least half of its epochs.
      hours: that it may take.
    """
    count = min(finalists, len(expected))
    plans = [
        _scaled(share / _STEPS, expected, steps, number)
        for number in range(count, 0, -1)
        for share in range(_STEPS, 0 if number == 1 else _STEPS // 2 - 1, -1)
    ]
    fitting = (plan for plan in plans if plan.seconds <= _SAFETY * 3600 * hours)
    return next(fitting, plans[-1])


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
