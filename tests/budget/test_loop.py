"""One real fit of a tiny network, and what a kill leaves of it."""

import dataclasses
import json
import re
import shutil
import types

import pytest

import sqzkit
from sqzkit.base import assembly
from sqzkit.base.errors import RunError, UsageError
from sqzkit.budget import folder as folder_module
from sqzkit.budget import loop, making, networks, plan, predict, screening, training
from sqzkit.budget.config import FitConfig
from sqzkit.budget.folder import Fit, Made
from sqzkit.budget.predict import Prediction
from sqzkit.coding import sqz
from sqzkit.compression import plan as chain_plan
from sqzkit.training import duration
from tests.teaching.folders import save_photographs

BUDGET = 2850  # bytes: some 2,400 are the graph, and the kernels of plain int8 take 1,100
TINY = (("v1_2", 1, 0.25, 2),)
LADDER = (
    *(("v1_2", 1, 0.25, 8), ("v1_2", 2, 0.25, 4)),
    *(("v1_2", 1, 0.25, 4), ("v1_2", 1, 0.25, 2)),
)


class KilledError(BaseException):
    """The process is gone."""


def settings(folder, **changes):
    brief = {"networks": 1, "finalists": 1, "image_size": 32}
    return {"max_archive_bytes": BUDGET, "output_dir": folder, **brief, **changes}


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    return save_photographs(tmp_path_factory.mktemp("photographs"), dict.fromkeys("abc", 50))


@pytest.fixture(scope="module", autouse=True)
def tiny_ladder():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "SCRATCH", TINY)
        yield


@pytest.fixture(scope="module")
def fitted(photographs, tmp_path_factory):
    """A whole fit, with one epoch of training and few of each stage of compression."""
    folder = tmp_path_factory.mktemp("fits") / "fit"
    with pytest.MonkeyPatch.context() as patch:
        for name in ("TRIAL_EPOCHS", "TRIAL_PRUNE_EPOCHS", "TRAIN_EPOCHS"):
            patch.setattr(plan, name, 1)
        patch.setattr(plan, "_ENOUGH", (1.0,))  # not four times as long
        for stage in ("prune", "cluster", "quantize"):
            patch.setitem(chain_plan.EPOCHS, stage, 1)
        return folder, sqzkit.fit(photographs, **settings(folder))


@pytest.mark.slow
def test_the_archive_keeps_to_the_budget_and_is_the_file(fitted):
    folder, model = fitted
    assert model.archive == folder / "best.sqz" and model.page == folder / "fit.html"
    assert model.archive.stat().st_size == model.archive_bytes <= BUDGET
    assert sqz.unpack(model.archive.read_bytes()) == model.path.read_bytes()
    assert len(sqzkit.Classifier(model.archive).labels) == 3


@pytest.mark.slow
def test_the_choice_is_the_best_of_the_validation_split(fitted):
    folder, model = fitted
    record = json.loads((folder / "fit.json").read_text())
    made = [item for item in record["files"].values() if item.get("archive_limit") == BUDGET]
    sizes = {item["recipe"]: item["archive_bytes"] for item in made}
    assert sizes.keys() - {"chain_rounded"} == {"chain", "rounded"}
    assert ("chain_rounded" in sizes) == (sizes["chain"] > BUDGET)
    assert all(size <= BUDGET for recipe, size in sizes.items() if recipe != "chain")
    fitting = [item for item in made if item["archive_bytes"] <= BUDGET]
    assert model.validation_top1 == max(item["top1"] for item in fitting)
    assert record["test"]["where"] == "the test split"
    assert record["test"]["converted_top1"] == model.test_top1
    sidecars = [json.loads(p.read_text()) for p in (folder / "files").glob("*.json")]
    assert sidecars and all(sidecar["verification"] is None for sidecar in sidecars)


@pytest.mark.slow
def test_a_killed_fit_is_resumed_and_ends_with_the_same_choice(fitted, photographs, monkeypatch):
    folder, model = fitted
    copied = folder.with_name("killed")
    shutil.copytree(folder, copied)
    record = json.loads((copied / "fit.json").read_text())
    for name in ("trials", "test"):
        del record[name]
    for name in [n for n, made in record["files"].items() if n == f"{made.get('network')}_rounded"]:
        del record["files"][name]
    (copied / "fit.json").write_text(json.dumps(record))
    shutil.rmtree(copied / "files")
    (copied / "best.sqz").unlink()
    write = Fit.write

    def die(self, name, content):
        write(self, name, content)
        raise KilledError

    lives = 0
    monkeypatch.setattr(Fit, "write", die)
    while lives < 20:
        lives += 1
        try:
            again = sqzkit.fit(photographs, **settings(copied))
            break
        except KilledError:
            continue
    assert lives == 4  # it died after the trial, after the file and after the test
    assert (again.archive_bytes, again.test_top1) == (model.archive_bytes, model.test_top1)
    assert again.path.read_bytes() == model.path.read_bytes()


@pytest.mark.slow
def test_a_fit_with_other_settings_is_refused(fitted, photographs):
    folder, _ = fitted
    with pytest.raises(UsageError, match="max_archive_bytes: 2850 there, 4000 asked"):
        sqzkit.fit(photographs, **settings(folder, max_archive_bytes=4000))


@pytest.mark.slow
def test_a_budget_below_the_smallest_network_is_refused(photographs, tmp_path):
    with pytest.raises(UsageError) as refused:
        sqzkit.fit(photographs, **settings(tmp_path / "fit", max_archive_bytes=700))
    assert not (tmp_path / "fit").exists()  # so that a larger budget may take its place
    message = r"--max_archive_bytes 700: the least possible is (\d),(\d{3}), with"
    thousands, rest = re.match(message, str(refused.value)).groups()
    assert 2000 < int(thousands + rest) < BUDGET


def test_a_fit_knows_its_photographs(tmp_path, monkeypatch):
    def die(work, screened):
        raise KilledError

    monkeypatch.setattr(loop._Work, "_plan", die)
    photographs = save_photographs(tmp_path / "photographs", dict.fromkeys("abc", 12))
    given = settings(tmp_path / "fit")
    for _ in range(2):
        with pytest.raises(KilledError):
            sqzkit.fit(photographs, **given)
    photographs = photographs.rename(tmp_path / "elsewhere")
    with pytest.raises(KilledError):
        sqzkit.fit(photographs, **given)
    with pytest.raises(UsageError, match="image_size: 32 there, 64 asked"):
        sqzkit.fit(photographs, **{**given, "image_size": 64})
    (photographs / "a" / "0.png").unlink()
    with pytest.raises(UsageError, match=r"1 removed: a/0\.png; .* with another --output_dir"):
        sqzkit.fit(photographs, **given)


PLENTY = 32400


def paces(*names):
    return [plan.Pace(name, 10.0, 10.0, 90.0) for name in names]


TRAINED = ((0.0, 700), (0.3, 400), (0.96, 100))  # kernels pack into less once they are trained
LEAST = Prediction(1000, ((0.0, 900), (0.3, 500), (0.96, 200)), 5000, 6000, 3.5)


def config(**changes):
    return assembly.build(FitConfig, {"max_archive_bytes": 9000, **changes})


TRIALS = {
    "one": {"top1": 0.8, "loss": 0.5, "epoch_seconds": None},
    "two": {"top1": 0.9, "loss": 0.7, "epoch_seconds": None},
    "three": {"top1": 0.9, "loss": 0.6, "epoch_seconds": None},
    "four": {"failed": "the loss is NaN"},
}


@pytest.fixture
def trials(tmp_path, monkeypatch, capsys):
    """Run made-up trials, with those of `done` recorded already."""

    def run(done=(), outcomes=TRIALS, seconds=0.0):
        asked = []

        def trial(self, row, planned, paced):
            asked.append(row.name)
            self.folder._started -= seconds
            return {"sparsity": 0.5, **outcomes[row.name]}

        monkeypatch.setattr(loop._Work, "_trial", trial)
        made = config(output_dir=tmp_path)
        folder = Fit(tmp_path, made.identity())
        rows = [{"name": n, "sparsity": 0.5, "seconds": 130, **outcomes[n]} for n in done]
        folder.write("trials", rows)
        rows = [screening.Screened(name, 1, 1, LEAST, "") for name in outcomes]
        rows.append(screening.Screened("wide", 1, 1, None, "too wide"))
        planned = plan.make(paces(*outcomes), 40, 2, PLENTY)
        found = loop._Work(made, folder, _data())._trials(rows, planned)
        return asked, [row["name"] for row in found], capsys.readouterr().out

    return run


def test_the_most_accurate_trials_come_first_and_of_equal_ones_the_lowest_loss(trials):
    asked, order, shown = trials()
    assert asked == ["one", "two", "three", "four"]
    assert order == ["three", "two", "one"]
    assert "four: failed: the loss is NaN" in shown


def test_trials_that_are_recorded_are_not_run_again(trials):
    asked, order, _ = trials(done=("one", "two"))
    assert asked == ["three", "four"]
    assert order == ["three", "two", "one"]


@pytest.mark.parametrize(("seconds", "tried"), [(100, 3), (450, 2), (600, 1)])
def test_trials_for_which_there_is_no_time_are_left_out(trials, seconds, tried):
    """Of an hour each trial takes some seconds; a finalist must get half of its epochs."""
    asked, order, shown = trials(seconds=seconds, outcomes=dict(list(TRIALS.items())[:3]))
    assert asked == ["one", "two", "three"][:tried] and len(order) == tried
    assert shown.count(f": {loop.NO_TIME}") == 3 - tried


def test_while_every_network_failed_the_next_is_tried_whatever_the_time(trials):
    asked, _, _ = trials(outcomes=dict(reversed(TRIALS.items())), seconds=4000.0)
    assert asked == ["four", "three"]


@pytest.fixture
def finals(tmp_path, monkeypatch, capsys):
    """Run made-up finalists, in a folder whose trials have these starts."""

    def run(start=10.0, seconds=0.0):
        made = config(output_dir=tmp_path)
        folder = Fit(tmp_path, made.identity())
        planned = plan.make(paces("one", "two"), 40, 2, PLENTY)
        rows = [
            {"name": name, "sparsity": 0.5, "top1": 0.5, "epoch_seconds": 10.0}
            | {"seconds": 10.6 * 10 + 2 * start}
            for name in ("one", "two")
        ]
        folder.write("trials", rows)
        trained = []

        def final(self, trial, finals):
            trained.append((trial["name"], finals.train_epochs))
            self.folder._started -= seconds
            return trial["name"]

        monkeypatch.setattr(loop._Work, "_final", final)
        list(loop._Work(made, folder, _data())._finals(rows, planned))
        return trained, folder, capsys.readouterr().out

    return run


def test_finalists_are_trained_to_the_end_if_there_is_time(finals):
    trained, folder, shown = finals()
    assert [name for name, _ in trained] == ["one", "two"]
    assert all(30 <= epochs <= 120 for _, epochs in trained)
    assert "one to the end" in shown and not folder.read("files")
    assert not folder.read("finals")["warning"]


def test_where_stages_are_slow_to_start_finalists_are_trained_for_less(finals):
    trained, _, _ = finals(start=60)
    assert len(trained) == 2 and all(15 <= epochs < 30 for _, epochs in trained)


def test_a_finalist_for_which_there_is_no_time_is_left_out_and_stays_so(finals):
    trained, folder, shown = finals(seconds=3500.0)
    assert [name for name, _ in trained] == ["one"]
    assert folder.read("files") == {"two": {"failed": loop.NO_TIME}}
    assert f"two: not made: {loop.NO_TIME}" in shown
    trained, folder, _ = finals()  # resumed, with the time that is recorded
    assert [name for name, _ in trained] == ["one"] and folder.seconds > 3500


class Machine:
    """Stages of the heaviest network take `start` seconds, and its epochs `epoch` seconds.

    Time passes by nothing else.
    """

    def __init__(self, start, epoch):
        self.start, self.epoch, self.now, self.lines, self.finals = start, epoch, 0.0, [], {}
        self.heaviest = self.network = None
        self.pruned = []

    path = None

    def monotonic(self):
        return self.now

    def metrics(self):
        return self.lines

    def expect(self, build, dataset, preprocessing, options):
        self.now += self.start / plan.STARTING
        return self.expected(1.0)

    def expected(self, work):
        started = self.start / plan.STARTING
        return duration.Duration(1, 40, work * self.epoch, other_seconds=started)

    def train(self, config, dataset, network, part, epochs):
        self.lines, self.network = [], network
        self._stage("train", 1.0, epochs)
        self.finals = {"train": epochs, "part": part}
        return self

    def compress(self, run, dataset, sparsity, epochs):
        self.pruned.append((sparsity, epochs["prune"]))
        for stage, count in epochs.items():
            self._stage(stage, plan.COMPRESSING, count)
        self.finals |= epochs

    def _stage(self, stage, work, epochs):
        assert epochs > 0
        (paced,) = plan.paces([self.network], self.heaviest, self.expected(work))
        seconds = [paced.epoch] * epochs
        seconds[0] += paced.start
        self.lines += [{"stage": stage, "seconds": value} for value in seconds]
        self.now += sum(seconds)


@pytest.fixture
def simulate(tmp_path, monkeypatch, capsys):
    """Run trials and finalists on a made-up machine; return it, the fit and what was printed."""

    def run(start, epoch, hours, looked=None):
        machine = Machine(start, epoch)
        monkeypatch.setattr(folder_module, "time", machine)
        monkeypatch.setattr(duration, "expect", machine.expect)
        for name in ("train", "compress"):
            monkeypatch.setattr(training, name, getattr(machine, name))
        monkeypatch.setattr(training, "validation", lambda run: {"top1": 0.5, "loss": 1.0})
        monkeypatch.setattr(loop, "load_run", lambda *_: types.SimpleNamespace(model=None))
        monkeypatch.setattr(predict, "kernel_curve", lambda *_: TRAINED)
        monkeypatch.setattr(networks, "SCRATCH", LADDER)
        monkeypatch.setattr(
            screening,
            "screen",
            lambda network, *_: screening.Screened(network.name, 1, 1, LEAST, ""),
        )
        made = config(output_dir=tmp_path / f"{start}_{hours}", hours=hours, max_archive_bytes=1400)
        folder = Fit(tmp_path / f"{start}_{hours}", made.identity())
        work = loop._Work(made, folder, _data())
        machine.heaviest = max(work.ladder.values(), key=lambda n: n.multiply_accumulates)
        rows = [screening.Screened(name, 1, 1, LEAST, "") for name in work.ladder][:looked]
        folder.write("looked", [dataclasses.asdict(row) for row in rows])
        folder.write("looked_whole", True)
        planned = work._plan(work._screen())
        list(work._finals(work._trials(work._screen(), planned), planned))
        return machine, folder, capsys.readouterr().out

    return run


@pytest.mark.parametrize(
    ("start", "epoch", "hours", "tried"),
    [(1, 0.1, 0.1, 4), (16, 0.5, 0.1, 4), (24, 0.5, 0.1, 3), (60, 0.5, 0.1, 0), (60, 0.5, 1, 4)],
)
def test_finalists_get_the_epochs_that_the_time_allows(simulate, start, epoch, hours, tried):
    machine, folder, shown = simulate(start, epoch, hours)
    assert machine.finals["part"] == "finals" and machine.finals["train"] >= 15
    files = plan.Plan(**folder.read("finals")["plan"]).paces[0]["files"]
    assert machine.now + files <= 3600 * hours
    assert sum("top1" in row for row in folder.read("trials")) == tried
    assert ("without a trial" in shown) == (tried == 0) and "too short" not in shown


@pytest.mark.parametrize(
    ("epoch", "name", "short"),
    [
        (4, "v1_2_w1_sr0.25_32px", False),
        (8, "v1_2_w1_sr0.25_4fires_32px", False),
        (16, "v1_2_w1_sr0.25_2fires_32px", False),
        (60, "v1_2_w1_sr0.25_2fires_32px", True),
    ],
)
def test_where_a_network_cannot_be_trained_a_narrower_one_takes_its_place(
    simulate, epoch, name, short
):
    machine, folder, shown = simulate(6, epoch, 0.1, looked=1)
    assert machine.network.name == name
    assert ("too short" in shown) == (machine.finals["train"] < 15) == short
    looked = [row["name"] for row in folder.read("looked")]
    left_out = [row["name"] for row in folder.read("trials") if row.get("failed") == loop.NO_TIME]
    assert left_out == looked[: looked.index(name)]


def test_the_sparsity_follows_from_the_trained_weights_and_aims_below_the_budget(simulate):
    machine, folder, _ = simulate(1, 0.1, 0.1)
    found = plan.Plan(**folder.read("plan"))
    *trials, (last, _) = machine.pruned
    # 3 % below 1,400 bytes leave 358 for the kernels: between those of 0.3 and of 0.96.
    assert all(row["sparsity"] == pytest.approx(0.3924) for row in folder.read("trials"))
    assert last == trials[0][0] == pytest.approx(0.3924)
    assert trials[0][1] == found.trial_prune_epochs < found.prune_epochs


def test_the_winner_is_made_for_half_and_double_the_budget_too(tmp_path, monkeypatch):
    made = config(output_dir=tmp_path)
    best = Made(
        *("a", "net", "chain", "finals/trials/x", "quantize", 8000, 7900, 5000, 500, None),
        *(0.9, 0.8, 0.95, "00", 9000),
    )
    asked, finalist = [], making.Finalist(types.SimpleNamespace(name="net"), None, 0.3, LEAST)

    def make(self, finalist, recipe, limit, name):
        asked.append((recipe, limit, name))
        top1 = 0.85 if name == "net_rounded" else 0.8
        return dataclasses.replace(best, name=name, archive_limit=limit, top1=top1)

    monkeypatch.setattr(making.Maker, "make", make)
    for step in ("_screen", "_plan", "_trials"):
        monkeypatch.setattr(loop._Work, step, lambda *_: [])
    monkeypatch.setattr(loop._Work, "_finals", lambda *_: iter([finalist]))
    folder = Fit(tmp_path, made.identity())
    assert loop._Work(made, folder, _data()).choice().name == "net_rounded"
    assert asked == [
        *(("chain", 9000, "net_chain"), ("rounded", 9000, "net_rounded")),
        *(("rounded", 4500, "net_half"), ("rounded", 18000, "net_double")),
    ]
    asked.clear()
    assert loop._Work(made, folder, _data()).choice().name == "net_rounded"
    assert asked == []  # each is made once
    late = dataclasses.replace(made, output_dir=str(tmp_path / "late"))
    folder = Fit(tmp_path / "late", late.identity())
    folder._started -= 3600 * late.hours
    loop._Work(late, folder, _data()).choice()
    assert [name for *_, name in asked] == ["net_chain", "net_rounded"]
    assert folder.read("files")["net_double"] == {"failed": loop.NO_TIME}


@pytest.mark.parametrize(
    ("half", "double", "chosen"),
    [(0.81, 0.8, "net_half"), (0.8, 0.9, "net_half"), (0.79, 0.9, "net_chain")],
)
def test_a_file_for_half_the_budget_is_chosen_if_it_is_as_good(
    tmp_path, monkeypatch, half, double, chosen
):
    """The one for double the budget is too large, however good it is."""
    found = {"chain": (8000, 0.8), "rounded": (8900, 0.8), "half": (4400, half)}
    found["double"] = (17000, double)
    made = {
        f"net_{key}": Made(
            *(f"net_{key}", "net", "rounded", "finals/trials/x", "prune", size, None, 5000, 500),
            *(None, 0.9, top1, 0.95, "00", 9000),
        )
        for key, (size, top1) in found.items()
    }
    finalist = making.Finalist(types.SimpleNamespace(name="net"), None, 0.3, LEAST)
    monkeypatch.setattr(
        making.Maker, "make", lambda self, finalist, recipe, limit, name: made[name]
    )
    for step in ("_screen", "_plan", "_trials"):
        monkeypatch.setattr(loop._Work, step, lambda *_: [])
    monkeypatch.setattr(loop._Work, "_finals", lambda *_: iter([finalist]))
    settings_ = config(output_dir=tmp_path)
    assert (
        loop._Work(settings_, Fit(tmp_path, settings_.identity()), _data()).choice().name == chosen
    )


@pytest.mark.parametrize(("chain_bytes", "rescued"), [(9000, False), (9001, True)])
def test_a_chain_above_the_budget_is_rounded_to_it(tmp_path, monkeypatch, chain_bytes, rescued):
    chain = Made(
        *("a", "net", "chain", "finals/trials/x", "quantize", chain_bytes, 7900, 5000, 500, None),
        *(0.9, 0.8, 0.95, "00", 9000),
    )
    network = types.SimpleNamespace(name="net")

    def make(self, finalist, recipe, limit, name):
        size = chain_bytes if recipe == "chain" else limit
        return dataclasses.replace(chain, name=name, recipe=recipe, archive_bytes=size)

    monkeypatch.setattr(making.Maker, "make", make)
    made = config(output_dir=tmp_path)
    work = loop._Work(made, Fit(tmp_path, made.identity()), _data())
    found = work._files(making.Finalist(network, None, 0.3, LEAST))
    expected = ["chain", "rounded", *(["chain_rounded"] if rescued else [])]
    assert [item.recipe for item in found] == expected
    assert not making.exceeded(found[-1], made)


def test_networks_that_need_too_many_zeros_are_tried_last(tmp_path):
    wide = dataclasses.replace(LEAST, kernels=((0.0, 900), (0.86, 500), (0.96, 300)))
    rows = [
        screening.Screened(name, 1, 1, prediction, "")
        for name, prediction in (("wide", wide), ("narrow", LEAST), ("tiny", LEAST))
    ]
    made = config(output_dir=tmp_path, max_archive_bytes=1400)
    folder = Fit(tmp_path, made.identity())
    folder.write("looked", [dataclasses.asdict(row) for row in rows])
    folder.write("looked_whole", True)
    planned = [row.name for row in loop._Work(made, folder, _data())._screen()]
    assert planned == ["narrow", "tiny", "wide"]


def test_starts_that_take_all_the_time_leave_a_tenth_of_it_for_epochs(simulate):
    machine, *_ = simulate(400, 0.5, 0.1)
    assert machine.now > 360 and machine.finals["train"] >= 15


def test_a_time_too_short_to_train_is_said_with_one_that_suffices(simulate):
    machine, folder, shown = simulate(60, 20.0, 0.1)
    assert 1 < machine.finals["train"] < 15
    warning = folder.read("finals")["warning"]
    assert warning.startswith("--hours=0.1 is too short") and warning in shown
    hours = float(re.search(r"give --hours=([0-9.]+) or more$", warning)[1])
    machine, folder, _ = simulate(60, 20.0, hours)
    assert machine.finals["train"] >= 15 and not folder.read("finals")["warning"]


def test_if_every_network_fails_the_last_reason_is_given(trials):
    with pytest.raises(RunError, match="every network failed .* the loss is NaN"):
        trials(outcomes={"four": TRIALS["four"]})


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="does not hold a fit"):
        Fit(tmp_path, {})


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / "fit.json").write_text("[]")
    with pytest.raises(RunError, match=r"fit\.json: not the record of a fit"):
        Fit(tmp_path, {})


def _data():
    from tests.compression import small_chain

    return small_chain.make_dataset()
