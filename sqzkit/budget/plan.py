"""How long everything is trained, so that a fit takes about the hours it was given.

What a stage takes to start (to build and trace its graph, to read data) does not depend on its
epochs. It is counted apart from the time of an epoch whose steps are steady: where both were one,
a short trial would make every epoch look as slow as a start.

The plan is made once and recorded: a resumed fit follows it, so it ends with the same choice.
"""

import dataclasses
import itertools
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqzkit.budget.networks import Network
from sqzkit.compression.plan import CompressionConfig
from sqzkit.training.duration import Duration

TRIAL_EPOCHS, TRIAL_PRUNE_EPOCHS = 5, 4
TRAIN_EPOCHS = 30
MIN_SHARE = 0.5  # of a finalist's epochs, before others are tried or trained beside it
COMPRESSING = 1.4  # times the work of training: a teacher answers too
STARTING = 3.0  # times as long as the first training step: stages of compression wrap the network
FILES_STARTS = 4.0  # starts of a stage that the files of a tiny finalist take
FILES_WEIGHTS = 100_000  # weights that take one start more to round
_FIXED_SHARE = 0.3  # of an epoch's time that does not fall with the multiplications
# Shares of a finalist's epochs: narrow networks still gain by four times as many.
_ENOUGH = (*(step / 4 for step in range(16, 4, -1)), *(step / 40 for step in range(40, 19, -1)))
_LITTLE = tuple(step / 40 for step in range(19, 0, -1))
_SAFETY = 0.9
GRACE = 0.1  # of the whole time, for the epochs of a finalist where starts leave less


@dataclasses.dataclass(frozen=True)
class Pace:
    """How long the parts of a network's training take on this machine, in seconds.

    Attributes:
      name: of the network.
      epoch: an epoch of training whose steps are steady.
      start: what a stage takes besides, whatever the number of its epochs is.
      files: to make, measure and publish the files of a finalist.
    """

    name: str
    epoch: float
    start: float
    files: float

    def epochs(self, train: int, *compressed: int) -> float:
        """Return what some epochs of training and of stages of compression take."""
        return self.epoch * (train + COMPRESSING * sum(compressed))

    def stages(self, *epochs: int) -> float:
        """Return what stages of some epochs take, the first one training; those of 0 are none."""
        return self.epochs(*epochs) + self.start * sum(map(bool, epochs))


@dataclasses.dataclass(frozen=True)
class Plan:
    """Epochs of everything.

    Attributes:
      trial_epochs, trial_prune_epochs: of a trial; 0: there are no trials.
      train_epochs, prune_epochs, cluster_epochs, quantize_epochs: of a finalist. Without the last
        two its pruned weights are rounded to the budget.
      finalists: how many networks are trained to the end.
      steps: of an epoch.
      paces: of the networks that are tried; without trials of the one that is trained.
    """

    trial_epochs: int
    trial_prune_epochs: int
    train_epochs: int
    prune_epochs: int
    cluster_epochs: int
    quantize_epochs: int
    finalists: int
    steps: int
    paces: tuple[Pace, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the networks that are tried, or of the one that is trained."""
        return tuple(pace.name for pace in self.paces)

    def pace(self, name: str) -> Pace:
        """Return the pace of a network."""
        return self.paces[self.names.index(name)]

    def trial_seconds(self, name: str) -> float:
        """Return what a network's trial takes."""
        return self.pace(name).stages(self.trial_epochs, self.trial_prune_epochs)

    def final_seconds(self, name: str) -> float:
        """Return what a finalist takes."""
        return self.pace(name).stages(*self._epochs) + self.pace(name).files

    def epochs_seconds(self, name: str) -> float:
        """Return what the epochs of a finalist take, without what comes before and after."""
        return self.pace(name).epochs(*self._epochs)

    @property
    def _epochs(self) -> tuple[int, int, int, int]:
        return self.train_epochs, self.prune_epochs, self.cluster_epochs, self.quantize_epochs

    @property
    def seconds(self) -> float:
        """What the whole fit takes at most: the slowest networks win their trials."""
        return self.seconds_for(self.names)

    def seconds_for(self, names: Sequence[str]) -> float:
        """Return what is left at most when the trials of the networks `names` are to come."""
        slowest = sorted(map(self.final_seconds, self.names))[-self.finalists :]
        return sum(map(self.trial_seconds, names)) + sum(slowest)

    def with_finals(self, share: float, finalists: int = 1, chained: bool = False) -> "Plan":
        """Return the plan with a share of all epochs of finalists, one at least of each stage.

        `chained`: with the stages "cluster" and "quantize".
        """
        chain = CompressionConfig()
        epochs = {
            stage: _scaled(chain.epochs(stage, self.steps), share)
            for stage in ("prune", "cluster", "quantize")
        }
        return dataclasses.replace(
            self,
            finalists=finalists,
            train_epochs=_scaled(TRAIN_EPOCHS, share),
            prune_epochs=epochs["prune"],
            cluster_epochs=epochs["cluster"] if chained else 0,
            quantize_epochs=epochs["quantize"] if chained else 0,
        )

    @property
    def whole_seconds(self) -> float:
        """What the trials and one finalist with all of its epochs take, with some time to spare."""
        trials = _trials(self.paces, self.steps, 1.0)
        return trials.with_finals(1.0, 1, chained=True).seconds / _SAFETY

    @property
    def is_short(self) -> bool:
        """Whether finalists are trained too little for their accuracy to mean much."""
        return self.train_epochs < MIN_SHARE * TRAIN_EPOCHS

    def finals_in_words(self) -> str:
        """Return the epochs of a finalist as words."""
        epochs = f"{self.train_epochs} epoch{'s' * (self.train_epochs > 1)}"
        text = f"{epochs}, then {self.prune_epochs} of pruning"
        if not self.quantize_epochs:
            return text
        return f"{text}, {self.cluster_epochs} of clustering and {self.quantize_epochs} of int8"

    def in_words(self) -> str:
        """Return the whole plan as words."""
        text = f"{self.finalists} to the end, {self.finals_in_words()}"
        if not self.trial_epochs:
            return f"{self.names[0]} without a trial; {text}"
        tried = f"{len(self.paces)} networks for {self.trial_epochs} epochs and"
        return f"{tried} {self.trial_prune_epochs} of pruning; {text}"


def paces(networks: Sequence[Network], timed: Network, found: Duration) -> list[Pace]:
    """Return the paces of networks, of which one was `timed`.

    Layers take time to build and trace, multiplications to train.

    Args:
      networks: in the order in which they are tried.
      timed: one of them.
      found: how long its start and an epoch take.
    """
    found_paces = []
    for network in networks:
        work = network.multiply_accumulates / timed.multiply_accumulates
        start = STARTING * found.other_seconds * network.depth / timed.depth
        epoch = found.seconds * (_FIXED_SHARE + (1 - _FIXED_SHARE) * work)
        files = start * (FILES_STARTS + network.kernel_weights / FILES_WEIGHTS)
        found_paces.append(Pace(network.name, epoch, start, files))
    return found_paces


def make(
    expected: Sequence[Pace], steps: int, finalists: int, seconds: float, grace: float = 0.0
) -> Plan:
    """Return the most thorough plan that fits into some seconds; at worst one epoch of everything.

    Where time is short there are fewer finalists, then fewer networks are tried, then one is
    trained without a trial, and at last without clustering: a finalist gets half of its epochs
    before anything is done beside it, and a smaller network before it gets less.

    Args:
      expected: paces of the networks, in the order in which they are tried.
      steps: of an epoch.
      finalists: at most that many.
      seconds: that it may take.
      grace: seconds that the epochs of a finalist may take in any case.
    """
    for plan in _plans(expected, steps, finalists):
        if plan.seconds <= _SAFETY * seconds:
            return plan
    fastest = _trials([min(expected, key=lambda pace: pace.epoch)], steps, 0)
    return _short(fastest, fastest.names[0], seconds, grace)


def _short(paced: Plan, name: str, seconds: float, grace: float) -> Plan:
    """Return the plan with as many epochs of one finalist as there is time or grace for."""
    for share in (*_ENOUGH, *_LITTLE):
        plan = paced.with_finals(share)
        in_time = plan.final_seconds(name) <= _SAFETY * seconds
        if in_time or plan.epochs_seconds(name) <= grace:
            break
    return plan


def _plans(expected: Sequence[Pace], steps: int, finalists: int) -> Iterator[Plan]:
    """Yield plans whose finalists get half of their epochs or more, the most thorough first."""
    every = len(expected)
    for tried in range(every, min(1, every - 1), -1):
        most = min(finalists, every) if tried == every else 1
        for first, number in itertools.product(range(every - tried + 1), range(most, 0, -1)):
            some = expected[first : first + tried]
            for share in _ENOUGH:
                yield _trials(some, steps, share).with_finals(share, number, chained=True)
    for pace, chained, share in itertools.product(expected, (True, False), _ENOUGH):
        yield _trials([pace], steps, 0).with_finals(share, 1, chained)


def _trials(some: Sequence[Pace], steps: int, share: float) -> Plan:
    """Return a plan of trials alone, with a share of their epochs, at most all; 0: without any."""
    share = min(1.0, share)
    trained = _scaled(TRIAL_EPOCHS, share) if share else 0
    pruned = _scaled(TRIAL_PRUNE_EPOCHS, share) if share else 0
    return Plan(trained, pruned, 0, 0, 0, 0, 1, steps, tuple(some))


def measured(planned: Plan, trials: Sequence[Mapping[str, Any]]) -> Plan:
    """Return the plan with the paces of the trials that were run.

    Of a network that was not tried yet, all takes as many times longer than planned as on average.
    """
    found = dict(_measured(planned, [row for row in trials if "top1" in row]))
    if not found:
        return planned
    before = {pace.name: pace for pace in planned.paces}
    epoch = statistics.mean(pace.epoch / before[name].epoch for name, pace in found.items())
    start = statistics.mean(pace.start / before[name].start for name, pace in found.items())
    others = {
        name: Pace(name, epoch * pace.epoch, start * pace.start, start * pace.files)
        for name, pace in before.items()
    }
    return dataclasses.replace(planned, paces=tuple((others | found).values()))


def _measured(planned: Plan, rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Pace]]:
    for row in rows:
        before = planned.pace(row["name"])
        epoch = row["epoch_seconds"] or before.epoch
        steady = dataclasses.replace(before, epoch=epoch, start=0.0)
        # A network that fits without zeros is not pruned.
        epochs = (planned.trial_epochs, planned.trial_prune_epochs if row["sparsity"] else 0)
        stages = sum(map(bool, epochs))
        # Never nothing: a killed trial counts only from where it was resumed.
        start = max((row["seconds"] - steady.stages(*epochs)) / stages, before.start / 4)
        yield row["name"], Pace(row["name"], epoch, start, before.files * start / before.start)


def steady_epoch(lines: Iterable[Mapping[str, Any]], evaluated: float) -> float | None:
    """Return the seconds of an epoch of training, from the lines of a trial's metrics.

    The first epoch of a stage is left out, because it traces the graph. None: there is no other.

    Args:
      lines: of the stages "train" and "prune".
      evaluated: share of an epoch that its validation takes besides.
    """
    found = []
    rows = list(lines)
    for stage, work in (("train", 1.0), ("prune", COMPRESSING)):
        seconds = [row["seconds"] for row in rows if row["stage"] == stage][1:]
        found += [statistics.median(seconds) / work] if seconds else []
    return (1 + evaluated) * statistics.mean(found) if found else None


def finals(
    paced: Plan, names: Sequence[str], finalists: int, seconds: float, grace: float = 0.0
) -> Plan:
    """Return the plan with as many finalists and epochs as the time that is left suffices for.

    Args:
      paced: with the paces of the trials.
      names: of the networks, the best first.
      finalists: at most that many.
      seconds: that are left. At worst there is one finalist with one epoch of everything.
      grace: seconds that the epochs of a finalist may take in any case.
    """
    most = min(finalists, len(names))
    shapes = [(number, True) for number in range(most, 0, -1)] + [(1, False)]
    for shape, share in itertools.product(shapes, _ENOUGH):
        plan = paced.with_finals(share, *shape)
        if sum(map(plan.final_seconds, names[: plan.finalists])) <= _SAFETY * seconds:
            return plan
    return _short(paced, names[0], seconds, grace)


def is_late(paced: Plan, name: str, tried: Sequence[str], seconds: float) -> bool:
    """Return whether one more trial would leave less than half of the epochs to a finalist.

    It may be the network `name` or one of those that were `tried`.
    """
    least = max(map(paced.with_finals(MIN_SHARE).final_seconds, (name, *tried)))
    return paced.trial_seconds(name) + least > _SAFETY * seconds


def _scaled(epochs: int, share: float) -> int:
    return max(1, round(share * epochs))
