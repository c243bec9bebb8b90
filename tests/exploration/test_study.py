import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from optuna.study import StudyDirection
from optuna.trial import TrialState

from sqzkit.base.errors import UsageError
from sqzkit.exploration import study as explore_study
from sqzkit.exploration.samplers import dominated_shares
from sqzkit.exploration.storage import TakenOverError
from sqzkit.exploration.study import Study
from tests.exploration import toys


def opened(folder, texts=None, data=None, **changes):
    return Study(toys.config(folder, texts, **changes), data or toys.DATA)


def complete(study, number, candidate):
    results = toys.results_of(candidate)
    study.finish(number, [results["accuracy"], results["parameters"]], results)


def test_a_trial_is_asked_run_and_finished(tmp_path):
    study = opened(tmp_path)
    number, candidate = study.ask()
    assert study.may_run(number)
    study.note(number, {"curve": [0.1]})
    complete(study, number, candidate)
    (trial,) = study.finished()
    assert trial.state == TrialState.COMPLETE
    assert trial.user_attrs["key"] == candidate.key
    assert trial.user_attrs["curve"][-1] == trial.values[0]
    # Another process, or the same command later, sees it.
    assert [t.number for t in opened(tmp_path).finished()] == [0]


def test_stopped_trials_count_and_failed_ones_do_not(tmp_path):
    study = opened(tmp_path, trials=2)
    for end in (lambda n: study.fail(n, "bad", False), lambda n: study.stop(n, {"accuracy": 0.1})):
        number, _ = study.ask()
        end(number)
    assert [trial.number for trial in study.finished()] == [1]
    assert study.needs_trials()
    number, candidate = study.ask()
    complete(study, number, candidate)
    assert not study.needs_trials()


def test_of_two_with_one_network_the_first_runs(tmp_path):
    texts = {"model": "tiny", "base_e": "8"}
    one, other = opened(tmp_path, texts, trials=9), opened(tmp_path, texts, trials=9)
    # Both are begun before either announces to the other's eyes.
    first, _ = one.ask()
    study_of_second = other.study.ask()
    study_of_second.suggest_categorical("model", ("tiny",))
    study_of_second.suggest_categorical("base_e", (8,))
    study_of_second.set_user_attr("key", one.trials()[first].user_attrs["key"])
    assert one.may_run(first)
    assert not other.may_run(study_of_second.number)


def test_a_later_trial_waits_for_an_earlier_one_to_announce(tmp_path):
    texts = {"model": "tiny", "base_e": "8,16"}
    one, other = opened(tmp_path, texts), opened(tmp_path, texts)
    silent = one.study.ask()
    number, candidate = other.ask()
    answers = []
    waiter = threading.Thread(target=lambda: answers.append(other.may_run(number)))
    waiter.start()
    time.sleep(0.3)
    assert answers == []
    silent.set_user_attr("key", candidate.key)
    waiter.join()
    assert answers == [False]


def test_more_trials_than_wanted_yield(tmp_path):
    study = opened(tmp_path, trials=1, sampler="grid")
    (first, network), (second, other) = study.ask(), study.ask()
    assert network.key != other.key  # else it yields for that
    assert study.may_run(first)
    assert not study.may_run(second)


def test_networks_that_failed_for_good_are_not_tried_again(tmp_path):
    study = opened(tmp_path, {"model": "tiny", "base_e": "8,16"}, sampler="grid")
    number, _ = study.ask()
    study.fail(number, "diverged", for_good=True)
    number, candidate = study.ask()
    assert dict(candidate.values)["base_e"] == 16
    study.fail(number, "killed", for_good=False)
    number, again = study.ask()
    assert again == candidate
    assert study.may_run(number)
    complete(study, number, candidate)
    assert study.ask() is None


@pytest.mark.parametrize("sampler", ["grid", "random", "tpe", "nsga2", "annealing"])
def test_every_sampler_uses_the_space_up(sampler, tmp_path):
    texts = {"model": "tiny", "base_e": "8,16", "squeeze_ratio": "0.25,0.5"}
    study = opened(tmp_path, texts, sampler=sampler, trials=4)
    keys = []
    for _ in range(200):
        if not study.needs_trials():
            break
        number, candidate = study.ask()
        if study.may_run(number):
            keys.append(candidate.key)
            complete(study, number, candidate)
        else:
            study.fail(number, "taken", False)
    assert len(keys) == len(set(keys)) == 4


def test_grid_goes_in_order(tmp_path):
    study = opened(tmp_path, {"model": "tiny", "base_e": "24,8,16"}, sampler="grid")
    order = []
    while (asked := study.ask()) is not None:
        order.append(dict(asked[1].values)["base_e"])
        complete(study, *asked)
    assert order == [24, 8, 16]


def dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_dead_process_is_taken_over(tmp_path):
    study = opened(tmp_path, sampler="random")
    number, candidate = study.ask()
    study.note(number, {"worker": f"{socket.gethostname()} {dead_pid()}"})
    other = opened(tmp_path, sampler="random")
    assert other.needs_trials()
    assert other.trials()[number].state == TrialState.FAIL
    again, same = other.ask()
    assert same == candidate
    assert other.may_run(again)
    other.needs_trials()
    assert [t.state for t in other.trials()] == [TrialState.FAIL, TrialState.RUNNING]


def test_a_process_killed_before_it_named_itself_takes_no_place(tmp_path, monkeypatch):
    study = opened(tmp_path, trials=1)
    study.study.ask()
    monkeypatch.setattr(explore_study, "_ANNOUNCE_SECONDS", 0.3)
    # One that may yet name itself is waited for; then it is given up.
    assert study.needs_trials()
    assert [trial.state for trial in study.trials()] == [TrialState.FAIL]


def test_a_kill_while_taking_over_loses_no_network(tmp_path, monkeypatch):
    study = opened(tmp_path, trials=1, sampler="random")
    number, candidate = study.ask()
    study.note(number, {"worker": f"{socket.gethostname()} {dead_pid()}"})

    def die(*_, **__):
        raise KeyboardInterrupt

    heir = opened(tmp_path, trials=1, sampler="random")
    monkeypatch.setattr(heir.study, "tell", die)
    with pytest.raises(KeyboardInterrupt):
        heir.needs_trials()
    heir = opened(tmp_path, trials=1, sampler="random")
    assert heir.needs_trials()
    number, same = heir.ask()
    assert same == candidate
    assert heir.may_run(number)
    complete(heir, number, same)
    assert not heir.needs_trials()


def test_living_and_distant_processes_are_left_alone(tmp_path):
    study = opened(tmp_path)
    number, _ = study.ask()
    mine = study.trials()[number].user_attrs["worker"]
    assert mine.startswith(f"{socket.gethostname()} {os.getpid()}")
    assert not explore_study.is_gone(study.trials()[number])
    for host in ("0elsewhere", "~elsewhere"):  # whose processes have numbers of their own
        study.note(number, {"worker": f"{host} {dead_pid()}"})
        assert not explore_study.is_gone(study.trials()[number])


def test_a_living_process_that_has_not_announced_keeps_its_place(tmp_path):
    study, other = opened(tmp_path, trials=1), opened(tmp_path, trials=1)
    study.study.ask().set_user_attr("worker", explore_study.worker())
    assert not other.needs_trials()
    assert [trial.state for trial in other.trials()] == [TrialState.RUNNING]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_a_number_that_another_process_got_is_no_sign_of_life(tmp_path):
    study = opened(tmp_path)
    number, _ = study.ask()
    host, pid, started = study.trials()[number].user_attrs["worker"].split()
    study.note(number, {"worker": f"{host} {pid} {int(started) - 1}"})
    assert explore_study.is_gone(study.trials()[number])


def test_a_distant_process_silent_for_an_hour_is_given_up(tmp_path, monkeypatch):
    study = opened(tmp_path)
    number, _ = study.ask()
    study.note(number, {"worker": "elsewhere 1"})
    now = time.time()
    monkeypatch.setattr(explore_study.time, "time", lambda: now + 3700)
    assert explore_study.is_gone(study.trials()[number])


@pytest.mark.parametrize(
    ("changes", "texts", "data", "named"),
    [
        ({}, None, {**toys.DATA, "labels": ["x", "y"]}, "examples"),
        ({"objectives": ("accuracy", "sqz_bytes")}, None, None, "objectives"),
        ({}, {"model": "tiny", "base_e": "8"}, None, "space"),
    ],
)
def test_a_study_of_something_else_is_refused(changes, texts, data, named, tmp_path):
    opened(tmp_path)
    with pytest.raises(
        UsageError, match=f"made with other settings \\({named}[.a-z_]*: .* there, .* asked"
    ):
        opened(tmp_path, texts, data, **changes)


def test_other_studies_in_one_storage_have_their_own_trials(tmp_path):
    first = opened(tmp_path)
    second = opened(tmp_path, {"model": "tiny", "base_e": "8"}, study_name="second")
    complete(first, *first.ask())
    number, candidate = second.ask()
    assert number == 0 and dict(candidate.values) == {"model": "tiny", "base_e": 8}
    assert len(first.finished()) == 1 and second.finished() == []
    assert opened(tmp_path, study_name="first again").trials() == []


@pytest.mark.parametrize(
    "names", [("accuracy", "parameters"), ("latency",), ("sqz_bytes", "accuracy")]
)
def test_the_study_prefers_more_accuracy_and_less_of_everything_else(names, tmp_path):
    study = opened(tmp_path, objectives=names, sampler="random", trials=9)
    for _ in range(9):
        number, candidate = study.ask()
        results = {**toys.results_of(candidate), "latency": number % 4, "sqz_bytes": number % 5}
        study.finish(number, [results[name] for name in names], results)
    wanted = {"accuracy": StudyDirection.MAXIMIZE}
    minimize = StudyDirection.MINIMIZE
    assert study.study.directions == [wanted.get(name, minimize) for name in names]
    stopped, _ = study.ask()
    study.stop(stopped, {"accuracy": 2.0, "curve": [2.0]})
    signs = [-1 if name == "accuracy" else 1 for name in names]
    points = np.array([trial.values for trial in study.finished()[:-1]]) * signs
    front = [number for number, share in enumerate(dominated_shares(points)) if share == 0]
    assert sorted(trial.number for trial in study.front()) == front


@pytest.mark.parametrize("sampler", ["tpe", "annealing", "nsga2"])
def test_samplers_come_to_prefer_what_is_better(sampler, tmp_path):
    texts = {"model": "tiny", "base_e": "8:96:8", "incr_e": "0:64:8"}
    study = opened(tmp_path, texts, sampler=sampler, trials=60, objectives=("accuracy",))
    scores = []
    while len(scores) < 60:
        number, candidate = study.ask()
        values = dict(candidate.values)
        score = values["base_e"] / 96 - values["incr_e"] / 64
        study.finish(number, [score], {"accuracy": score})
        scores.append(score)
    assert np.mean(scores[30:]) > np.mean(scores[:10]) + 0.1


def test_a_trial_that_never_announces_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(explore_study, "_ANNOUNCE_SECONDS", 0.2)
    study, other = opened(tmp_path), opened(tmp_path)
    silent = other.study.ask()  # its process was killed here, or stopped
    number, candidate = study.ask()
    assert study.may_run(number)
    assert study.trials()[silent.number].state == TrialState.FAIL
    complete(study, number, candidate)


def test_a_trial_that_another_process_ended_is_taken_over(tmp_path):
    study, other = opened(tmp_path), opened(tmp_path)
    number, candidate = study.ask()
    other.fail(number, "silent", for_good=False)
    for late in (
        lambda: study.note(number, {"curve": [0.1]}),
        lambda: complete(study, number, candidate),
    ):
        with pytest.raises(TakenOverError):
            late()
    assert study.finished() == []
