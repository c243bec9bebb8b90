"""One real fit of a tiny network, and what a kill leaves of it."""

import json
import re
import shutil

import pytest

import sqzkit
from sqzkit.base import assembly
from sqzkit.base.errors import RunError, UsageError
from sqzkit.budget import loop, networks, plan, screening
from sqzkit.budget.config import FitConfig
from sqzkit.budget.folder import Fit
from sqzkit.budget.predict import Prediction
from sqzkit.coding import sqz
from tests.teaching.folders import save_photographs

BUDGET = 2850  # bytes: some 2,400 are the graph, and the kernels of plain int8 take 1,100
TINY = (("v1_2", 1, 0.25, 2),)


class KilledError(BaseException):
    """The process is gone."""


def settings(folder, **changes):
    brief = {"hours": 1e-3, "networks": 1, "finalists": 1, "image_size": 32}
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
    folder = tmp_path_factory.mktemp("fits") / "fit"
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
    assert len(made) == 2
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
    for name in [name for name in record["files"] if name.endswith("_rounded")]:
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
    message = r"--max_archive_bytes 700: the least possible is (\d),(\d{3}), with"
    thousands, rest = re.match(message, str(refused.value)).groups()
    assert 2000 < int(thousands + rest) < BUDGET


LEAST = Prediction(1000, ((0.0, 900), (0.3, 500), (0.96, 200)), 5000, 6000, 3.5)


def config(**changes):
    return assembly.build(FitConfig, {"max_archive_bytes": 9000, **changes})


TRIALS = {
    "one": {"top1": 0.8, "loss": 0.5},
    "two": {"top1": 0.9, "loss": 0.7},
    "three": {"top1": 0.9, "loss": 0.6},
    "four": {"failed": "the loss is NaN"},
}


@pytest.fixture
def trials(tmp_path, monkeypatch, capsys):
    """Run made-up trials, with those of `done` recorded already."""

    def run(done=(), outcomes=TRIALS, seconds=0.0):
        asked = []

        def trial(self, row, planned):
            asked.append(row.name)
            self.folder._started -= seconds
            return {"sparsity": 0.5, **outcomes[row.name]}

        monkeypatch.setattr(loop._Work, "_trial", trial)
        made = config(output_dir=tmp_path)
        folder = Fit(tmp_path, made.identity())
        folder.write("trials", [{"name": n, "sparsity": 0.5, **outcomes[n]} for n in done])
        rows = [screening.Screened(name, 1, 1, LEAST, "") for name in outcomes]
        rows.append(screening.Screened("wide", 1, 1, None, "too wide"))
        planned = plan.make(dict.fromkeys(outcomes, 10.0), 40, 2, 3600)
        found = loop._Work(made, folder, _data())._trials(rows, planned)
        return asked, [row["name"] for row in found], capsys.readouterr().out

    return run


def test_the_most_accurate_trials_come_first_and_of_equal_ones_the_lowest_loss(trials):
    asked, order, shown = trials()
    assert asked == ["one", "two", "three", "four"]
    assert order == ["three", "two", "one"]
    assert "four failed: the loss is NaN" in shown and "trial 1 of 4, one, about 0:" in shown


def test_trials_that_are_recorded_are_not_run_again(trials):
    asked, order, shown = trials(done=("one", "two"))
    assert asked == ["three", "four"]
    assert order == ["three", "two", "one"] and "trial 3 of 4" in shown


def test_trials_for_which_there_is_no_time_are_left_out(trials):
    """An hour is planned for four trials and two finalists; the first trial takes half of it."""
    asked, order, shown = trials(seconds=1800.0)
    assert asked == order == ["one"]
    assert shown.count(f"failed: {loop.NO_TIME}") == 3


def test_while_every_network_failed_the_next_is_tried_whatever_the_time(trials):
    asked, _, _ = trials(outcomes=dict(reversed(TRIALS.items())), seconds=4000.0)
    assert asked == ["four", "three"]


@pytest.fixture
def finals(tmp_path, monkeypatch, capsys):
    """Run made-up finalists, in a folder whose trials took `factor` times the planned seconds."""

    def run(factor=1.0, seconds=0.0):
        made = config(output_dir=tmp_path)
        folder = Fit(tmp_path, made.identity())
        planned = plan.make({"one": 10.0, "two": 10.0}, 40, 2, 3600)
        taken = factor * planned.trial_seconds("one")
        rows = [{"name": name, "seconds": taken} for name in ("one", "two")]
        folder.write("trials", rows)
        trained = []

        def final(self, trial, finals):
            trained.append((trial["name"], finals.train_epochs))
            self.folder._started -= seconds
            return trial["name"]

        monkeypatch.setattr(loop._Work, "_final", final)
        list(loop._Work(made, folder, _data())._finals(rows, planned))
        return planned, trained, folder, capsys.readouterr().out

    return run


def test_finalists_are_trained_as_planned_if_the_trials_were_as_fast(finals):
    planned, trained, folder, shown = finals()
    assert trained == [("one", planned.train_epochs), ("two", planned.train_epochs)]
    assert "one to the end" in shown and not folder.read("files")


def test_after_slow_trials_finalists_are_trained_for_less(finals):
    planned, trained, _, _ = finals(factor=2.5)
    assert trained and all(0 < epochs < planned.train_epochs for _, epochs in trained)


def test_a_finalist_for_which_there_is_no_time_is_left_out_and_stays_so(finals):
    _, trained, folder, shown = finals(seconds=3500.0)
    assert [name for name, _ in trained] == ["one"]
    assert folder.read("files") == {"two": {"failed": loop.NO_TIME}}
    assert f"two: not made: {loop.NO_TIME}" in shown
    _, trained, folder, _ = finals()  # resumed, with the time that is recorded
    assert [name for name, _ in trained] == ["one"] and folder.seconds > 3500


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
