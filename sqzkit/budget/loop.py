"""A fit: predict, try, train the best to the end, make files, choose, publish."""

import dataclasses
import functools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqzkit.base import progress, records
from sqzkit.base.errors import RunError, UnfitNetworkError
from sqzkit.budget import making, networks, page, plan, predict, screening, training
from sqzkit.budget.config import FitConfig
from sqzkit.budget.folder import NO_TIME, Fit, FittedModel, Made
from sqzkit.budget.making import Finalist, Maker
from sqzkit.budget.networks import Network
from sqzkit.budget.plan import Plan
from sqzkit.budget.predict import Prediction
from sqzkit.budget.screening import Screened
from sqzkit.data import identity
from sqzkit.data.dataset import ImageDataset
from sqzkit.data.open import open_dataset
from sqzkit.models import registry
from sqzkit.preprocessing import default
from sqzkit.runs.loading import load_run
from sqzkit.training import duration
from sqzkit.training import loop as training_loop
from sqzkit.training.config import TrainingConfig
from sqzkit.training.duration import Duration

AIM = 0.97  # of the budget: the kernels of a longer training take a little more or less
MAX_ZEROS = 0.9  # pruned to 96 %, a network of 9,084 weights fell from 98 to 37 % accuracy
CHAIN_STAGES = ("prune", "cluster", "quantize")
OTHER_BUDGETS = {"half": 0.5, "double": 2.0}


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
    if known := fit_.read("data"):
        identity.resume(dataset, known, "fit", "--output_dir")
    work = _Work(config, fit_, dataset)
    chosen = work.choice()
    test = fit_.read("test")
    if test is None or not (fit_.path / "best.sqz").exists():
        test = fit_.write("test", work.maker.publish(chosen))
    path = page.write(config, fit_, dataset)
    if warning := fit_.read("finals")["warning"]:
        print(warning, flush=True)
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

    def choice(self) -> Made:
        screened = self._screen()
        if not self.folder.read("data"):  # a budget that no network keeps to begins no fit
            self.folder.write("data", identity.record(self.dataset))
        planned = self._plan(screened)
        trials = self._trials(self._screen(), planned)
        made: list[Made] = []
        finalists: list[Finalist] = []
        for finalist in self._finals(trials, planned):
            finalists.append(finalist)
            made += self._files(finalist)
        chosen = making.choose(made, self.config)
        if chosen is None:
            least = min((item.archive_bytes for item in made), default=0)
            raise RunError(
                f"no file keeps to the budget: the smallest archive has {least:,} bytes; give "
                "more bytes or more --hours (fit.json in --output_dir has every attempt)"
            )
        (winner,) = (item for item in finalists if item.network.name == chosen.network)
        # Rounding to half the budget sometimes costs no answer.
        return making.choose([chosen, *self._for_other_budgets(winner)], self.config) or chosen

    def _for_other_budgets(self, winner: Finalist) -> Iterator[Made]:
        """Yield the winner's files for half and double the budget, if there is time."""
        for budget, factor in OTHER_BUDGETS.items():
            name = f"{winner.network.name}_{budget}"
            if name not in self._files_made() and self._seconds_left() <= 0:
                self._leave_out(name)
                continue
            limit = round(self.config.max_archive_bytes * factor)
            made = self._file(winner, making.ROUNDED, limit, name)
            if made:
                yield made

    def _seconds_left(self) -> float:
        """Return what remains of --hours; the time of former processes counts."""
        return 3600 * self.config.hours - self.folder.seconds

    @property
    def _grace(self) -> float:
        return plan.GRACE * 3600 * self.config.hours

    def _screen(self) -> list[Screened]:
        """Return what is predicted of the ladder down to the last network that is tried.

        Where there is no time for all, or for trials, the first ones are taken.
        """
        found = [
            records.build(Screened, row, "a prediction") for row in self.folder.read("looked") or []
        ]
        if self.folder.read("looked_whole"):
            return sorted(found, key=self._is_sparse)
        every = list(self.ladder.values())
        if not found:
            labels, timed = self.dataset.labels, bool(self.config.max_latency_ms)
            least = predict.predict(every[-1], labels, self.config.seed, timed)
            screening.refuse_impossible(least, self.config)
        for network in every[len(found) :]:
            if sum(not row.refused for row in found) >= self.config.networks:
                break
            found.append(self._look(network))
            self.folder.write("looked", [dataclasses.asdict(row) for row in found])
        self.folder.write("looked_whole", True)
        return sorted(found, key=self._is_sparse)

    def _look(self, network: Network) -> Screened:
        found = screening.screen(network, self.config, self.dataset.labels)
        print(found, flush=True)
        return found

    def _plan(self, screened: Sequence[Screened]) -> Plan:
        recorded = self.folder.read("plan")
        if recorded is None:
            recorded = self.folder.write("plan", dataclasses.asdict(self._new_plan(screened)))
        found = records.build(Plan, recorded, "the plan of a fit")
        print(f"plan: {found.in_words()}; about {found.seconds / 3600:.2f} hours", flush=True)
        if warning := self._shortage(found):
            print(warning, flush=True)
        return found

    def _new_plan(self, screened: Sequence[Screened]) -> Plan:
        """Plan for the networks that were screened.

        Where none of them can have half of a finalist's epochs, the widest narrower one that can
        takes their place, or the one that gets most.
        """
        tried = [self.ladder[row.name] for row in screened if not row.refused]
        heaviest = max(tried, key=lambda network: network.multiply_accumulates)
        timed, seconds = self._timed(heaviest), self._seconds_left()

        def make(some: Sequence[Network]) -> Plan:
            paces = plan.paces(some, heaviest, timed)
            return plan.make(paces, timed.steps, self.config.finalists, seconds, self._grace)

        planned, further = make(tried), []
        for network in list(self.ladder.values())[len(screened) :]:
            if not planned.is_short:
                break
            further.append(self._look(network))
            if not further[-1].refused:
                planned = max(planned, make([network]), key=lambda plan_: plan_.train_epochs)
        looked = [*self.folder.read("looked"), *map(dataclasses.asdict, further)]
        self.folder.write("looked", looked)
        return planned

    def _timed(self, network: Network) -> Duration:
        """Return what some steps of a network say of its start and of an epoch."""
        options = TrainingConfig(model_dir="unused").fit_options(1)
        build = functools.partial(registry.build, network.spec, network.side)
        return duration.expect(build, self.dataset, default(network.side), options)

    def _trials(self, screened: Sequence[Screened], planned: Plan) -> list[dict[str, Any]]:
        """Return the records of the trials, the best first."""
        done: list[dict[str, Any]] = self.folder.read("trials") or []
        rows = [row for row in screened if not row.refused]
        for row in rows[len(done) :]:
            if self._is_left_out(row.name, planned, done):
                result: dict[str, Any] = {"failed": NO_TIME}
            elif planned.trial_epochs:
                started = self.folder.seconds
                result = self._trial(row, planned, plan.measured(planned, done))
                result["seconds"] = round(self.folder.seconds - started, 1)
            else:
                assert row.prediction is not None
                result = _costs(self._sparsity(row.prediction), row.prediction)
            done = self.folder.write("trials", [*done, {"name": row.name, **result}])
            print(_trial_in_words(done[-1]), flush=True)
        good = [row for row in done if "failed" not in row]
        if not good:
            failed = [row["failed"] for row in done if row["failed"] != NO_TIME]
            raise RunError(f"every network failed in its trial; the last: {failed[-1]}")
        return sorted(good, key=lambda row: (-row.get("top1", 0), row.get("loss", 0)))

    def _is_left_out(self, name: str, planned: Plan, done: Sequence[dict[str, Any]]) -> bool:
        if name not in planned.names:
            return True
        tried = [other["name"] for other in done if "top1" in other]
        paced = plan.measured(planned, done)
        return bool(tried) and plan.is_late(paced, name, tried, self._seconds_left())

    def _trial(self, row: Screened, planned: Plan, paced: Plan) -> dict[str, Any]:
        assert row.prediction is not None
        network, number = self.ladder[row.name], planned.names.index(row.name)
        time_ = progress.time_left(paced.seconds_for(planned.names[number:]), 1, 1)
        trials = f"trial {number + 1} of {len(planned.names)}"
        print(f"{trials}, {row.name}, about {time_} left", flush=True)
        try:
            run = training.train(self.config, self.dataset, network, "trials", planned.trial_epochs)
            trained = load_run(run.path, "train")
            kernels = predict.kernel_curve(trained.model, network.spec)
            better = row.prediction.with_kernels(kernels)
            sparsity = self._sparsity(better)
            training.compress(run, self.dataset, sparsity, {"prune": planned.trial_prune_epochs})
        except UnfitNetworkError as error:
            return {"failed": str(error)}
        judges, trained_on = (self.dataset.split(s).num_examples for s in ("validation", "train"))
        evaluated = duration.EVALUATION_SHARE * judges / trained_on
        epoch = plan.steady_epoch(run.metrics(), evaluated)
        return {**_costs(sparsity, better), **training.validation(run), "epoch_seconds": epoch}

    def _sparsity(self, prediction: Prediction) -> float:
        """Return what to prune to; rounding meets the budget where the chain cannot."""
        found = prediction.sparsity_for(AIM * self.config.max_archive_bytes)
        return predict.SPARSITIES[-1] if found is None else found

    def _is_sparse(self, row: Screened) -> bool:
        """Return whether a network has to lose so many weights that it may not work."""
        return row.prediction is not None and self._sparsity(row.prediction) > MAX_ZEROS

    def _finals(self, trials: Sequence[dict[str, Any]], planned: Plan) -> Iterator[Finalist]:
        """Yield the finalists, trained and compressed, while there is time; the first always.

        Their epochs are planned anew, from the time that the trials took. What is decided is
        recorded, so that a resumed fit has the same finalists.
        """
        names = [trial["name"] for trial in trials]
        recorded = self.folder.read("finals")
        if recorded is None:
            paced = plan.measured(planned, self.folder.read("trials"))
            time_ = self.config.finalists, self._seconds_left(), self._grace
            made = plan.finals(paced, names, *time_)
            warning = self._shortage(made)
            recorded = {"plan": dataclasses.asdict(made), "warning": warning, "begun": []}
        finals = records.build(Plan, recorded["plan"], "the plan of the finalists")
        for trial in trials[: finals.finalists]:
            name, begun = trial["name"], recorded["begun"]
            seconds = finals.final_seconds(name)
            if name not in begun:
                if name in self._files_made() or (begun and seconds > self._seconds_left()):
                    self._leave_out(name)
                    return
                recorded = self.folder.write("finals", {**recorded, "begun": [*begun, name]})
            left = progress.time_left(seconds, 1, 1)
            print(f"{name} to the end, {finals.finals_in_words()}: about {left}", flush=True)
            yield self._final(trial, finals)

    def _shortage(self, made: Plan) -> str:
        """Return a warning if finalists are trained too little, with the hours to give, or ""."""
        if not made.is_short:
            return ""
        hours = (self.folder.seconds + made.whole_seconds) / 3600
        return (
            f"--hours={self.config.hours:g} is too short: {made.finals_in_words()} are less than "
            "half of what a finalist needs, so its accuracy says little about the budget; "
            f"give --hours={math.ceil(10 * hours) / 10:g} or more"
        )

    def _final(self, trial: dict[str, Any], finals: Plan) -> Finalist:
        network = self.ladder[trial["name"]]
        counts = ((stage, getattr(finals, f"{stage}_epochs")) for stage in CHAIN_STAGES)
        epochs = {stage: count for stage, count in counts if count}
        run = training.train(self.config, self.dataset, network, "finals", finals.train_epochs)
        training.compress(run, self.dataset, trial["sparsity"], epochs)
        prediction = records.build(Prediction, trial["prediction"], "a prediction")
        chained = bool(finals.quantize_epochs)
        return Finalist(network, run, trial["sparsity"], prediction, chained)

    def _files(self, finalist: Finalist) -> list[Made]:
        """Return the files of a finalist that could be made."""
        limit = self.config.max_archive_bytes

        def file(recipe: str) -> Made | None:
            return self._file(finalist, recipe, limit, f"{finalist.network.name}_{recipe}")

        made = [item for item in map(file, finalist.recipes) if item]
        # The kernels of a chain are only predicted: what misses the budget is not lost.
        if any(item.recipe == making.CHAIN and item.archive_bytes > limit for item in made):
            made += filter(None, [file(making.CHAIN_ROUNDED)])
        return made

    def _file(self, finalist: Finalist, recipe: str, limit: int, name: str) -> Made | None:
        """Return a file; None: the recipe gives none."""
        if name not in self._files_made():
            made = self.maker.make(finalist, recipe, limit, name)
            self._record(name, {"failed": made} if isinstance(made, str) else made)
        record = self._files_made()[name]
        return None if "failed" in record else records.build(Made, record, "a file of a fit")

    def _files_made(self) -> dict[str, Any]:
        return self.folder.read("files") or {}

    def _leave_out(self, name: str) -> None:
        """Record that there was no time for a file or finalist."""
        if name not in self._files_made():
            self._record(name, {"failed": NO_TIME})

    def _record(self, name: str, made: Made | dict[str, str]) -> None:
        record = made if isinstance(made, dict) else dataclasses.asdict(made)
        self.folder.write("files", {**self._files_made(), name: record})
        print(f"{name}: {page.file_in_words(record)}", flush=True)


def _costs(sparsity: float, prediction: Prediction) -> dict[str, Any]:
    return {"sparsity": sparsity, "prediction": dataclasses.asdict(prediction)}


def _trial_in_words(trial: dict[str, Any]) -> str:
    if "failed" in trial:
        how = "" if trial["failed"] == NO_TIME else "failed: "
        return f"{trial['name']}: {how}{trial['failed']}"
    text = f"{trial['name']}: {100 * trial['sparsity']:.1f} % zeros"
    if "top1" not in trial:
        return f"{text}, no time for a trial"
    return f"{text}, validation accuracy {100 * trial['top1']:.2f} %"
