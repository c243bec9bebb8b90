"""One real fit of a tiny network, and what a kill leaves of it."""

import json
import re
import shutil

import pytest

import sqzkit
from sqzkit.base import assembly
from sqzkit.base.errors import RunError, UsageError
from sqzkit.budget import loop, networks, plan, predict
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


def test_every_limit_that_cannot_be_kept_is_named_with_the_least_possible():
    loop._refuse_impossible(LEAST, config(max_latency_ms=3.5, max_ram_bytes=6000))
    impossible = config(max_archive_bytes=1199, max_latency_ms=3, max_ram_bytes=5999)
    with pytest.raises(UsageError) as refused:
        loop._refuse_impossible(LEAST, impossible)
    message = str(refused.value)
    assert "--max_archive_bytes 1,199: the least possible is 1,200" in message
    assert "--max_ram_bytes 5,999: the least possible is 6,000" in message
    assert "--max_latency_ms 3.0: the least possible is 3.5" in message
    assert "a smaller --image_size takes less" in message


def test_a_network_is_left_out_for_the_limit_that_it_exceeds(monkeypatch):
    monkeypatch.setattr(predict, "predict", lambda *_: LEAST)
    (network, *_) = networks.ladder(config(), _data())
    fits = loop._look_at(network, config(), "ab")
    assert fits.refused == "" and fits.prediction == LEAST
    over = loop._look_at(network, config(max_ram_bytes=5999), "ab")
    assert over.refused == "too much for max_ram_bytes 6,000"


def test_a_network_far_too_wide_is_not_converted(monkeypatch):
    monkeypatch.setattr(networks, "SCRATCH", (("v1_2", 8, 0.125, 8),))
    (network,) = networks.ladder(config(), _data())
    asked = []
    monkeypatch.setattr(predict, "predict", lambda *_: asked.append(1) or LEAST)
    wide = loop._look_at(network, config(), "ab")
    assert "weights would be left after pruning" in wide.refused and not asked
    assert loop._look_at(network, config(max_archive_bytes=50_000), "ab").refused == "" and asked


TRIALS = {
    "one": {"top1": 0.8, "loss": 0.5},
    "two": {"top1": 0.9, "loss": 0.7},
    "three": {"top1": 0.9, "loss": 0.6},
    "four": {"failed": "the loss is NaN"},
}


@pytest.fixture
def trials(tmp_path, monkeypatch, capsys):
    """Run made-up trials, with those of `done` recorded already."""

    def run(done=(), outcomes=TRIALS):
        asked = []

        def trial(self, row, planned):
            asked.append(row.name)
            return {"name": row.name, "sparsity": 0.5, **outcomes[row.name]}

        monkeypatch.setattr(loop._Work, "_trial", trial)
        made = config(output_dir=tmp_path)
        folder = Fit(tmp_path, made.identity())
        folder.write("trials", [{"name": n, "sparsity": 0.5, **outcomes[n]} for n in done])
        rows = [loop.Looked(name, 1, 1, LEAST, "") for name in outcomes]
        rows.append(loop.Looked("wide", 1, 1, None, "too wide"))
        planned = plan.make(dict.fromkeys(outcomes, 100.0), 40, 2, hours=1)
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
