"""A fit: predict, try, train the best to the end, make files, choose, publish."""

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqzkit.base import progress, records
from sqzkit.base.errors import RunError, UnfitNetworkError, UsageError
from sqzkit.budget import making, networks, page, plan, predict, training
from sqzkit.budget.config import FitConfig
from sqzkit.budget.folder import Fit, FittedModel, Made
from sqzkit.budget.making import Finalist, Maker
from sqzkit.budget.networks import Network
from sqzkit.budget.plan import Plan
from sqzkit.budget.predict import Prediction
from sqzkit.data.dataset import ImageDataset
from sqzkit.data.open import open_dataset
from sqzkit.models import registry
from sqzkit.preprocessing import MIN_SIZE
from sqzkit.runs.loading import load_run
from sqzkit.training import duration
from sqzkit.training import loop as training_loop
from sqzkit.training.config import TrainingConfig

MIN_BITS = 4  # for each weight that is left after pruning, its place included
AIM = 0.97  # of the budget: the kernels of a longer training take a little more or less
CHAIN_STAGES = ("prune", "cluster", "quantize")
OTHER_BUDGETS = {"half": 0.5, "double": 2.0}


@dataclasses.dataclass(frozen=True)
class Looked:
    """A network whose costs are predicted, and why it is not tried, or ""."""

    name: str
    parameters: int
    multiply_accumulates: int
    prediction: Prediction | None
    refused: str


def fit(config: FitConfig) -> FittedModel:
    """Return the best archive within the budget; resume what was interrupted.

    Raises:
      UsageError: the budget cannot be kept, too few photographs, or the folder holds
        something else.
      RunError: a training failed, or no file keeps to the budget.
    """
    training_loop.prepare(config.seed, deterministic=True, max_image_size=config.image_size or 64)
    fit_ = Fit(Path(config.output_dir), config.identity())
    dataset = open_dataset(config.data)
    networks.refuse_few(dataset)
    work = _Work(config, fit_, dataset)
    chosen = work.choice()
    test = fit_.read("test")
    if test is None or not (fit_.path / "best.sqz").exists():
        test = fit_.write("test", work.maker.publish(chosen))
    path = page.write(config, fit_, dataset)
    print(
        f"chosen: {chosen.name}, {chosen.archive_bytes:,} bytes; validation accuracy "
        f"{chosen.top1:.2%}, test accuracy {test['converted_top1']:.2%}\n"
        f"archive: {fit_.path / 'best.sqz'}\npage: {path}",
        flush=True,
    )
    return FittedModel(
        archive=fit_.path / "best.sqz",
        path=fit_.path / "best.tflite",
        page=path,
        archive_bytes=chosen.archive_bytes,
        validation_top1=chosen.top1,
        test_top1=float(test["converted_top1"]),
    )


class _Work:
    """The steps of a fit; what is recorded is not done again."""

    def __init__(self, config: FitConfig, folder: Fit, dataset: ImageDataset) -> None:
        self.config, self.folder, self.dataset = config, folder, dataset
        self.maker = Maker(config, dataset)
        self.ladder = {network.name: network for network in networks.ladder(config, dataset)}
        self._spent = self._done = 0.0  # seconds of this process, and what they were planned as

    def choice(self) -> Made:
        looked = self._look()
        planned = self._plan(looked)
        trials = self._trials(looked, planned)
        finalists = [self._final(trial, planned) for trial in trials[: planned.finalists]]
        made = [item for finalist in finalists for item in self._files(finalist)]
        chosen = making.choose(made, self.config)
        if chosen is None:
            least = min((item.archive_bytes for item in made), default=0)
            raise RunError(
                f"no file keeps to the budget: the smallest archive has {least:,} bytes; give "
                "more bytes or more --hours (fit.json in --output_dir has every attempt)"
            )
        (winner,) = (item for item in finalists if item.network.name == chosen.network)
        for name, factor in OTHER_BUDGETS.items():
            limit = round(self.config.max_archive_bytes * factor)
            self._file(winner, making.ROUNDED, limit, f"{winner.network.name}_{name}")
        return chosen

    def _look(self) -> list[Looked]:
        """Return what is predicted of the ladder down to the last network that is tried."""
        found = [
            records.build(Looked, row, "a prediction") for row in self.folder.read("looked") or []
        ]
        if self.folder.read("looked_whole"):
            return found
        every = list(self.ladder.values())
        if not found:
            labels, timed = self.dataset.labels, bool(self.config.max_latency_ms)
            least = predict.predict(every[-1], labels, self.config.seed, timed)
            _refuse_impossible(least, self.config)
        for network in every[len(found) :]:
            if sum(not row.refused for row in found) >= self.config.networks:
                break
            found.append(_look_at(network, self.config, self.dataset.labels))
            self.folder.write("looked", [dataclasses.asdict(row) for row in found])
            print(_in_words(found[-1]), flush=True)
        self.folder.write("looked_whole", True)
        return found

    def _plan(self, looked: Sequence[Looked]) -> Plan:
        recorded = self.folder.read("plan")
        if recorded is None:
            tried = [self.ladder[row.name] for row in looked if not row.refused]
            heaviest = max(tried, key=lambda network: network.multiply_accumulates)
            options = TrainingConfig(model_dir="unused").fit_options(1)
            timed = duration.expect(
                lambda: registry.build(heaviest.spec, heaviest.side), self.dataset, options
            )
            expected = plan.epoch_seconds(tried, heaviest, timed.seconds)
            count = self.config.finalists
            made = plan.make(expected, timed.steps, count, self.config.hours)
            recorded = self.folder.write("plan", dataclasses.asdict(made))
        found = records.build(Plan, recorded, "the plan of a fit")
        hours = found.seconds / 3600
        over = ", more than --hours: one epoch of everything is the least" * (
            hours > self.config.hours
        )
        print(
            f"plan: {len(found.epoch_seconds)} networks for {found.trial_epochs} epochs and "
            f"{found.trial_prune_epochs} of pruning; {found.finalists} to the end, "
            f"{found.train_epochs} epochs, then {found.prune_epochs}, {found.cluster_epochs} and "
            f"{found.quantize_epochs} of compression; about {hours:.1f} hours{over}",
            flush=True,
        )
        return found

    def _trials(self, looked: Sequence[Looked], planned: Plan) -> list[dict[str, Any]]:
        """Return the records of the trials, the best first."""
        done: list[dict[str, Any]] = self.folder.read("trials") or []
        rows = [row for row in looked if not row.refused]
        self._left = sum(planned.trial_seconds(row.name) for row in rows[len(done) :])
        finals = sorted((planned.final_seconds(row.name) for row in rows), reverse=True)
        self._left += sum(finals[: planned.finalists])
        for number, row in enumerate(rows[len(done) :], len(done) + 1):
            self._announce(f"trial {number} of {len(rows)}, {row.name}")
            work = functools.partial(self._trial, row, planned)
            done = self.folder.write(
                "trials", [*done, self._timed(planned.trial_seconds(row.name), work)]
            )
            print(_trial_in_words(done[-1]), flush=True)
        good = [row for row in done if "top1" in row]
        if not good:
            raise RunError(f"every network failed in its trial; the last: {done[-1]['failed']}")
        return sorted(good, key=lambda row: (-row["top1"], row["loss"]))

    def _trial(self, row: Looked, planned: Plan) -> dict[str, Any]:
        assert row.prediction is not None
        network = self.ladder[row.name]
        try:
            run = training.train(self.config, self.dataset, network, "trials", planned.trial_epochs)
            trained = load_run(run.path, "train")
            kernels = predict.kernel_curve(trained.model, network.spec)
            better = row.prediction.with_kernels(kernels)
            sparsity = self._sparsity(better)
            training.compress(run, self.dataset, sparsity, {"prune": planned.trial_prune_epochs})
        except UnfitNetworkError as error:
            return {"name": row.name, "failed": str(error)}
        return {
            "name": row.name,
            "sparsity": sparsity,
            "prediction": dataclasses.asdict(better),
            **training.validation(run),
        }

    def _sparsity(self, prediction: Prediction) -> float:
        """Return what to prune to; rounding meets the budget where the chain cannot."""
        found = prediction.sparsity_for(AIM * self.config.max_archive_bytes)
        return predict.SPARSITIES[-1] if found is None else found

    def _final(self, trial: dict[str, Any], planned: Plan) -> Finalist:
        network = self.ladder[trial["name"]]
        self._announce(f"training {network.name} to the end")
        epochs = {stage: getattr(planned, f"{stage}_epochs") for stage in CHAIN_STAGES}

        def work() -> Finalist:
            run = training.train(self.config, self.dataset, network, "finals", planned.train_epochs)
            training.compress(run, self.dataset, trial["sparsity"], epochs)
            prediction = records.build(Prediction, trial["prediction"], "a prediction")
            return Finalist(network, run, trial["sparsity"], prediction)

        return self._timed(planned.final_seconds(network.name), work)

    def _files(self, finalist: Finalist) -> list[Made]:
        """Return the files of a finalist that could be made."""
        limit = self.config.max_archive_bytes
        made = [
            self._file(finalist, recipe, limit, f"{finalist.network.name}_{recipe}")
            for recipe in finalist.recipes
        ]
        return [item for item in made if item is not None]

    def _file(self, finalist: Finalist, recipe: str, limit: int, name: str) -> Made | None:
        """Return a file; None: the recipe gives none."""
        every = self.folder.read("files") or {}
        if name not in every:
            made = self.maker.make(finalist, recipe, limit, name)
            record = {"failed": made} if isinstance(made, str) else dataclasses.asdict(made)
            every = self.folder.write("files", {**every, name: record})
            print(f"{name}: {page.file_in_words(record)}", flush=True)
        record = every[name]
        return None if "failed" in record else records.build(Made, record, "a file of a fit")

    def _announce(self, what: str) -> None:
        left = ""
        if self._done:
            left = f", about {progress.time_left(self._spent, self._done, self._left)} left"
        elif self._left:
            left = f", about {progress.time_left(1, 1, self._left)} planned"
        print(f"{what}{left}", flush=True)

    def _timed(self, planned: float, work: Callable[[], Any]) -> Any:
        started = time.monotonic()
        result = work()
        self._spent += time.monotonic() - started
        self._done += planned
        self._left = max(0.0, self._left - planned)
        return result


def _look_at(network: Network, config: FitConfig, labels: Sequence[str]) -> Looked:
    """Predict a network, unless its size alone rules it out."""
    found = Looked(network.name, network.kernel_weights, network.multiply_accumulates, None, "")
    if reason := _hopeless(network, config):
        return dataclasses.replace(found, refused=reason)
    prediction = predict.predict(network, labels, config.seed, bool(config.max_latency_ms))
    over = [
        f"{flag} {value:,}" for flag, limit, value in _limits(prediction, config) if value > limit
    ]
    reason = f"too much for {', '.join(over)}" if over else ""
    return dataclasses.replace(found, prediction=prediction, refused=reason)


def _hopeless(network: Network, config: FitConfig) -> str:
    """Return why a network need not even be converted, or ""."""
    kept = network.kernel_weights * (1 - predict.SPARSITIES[-1])
    if kept * MIN_BITS / 8 > config.max_archive_bytes:
        return f"{kept:,.0f} weights would be left after pruning, too many for max_archive_bytes"
    return ""


def _refuse_impossible(least: Prediction, config: FitConfig) -> None:
    """Raise `UsageError` for limits below what the smallest network of the ladder takes."""
    parts = [
        f"--{flag} {limit:,}: the least possible is {value:,}"
        for flag, limit, value in _limits(least, config)
        if value > limit
    ]
    if parts:
        advice = "" if config.image_size == MIN_SIZE else "; a smaller --image_size takes less"
        memory = advice if "latency" in parts[-1] or "ram" in parts[-1] else ""
        raise UsageError(f"{'; '.join(parts)}, with the smallest network that is tried{memory}")


def _limits(found: Prediction, config: FitConfig) -> list[tuple[str, float, float]]:
    """Return the limits that are set: the flag, the limit, and what a network takes at least."""
    all_ = [
        ("max_archive_bytes", config.max_archive_bytes, found.least_bytes),
        ("max_ram_bytes", config.max_ram_bytes, found.ram_bytes),
        ("max_latency_ms", config.max_latency_ms, found.latency_ms),
    ]
    return [(flag, limit, value) for flag, limit, value in all_ if limit and value]


def _in_words(row: Looked) -> str:
    if row.prediction is None:
        return f"{row.name}: {row.refused}; left out"
    found = row.prediction
    time_ = f", {found.latency_ms:.3g} ms" if found.latency_ms else ""
    end = f"; {row.refused}, left out" if row.refused else ""
    return (
        f"{row.name}: {row.parameters:,} weights, archive {found.least_bytes:,} to "
        f"{found.archive_bytes(predict.DENSE):,} bytes, memory {found.ram_bytes:,}{time_}{end}"
    )


def _trial_in_words(trial: dict[str, Any]) -> str:
    if "failed" in trial:
        return f"{trial['name']} failed: {trial['failed']}"
    return (
        f"{trial['name']}: {100 * trial['sparsity']:.1f} % zeros, validation accuracy "
        f"{100 * trial['top1']:.2f} %"
    )
