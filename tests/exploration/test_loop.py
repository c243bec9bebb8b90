import itertools
import types

import numpy as np
import pytest
from optuna.trial import TrialState

from sqzkit.base import files
from sqzkit.base.errors import RunError, UnfitNetworkError, UsageError, WriteError
from sqzkit.data.dataset import Example, ImageDataset, Split
from sqzkit.data.source import DataSource
from sqzkit.exploration import loop
from sqzkit.exploration import study as explore_study
from sqzkit.exploration import trial as explore_trial
from sqzkit.exploration.study import Study
from tests.exploration import toys
from tests.teaching.folders import save_photographs


def worked(folder, monkeypatch, texts=None, outcome=toys.results_of, **changes):
    asked = toys.train_nothing(monkeypatch, outcome)
    study = Study(toys.config(folder, texts, **changes), toys.DATA)
    loop.work(study, toys.ToyExperiment())
    return study, asked


def test_a_study_gets_the_trials_it_asks_for(tmp_path, monkeypatch):
    study, asked = worked(tmp_path, monkeypatch, trials=7)
    assert len(study.finished()) == 7
    assert len({candidate.key for candidate in asked}) == len(asked) == 7
    for trial in study.finished():
        assert trial.values == [trial.user_attrs["accuracy"], trial.user_attrs["parameters"]]


def test_an_exploration_leaves_its_settings_its_page_and_its_winner(tmp_path, monkeypatch, capsys):
    def outcome(candidate, experiment, judge):
        folder = experiment.folder(candidate).path
        folder.mkdir(parents=True)
        (folder / "which").write_text(candidate.key)
        return {**toys.results_of(candidate), "folder": folder.name}

    asked = toys.train_nothing(monkeypatch, outcome)
    splits = {name: Split((Example(np.zeros((32, 32, 3), np.uint8), 0),)) for name in ("train",)}
    dataset = ImageDataset("toy", ("a", "b"), splits)
    monkeypatch.setattr(loop, "open_dataset", lambda source: dataset)
    seconds = itertools.count(100, 7)  # begun, measured, printed
    monkeypatch.setattr(loop, "time", types.SimpleNamespace(monotonic=lambda: next(seconds)))
    config = toys.config(tmp_path, trials=1)
    winner = loop.explore(config)
    assert (tmp_path / "winner" / "which").read_text() == asked[0].key == winner.user_attrs["key"]
    assert winner.user_attrs["seconds"] == 7.0
    assert files.read_json(tmp_path / "explore.json") == config.to_json()
    assert (tmp_path / "explore.html").exists()
    first, *_, found, last = capsys.readouterr().out.splitlines()
    assert first.startswith("trial 0 (1 of 1): accuracy=0.") and first.endswith(" 14 s")
    assert found == f"winner: trial 0, in {tmp_path / 'winner'}"
    assert last == f"to train it longer: sqzkit train {asked[0].flags}"


def test_a_study_knows_its_photographs(tmp_path, monkeypatch):
    toys.train_nothing(monkeypatch)
    monkeypatch.setattr(loop, "copy_winner", lambda winner, config: "")
    photographs = save_photographs(tmp_path / "photographs", dict.fromkeys("ab", 8))
    data = DataSource(data_dir=str(photographs))
    config = toys.config(tmp_path / "study", trials=1, data=data)
    loop.explore(config)
    moved = photographs.rename(tmp_path / "moved")
    config = toys.config(tmp_path / "study", trials=1, data=DataSource(data_dir=str(moved)))
    loop.explore(config)
    (moved / "a" / "0.png").unlink()
    with pytest.raises(UsageError, match=r"1 removed: a/0\.png; .* with another --study_dir"):
        loop.explore(config)


def test_the_same_command_goes_on(tmp_path, monkeypatch):
    worked(tmp_path, monkeypatch, trials=3)
    study, asked = worked(tmp_path, monkeypatch, trials=5)
    assert len(asked) == 2
    assert len(study.finished()) == 5
    _, asked = worked(tmp_path, monkeypatch, trials=5)
    assert asked == []


def test_a_space_that_is_used_up_ends_the_study(tmp_path, monkeypatch, capsys):
    study, asked = worked(tmp_path, monkeypatch, {"model": "tiny", "base_e": "8,16"}, trials=9)
    assert len(asked) == len(study.finished()) == 2
    assert "every network of the space was tried" in capsys.readouterr().out


def test_points_that_are_no_networks_are_passed_over(tmp_path, monkeypatch):
    texts = {"freq": "1,2", "bypass": "simple", "base_e": "8,16"}
    study, asked = worked(tmp_path, monkeypatch, texts, sampler="grid", trials=4, outcome=accept)
    assert {dict(candidate.values)["freq"] for candidate in asked} == {2}
    assert len(study.finished()) == 2
    failed = [t for t in study.trials() if t.state == TrialState.FAIL]
    assert all("no Fire module" in trial.user_attrs["reason"] for trial in failed)


def accept(candidate, experiment, judge):
    return {"accuracy": 0.5, "parameters": 5}


def test_a_failing_network_is_passed_over(tmp_path, monkeypatch, capsys):
    def outcome(candidate, experiment, judge):
        if dict(candidate.values)["base_e"] == 16:
            raise UnfitNetworkError("the loss is NaN")
        return toys.results_of(candidate)

    texts = {"model": "tiny", "base_e": "8,16,24", "incr_e": "0", "squeeze_ratio": "0.5"}
    study, asked = worked(tmp_path, monkeypatch, texts, outcome, sampler="grid", trials=3)
    assert len(asked) == 3
    assert len(study.finished()) == 2
    assert "trial 1 failed: the loss is NaN" in capsys.readouterr().err


def test_failure_after_failure_ends_the_run(tmp_path, monkeypatch):
    def outcome(candidate, experiment, judge):
        raise UnfitNetworkError("the loss is NaN")

    with pytest.raises(RunError, match="5 trials in a row failed; .*loss is NaN"):
        worked(tmp_path, monkeypatch, outcome=outcome, trials=20)


def test_failures_with_successes_between_them_end_nothing(tmp_path, monkeypatch):
    def outcome(candidate, experiment, judge):
        asked.append(candidate)
        if len(asked) % 5:
            raise UnfitNetworkError("the loss is NaN")
        return toys.results_of(candidate)

    asked = []
    study, _ = worked(tmp_path, monkeypatch, outcome=outcome, trials=3)
    assert len(study.finished()) == 3 and len(asked) == 15


def test_a_full_disk_is_not_the_networks_fault(tmp_path, monkeypatch):
    full = [True]

    def outcome(candidate, experiment, judge):
        if full:
            raise WriteError("cannot write a: no space left")
        return toys.results_of(candidate)

    changes = {"sampler": "grid", "trials": 3}
    with pytest.raises(WriteError):
        worked(tmp_path, monkeypatch, outcome=outcome, **changes)
    full.clear()
    # As if by another process: this one's trial is still taken for running.
    monkeypatch.setattr(explore_study, "is_gone", lambda trial: True)
    study, asked = worked(tmp_path, monkeypatch, outcome=outcome, **changes)
    assert len(study.finished()) == len(asked) == 3
    assert study.finished()[0].user_attrs["key"] == study.trials()[0].user_attrs["key"]


def test_a_wrong_call_is_not_taken_for_a_bad_network(tmp_path, monkeypatch):
    def outcome(candidate, experiment, judge):
        raise UsageError("stage 'train' was begun with other settings")

    with pytest.raises(UsageError, match="other settings"):
        worked(tmp_path, monkeypatch, outcome=outcome)


def test_bad_trials_are_stopped_and_counted(tmp_path, monkeypatch):
    def outcome(candidate, experiment, judge):
        results = toys.results_of(candidate)
        if len(seen) >= 4:
            # Costs as much as the largest so far, and learns nothing.
            results |= {"parameters": 10**6, "multiply_accumulates": 10**7}
            results |= {"accuracy": 0.02, "curve": [0.01, 0.02]}
            if judge(results, results["curve"]):
                raise explore_trial.TrialStoppedError(results)
        seen.append(candidate)
        return results

    seen = []
    study, _ = worked(tmp_path, monkeypatch, outcome=outcome, trials=6)
    states = [trial.state for trial in study.finished()]
    assert states == [TrialState.COMPLETE] * 4 + [TrialState.PRUNED] * 2
    assert study.finished()[4].user_attrs["curve"] == [0.01, 0.02]
    seen = []
    study, _ = worked(tmp_path / "all", monkeypatch, outcome=outcome, trials=6, stop_bad=False)
    assert [trial.state for trial in study.finished()] == [TrialState.COMPLETE] * 6


def rival(parameters, curve, macs=0):
    return toys.finished(0, [0.5, 1], curve=curve, parameters=parameters, multiply_accumulates=macs)


OWN = {"parameters": 100, "multiply_accumulates": 1000}
BOTH = ("accuracy", "parameters")


def test_beaten_by_most_rivals_of_its_age():
    rivals = [rival(50, [0.3, 0.5, 0.9])] * 4
    assert loop.should_stop(OWN, [0.2, 0.4], rivals, BOTH)
    assert not loop.should_stop(OWN, [0.2, 0.6], rivals, BOTH)
    assert not loop.should_stop(OWN, [0.6, 0.2], rivals, BOTH)
    assert not loop.should_stop(OWN, [0.0], rivals, BOTH)
    assert not loop.should_stop(OWN, [0.0, 0.0], rivals[:3], BOTH)


def test_a_trial_as_good_as_the_median_goes_on():
    rivals = [rival(100, [0.1, accuracy]) for accuracy in (0.2, 0.4, 0.6, 0.8)]
    assert not loop.should_stop(OWN, [0.1, 0.5], rivals, BOTH)
    assert loop.should_stop(OWN, [0.1, 0.499], rivals, BOTH)  # what costs as much is comparable


def test_only_what_costs_no_more_is_a_rival():
    larger = [rival(101, [0.9, 0.9])] * 9
    assert not loop.should_stop(OWN, [0.1, 0.1], larger, BOTH)
    assert loop.should_stop(OWN, [0.1, 0.1], larger, ("accuracy",))
    slower = [rival(50, [0.9, 0.9], macs=1001)] * 9
    assert not loop.should_stop(OWN, [0.1, 0.1], slower, ("accuracy", "latency"))
    assert loop.should_stop(OWN, [0.1, 0.1], slower, ("accuracy", "sqz_bytes"))


def test_rivals_too_young_are_not_asked():
    assert not loop.should_stop(OWN, [0.1] * 3, [rival(50, [0.9, 0.9])] * 9, BOTH)
