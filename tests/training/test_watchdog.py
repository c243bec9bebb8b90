import math

import pytest

from sqzkit.base.errors import RunError
from sqzkit.training.watchdog import Watchdog


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
