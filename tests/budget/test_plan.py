import dataclasses

import pytest

from sqzkit.budget import plan
from sqzkit.budget.networks import Network
from sqzkit.models import spec
from sqzkit.preprocessing import default

EXPECTED = {"wide": 10.0, "narrow": 4.0, "third": 3.0}
STEPS = 40


def test_with_time_enough_everything_is_trained_as_documented():
    made = plan.make(EXPECTED, STEPS, 2, hours=9)
    assert (made.train_epochs, made.prune_epochs) == (30, 40)
    assert (made.cluster_epochs, made.quantize_epochs) == (8, 6)
    assert (made.trial_epochs, made.trial_prune_epochs, made.finalists) == (5, 4, 2)


@pytest.mark.parametrize("hours", [0.25, 0.3, 0.4, 0.5])
def test_a_plan_fits_into_its_hours_and_uses_them(hours):
    made = plan.make(EXPECTED, STEPS, 2, hours)
    assert 0.5 < made.seconds / 3600 / hours <= 1


def test_little_time_is_spent_on_one_finalist():
    plenty, little = (plan.make(EXPECTED, STEPS, 2, hours) for hours in (0.5, 0.25))
    assert (plenty.finalists, little.finalists) == (2, 1)
    assert little.train_epochs > plenty.train_epochs / 2


def test_without_time_there_is_one_epoch_of_everything():
    made = plan.make(EXPECTED, STEPS, 2, hours=1e-6)
    values = dataclasses.asdict(made)
    del values["epoch_seconds"], values["finalists"]
    assert values["train_epochs"] == 1 and min(values.values()) == 1
    assert made.finalists == 1


def test_a_fit_of_one_network_has_one_finalist():
    assert plan.make({"only": 1.0}, STEPS, 2, hours=9).finalists == 1


def test_seconds_count_the_trials_and_the_slowest_finalists():
    made = dataclasses.replace(plan.make(EXPECTED, STEPS, 2, hours=9), finalists=1)
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
