import pytest

from sqzkit.budget import plan
from sqzkit.budget.networks import Network
from sqzkit.budget.plan import Pace
from sqzkit.models import spec
from sqzkit.preprocessing import default
from sqzkit.training.duration import Duration

PACES = [
    Pace(name, epoch, 10.0, 90.0) for name, epoch in (("wide", 10.0), ("narrow", 4.0), ("third", 3))
]
STEPS = 40
PLENTY = 32400
PLANNED = plan.make(PACES, STEPS, 2, PLENTY).with_finals(1.0, 2, chained=True)


def epochs(made):
    return made.train_epochs, made.prune_epochs, made.cluster_epochs, made.quantize_epochs


def test_with_time_enough_finalists_get_four_times_their_epochs_and_trials_their_own():
    made = plan.make(PACES, STEPS, 2, PLENTY)
    assert epochs(made) == (120, 160, 32, 24)
    assert epochs(made.with_finals(1.0, 2, chained=True)) == (30, 40, 8, 6)
    assert (made.trial_epochs, made.trial_prune_epochs, made.finalists) == (5, 4, 2)
    assert made.names == ("wide", "narrow", "third") and not made.is_short


@pytest.mark.parametrize("seconds", [400, 700, 1000, 1800])
def test_a_plan_fits_into_its_time_and_uses_it(seconds):
    assert 0.6 < plan.make(PACES, STEPS, 2, seconds).seconds / seconds <= 1


def test_the_shorter_the_time_the_less_is_done_beside_the_finalist():
    shapes = []
    for seconds in range(2400, 0, -5):
        made = plan.make(PACES, STEPS, 2, seconds)
        shapes.append((made.finalists, len(made.paces) if made.trial_epochs else 0))
        if made.trial_epochs:
            assert made.train_epochs >= 15 and made.quantize_epochs
    assert list(dict.fromkeys(shapes)) == [(2, 3), (1, 3), (1, 2), (1, 0)]


def test_without_trials_a_small_network_gets_half_of_its_epochs_before_a_wide_one_gets_less():
    made = plan.make(PACES, STEPS, 2, 325)
    assert made.names == ("narrow",) and not made.is_short and not made.quantize_epochs
    made = plan.make(PACES, STEPS, 2, 200)
    assert made.names == ("third",) and made.is_short and 1 < made.train_epochs < 15


def test_without_time_there_is_one_epoch_of_everything():
    made = plan.make(PACES, STEPS, 2, 0.0036)
    assert epochs(made) == (1, 1, 0, 0) and made.names == ("third",)
    assert made.finalists == 1 and made.is_short and not made.trial_epochs


def test_a_fit_of_one_network_tries_it_and_has_one_finalist():
    made = plan.make(PACES[:1], STEPS, 2, PLENTY)
    assert (made.finalists, made.trial_epochs) == (1, 5)


def test_seconds_count_starts_once_a_stage_and_epochs_by_their_work():
    made = PLANNED.with_finals(1.0, 1, chained=True)
    assert made.trial_seconds("wide") == 10 * (5 + 1.4 * 4) + 2 * 10
    assert made.final_seconds("wide") == pytest.approx(10 * (30 + 1.4 * 54) + 4 * 10 + 90)
    assert made.with_finals(1.0).final_seconds("wide") == 10 * (30 + 1.4 * 40) + 2 * 10 + 90
    trials = sum(map(made.trial_seconds, made.names))
    assert made.seconds == trials + made.final_seconds("wide")
    third = made.trial_seconds("third")
    assert made.seconds_for(["third"]) == third + made.final_seconds("wide")


def test_smaller_networks_are_expected_to_be_faster_but_not_in_proportion():
    wide = Network("wide", spec.v1_1(5), default(64))
    few = spec.v1_1(5, base_e=32, incr_e=32, fire_modules=2, pool_after=("conv1", "fire2"))
    narrow = Network("narrow", few, default(64))
    found = plan.paces([wide, narrow], wide, Duration(1, STEPS, 8.0, other_seconds=2.0))
    assert found[0].epoch == pytest.approx(8.0) and found[0].start == 2 * plan.STARTING
    ratio = narrow.multiply_accumulates / wide.multiply_accumulates
    assert 8.0 * ratio < found[1].epoch < 8.0
    assert found[1].start == pytest.approx(found[0].start * 4 / 10)
    assert found[1].files < found[0].files


def trial(name, epoch, start):
    """Return the record of a trial with these steady epochs and starts."""
    seconds = epoch * (5 + 1.4 * 4) + 2 * start
    timed = {"seconds": seconds, "epoch_seconds": epoch}
    return {"name": name, "sparsity": 0.9, "top1": 0.5, **timed}


def test_a_slow_start_does_not_make_epochs_slow():
    paced = plan.measured(PLANNED, [trial("narrow", 4.0, 50.0), {"name": "wide", "failed": "why"}])
    assert [pace.epoch for pace in paced.paces] == pytest.approx([10.0, 4.0, 3.0])
    assert [pace.start for pace in paced.paces] == pytest.approx([50.0] * 3)
    assert [pace.files for pace in paced.paces] == pytest.approx([450.0] * 3)
    assert plan.measured(PLANNED, [{"name": "wide", "failed": "why"}]) == PLANNED


def test_a_trial_without_pruning_has_one_start():
    row = trial("wide", 10.0, 30.0) | {"sparsity": 0.0, "seconds": 10.0 * 5 + 30.0}
    assert plan.measured(PLANNED, [row]).pace("wide").start == pytest.approx(30.0)


def test_networks_that_are_not_tried_yet_are_as_slow_as_those_that_were():
    paced = plan.measured(PLANNED, [trial("wide", 20.0, 10.0), trial("third", 12.0, 10.0)])
    assert [pace.epoch for pace in paced.paces] == pytest.approx([20.0, 12.0, 12.0])


def test_a_trial_of_single_epochs_tells_the_start_alone():
    paced = plan.measured(PLANNED, [trial("wide", 10.0, 30.0) | {"epoch_seconds": None}])
    assert paced.pace("wide") == Pace("wide", 10.0, pytest.approx(30.0), pytest.approx(270.0))


def test_the_first_epoch_of_a_stage_is_not_steady():
    seconds = {"train": [60.0, 2.0, 2.0, 2.2], "prune": [90.0, 2.8], "cluster": [1.0, 1.0]}
    lines = [{"stage": stage, "seconds": s} for stage, all_ in seconds.items() for s in all_]
    assert plan.steady_epoch(lines, 0.0) == pytest.approx(2.0)
    assert plan.steady_epoch(lines, 0.05) == pytest.approx(2.1)
    assert plan.steady_epoch([lines[0], lines[4]], 0.0) is None


@pytest.mark.parametrize(
    ("share", "finalists", "chained"), [(1.0, 2, True), (0.3, 1, True), (0.165, 1, False)]
)
def test_finals_fit_into_the_time_that_is_left(share, finalists, chained):
    names = ["narrow", "wide", "third"]
    seconds = 1.2 * share * sum(map(PLANNED.final_seconds, names[:2]))
    made = plan.finals(PLANNED, names, 2, seconds)
    assert made.finalists == finalists and bool(made.quantize_epochs) == chained
    taken = sum(map(made.final_seconds, names[:finalists]))
    assert 0.7 * seconds < taken <= seconds and not made.is_short


def test_finals_get_more_than_was_planned_if_there_is_time():
    short = plan.make(PACES, STEPS, 1, 700)
    assert short.train_epochs < 30
    assert epochs(plan.finals(short, short.names, 1, PLENTY)) == (120, 160, 32, 24)


def test_without_time_the_final_has_one_epoch_of_everything():
    made = plan.finals(PLANNED, ["wide"], 2, -1.0)
    assert epochs(made) == (1, 1, 0, 0) and made.is_short


@pytest.mark.parametrize(("grace", "short"), [(36.0, True), (500.0, False)])
def test_epochs_get_their_grace_where_starts_take_all_the_time(grace, short):
    for made in (
        plan.finals(PLANNED, ["wide"], 2, -1.0, grace),
        plan.make(PACES[:1], STEPS, 2, 1.0, grace),
    ):
        assert 0.5 * grace < made.epochs_seconds("wide") <= grace and made.is_short == short


def test_a_trial_is_late_if_the_finalist_would_get_less_than_half_of_its_epochs():
    least = PLANNED.trial_seconds("wide") + 10 * (15 + 1.4 * 20) + 2 * 10 + 90
    assert plan.is_late(PLANNED, "wide", [], least)
    assert not plan.is_late(PLANNED, "wide", [], 1.12 * least)
    wide_wins = 0.95 * least + PLANNED.trial_seconds("third") - PLANNED.trial_seconds("wide")
    assert plan.is_late(PLANNED, "third", ["wide"], wide_wins)
    assert not plan.is_late(PLANNED, "third", [], wide_wins)


def test_a_plan_in_words():
    assert PLANNED.in_words() == (
        "3 networks for 5 epochs and 4 of pruning; 2 to the end, 30 epochs, then 40 of pruning, "
        "8 of clustering and 6 of int8"
    )
    assert plan.make(PACES, STEPS, 2, 1).in_words() == (
        "third without a trial; 1 to the end, 1 epoch, then 1 of pruning"
    )
