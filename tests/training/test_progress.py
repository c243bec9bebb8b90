import io
import math

import pytest

from sqzkit.base.errors import RunError
from sqzkit.training.progress import Progress, Watchdog


class Terminal(io.StringIO):
    def isatty(self):
        return True


LINE = {
    "epoch": 1,
    "loss": 0.5,
    "accuracy": 0.75,
    "validation_loss": 0.6,
    "validation_accuracy": 0.7,
    "images_per_second": 1234.5,
}


def test_an_epoch_is_one_line_with_all_figures_and_the_time_left():
    now = [0.0]
    stream = io.StringIO()
    shown = Progress("train", 10, 4, stream=stream, clock=lambda: now[0])
    now[0] = 60.0
    shown.step(0, 4, 1.0, 0.5, 100.0)
    shown.epoch(LINE)
    assert stream.getvalue() == (
        "train epoch  1/10  loss 0.5000  accuracy 75.00%  validation loss 0.6000 "
        "accuracy 70.00%  1,234 images/s  0:09:00 left\n"
    )


def test_a_terminal_is_refreshed_twice_a_second_at_most():
    now = [0.0]
    stream = Terminal()
    shown = Progress("prune", 2, 100, stream=stream, clock=lambda: now[0])
    for step in range(1, 9):
        now[0] += 0.125
        shown.step(0, step, 2.0, 0.25, 50.0)
    assert stream.getvalue().count("\r") == 2
    first = "\r\x1b[Kprune epoch 1/2 step 4/100  loss 2.0000  accuracy 25.00%  50 images/s  "
    assert stream.getvalue().startswith(first + "0:00:24 left\r")


def test_building_the_graph_does_not_count_for_the_time_left():
    """The first step takes 30 s, each other one second, validation none."""
    now = [0.0]
    shown = Progress("train", 10, 4, stream=io.StringIO(), clock=lambda: now[0])
    for step, at in enumerate((30.0, 31.0, 32.0, 33.0), start=1):
        now[0] = at
        shown.step(0, step, 1.0, 0.5, 100.0)
    assert shown.time_left(1) == "0:00:36"


def test_a_resumed_stage_counts_only_its_own_epochs():
    now = [0.0]
    shown = Progress("train", 10, 4, first_epoch=8, stream=io.StringIO(), clock=lambda: now[0])
    assert shown.time_left(8) == "?"
    now[0] = 3600.0
    assert shown.time_left(9) == "1:00:00"
    now[0] = 3665.0
    assert shown.time_left(9) == "1:01:05"


def test_a_loss_that_is_not_finite_stops_the_run_with_advice():
    watchdog = Watchdog(10, 5, 0.4)
    watchdog.check_step(100.0, 0)
    for loss in (float("nan"), float("inf")):
        with pytest.raises(RunError, match=r"epoch 3.*lower --base_learning_rate \(now 0.4\)"):
            watchdog.check_step(loss, 2)


def test_chance_for_long_stops_the_run_with_advice():
    watchdog = Watchdog(10, 3, 0.01)
    for epoch in range(2):
        watchdog.check_epoch(math.log(10), 0.1, epoch)
    with pytest.raises(RunError, match=r"ln\(10\) = 2.3026 for 3 epochs.*--normalization=batch"):
        watchdog.check_epoch(math.log(10) + 0.001, 0.11, 2)


def test_epochs_of_few_steps_are_given_more_time():
    """Of 40 photographs an epoch is one step; five steps are no reason to give up."""
    watchdog = Watchdog(10, 5, 0.01)
    for epoch in range(199):
        watchdog.check_epoch(math.log(10), 0.1, epoch, steps=1)
    with pytest.raises(RunError, match="for 200 epochs: the network answers by chance"):
        watchdog.check_epoch(math.log(10), 0.1, 199, steps=1)
    for epoch in range(4):
        Watchdog(10, 5, 0.01).check_epoch(math.log(10), 0.1, epoch, steps=10_000)


def test_one_better_epoch_starts_the_count_again():
    watchdog = Watchdog(10, 2, 0.01)
    for loss in (2.3026, 2.1, 2.3026):
        watchdog.check_epoch(loss, 0.1, 0)
    assert watchdog.stuck == 1


def test_a_loss_near_chance_with_right_answers_is_no_chance():
    watchdog = Watchdog(2, 1, 0.01)
    for epoch in range(5):
        watchdog.check_epoch(math.log(2), 1.0, epoch)


def test_zero_epochs_never_stop():
    watchdog = Watchdog(10, 0, 0.01)
    for epoch in range(50):
        watchdog.check_epoch(math.log(10), 0.1, epoch)


def test_only_a_loss_within_two_per_cent_of_chance_is_chance():
    watchdog = Watchdog(10, 5, 0.01)
    for share, stuck in ((1.019, 1), (0.981, 2), (1.021, 0), (0.979, 0)):
        watchdog.check_epoch(math.log(10) * share, 0.1, 0)
        assert watchdog.stuck == stuck
    watchdog.check_epoch(math.log(10), 0.2, 0)  # twice as many right answers as by chance
    assert watchdog.stuck == 0
