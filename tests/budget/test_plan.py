import dataclasses

import pytest

from sqzkit.budget import plan
from sqzkit.budget.networks import Network
from sqzkit.models import spec
from sqzkit.preprocessing import default

EXPECTED = {"wide": 10.0, "narrow": 4.0, "third": 3.0}
STEPS = 40


def test_with_time_enough_everything_is_trained_as_documented():
    made = plan.make(EXPECTED, STEPS, 2, 32400)
    assert (made.train_epochs, made.prune_epochs) == (30, 40)
    assert (made.cluster_epochs, made.quantize_epochs) == (8, 6)
    assert (made.trial_epochs, made.trial_prune_epochs, made.finalists) == (5, 4, 2)


@pytest.mark.parametrize("hours", [0.25, 0.3, 0.4, 0.5])
def test_a_plan_fits_into_its_hours_and_uses_them(hours):
    made = plan.make(EXPECTED, STEPS, 2, 3600 * hours)
    assert 0.5 < made.seconds / 3600 / hours <= 1


def test_little_time_is_spent_on_one_finalist():
    plenty, little = (plan.make(EXPECTED, STEPS, 2, s) for s in (1800, 900))
    assert (plenty.finalists, little.finalists) == (2, 1)
    assert little.train_epochs > plenty.train_epochs / 2


def test_without_time_there_is_one_epoch_of_everything():
    made = plan.make(EXPECTED, STEPS, 2, 0.0036)
    values = dataclasses.asdict(made)
    del values["epoch_seconds"], values["finalists"]
    assert values["train_epochs"] == 1 and min(values.values()) == 1
    assert made.finalists == 1


def test_a_fit_of_one_network_has_one_finalist():
    assert plan.make({"only": 1.0}, STEPS, 2, 32400).finalists == 1


def test_seconds_count_the_trials_and_the_slowest_finalists():
    made = dataclasses.replace(plan.make(EXPECTED, STEPS, 2, 32400), finalists=1)
    trials = sum(made.trial_seconds(name) for name in EXPECTED)
    assert made.seconds == trials + made.final_seconds("wide")
    assert made.trial_seconds("wide") == 10 * (5 + 1.4 * 4) + 2 * plan.STAGE_SECONDS


def test_smaller_networks_are_expected_to_be_faster_but_not_in_proportion():
    wide, narrow = (
        Network(name, spec.v1_1(5, base_e=base, incr_e=base), default(64))
        for name, base in (("wide", 128), ("narrow", 32))
    )
    expected = plan.epoch_seconds([wide, narrow], wide, 8.0)
    assert expected["wide"] == pytest.approx(8.0)
    ratio = narrow.multiply_accumulates / wide.multiply_accumulates
    assert 8.0 * ratio < expected["narrow"] < 8.0


PLANNED = plan.make(EXPECTED, STEPS, 2, 1800)


def test_the_slowdown_is_what_the_trials_took_of_what_was_planned():
    taken = {name: 3 * PLANNED.trial_seconds(name) for name in ("wide", "narrow")}
    rows = [{"name": name, "seconds": seconds} for name, seconds in taken.items()]
    assert plan.slowdown(PLANNED, [*rows, {"name": "third"}]) == pytest.approx(3)
    assert plan.slowdown(PLANNED, [{"name": "third"}]) == 1


@pytest.mark.parametrize(("share", "finalists"), [(1.0, 2), (0.7, 2), (0.35, 1), (0.1, 1)])
def test_finals_fit_into_the_time_that_is_left(share, finalists):
    names = ["narrow", "wide", "third"]
    seconds = share * sum(map(PLANNED.final_seconds, names[:2]))
    made = plan.finals(PLANNED, names, 2.0, 2 * seconds)
    taken = sum(map(made.final_seconds, names[: made.finalists]))
    assert made.finalists == finalists
    assert taken <= seconds or made == PLANNED.shortened(0, 1)
    assert made.trial_epochs == PLANNED.trial_epochs and made.train_epochs >= 1


def test_what_is_left_is_the_trials_to_come_and_the_finalists():
    finals = PLANNED.seconds - sum(map(PLANNED.trial_seconds, EXPECTED))
    assert PLANNED.seconds_for([]) == pytest.approx(finals)
    third = PLANNED.trial_seconds("third")
    assert PLANNED.seconds_for(["third"]) == pytest.approx(finals + third)
