import io

from sqzkit.training.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


LINE = {
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
    shown.epoch(0, LINE, "  best")
    assert stream.getvalue() == (
        "train epoch  1/10  loss 0.5000  accuracy 75.00%  validation loss 0.6000 "
        "accuracy 70.00%  1,234 images/s  0:09:00 left  best\n"
    )


def test_a_terminal_is_refreshed_twice_a_second_at_most():
    now = [0.0]
    stream = Terminal()
    shown = Progress("prune", 2, 100, stream=stream, clock=lambda: now[0])
    for step in range(1, 9):
        now[0] += 0.125
        shown.step(0, step, 2.0, 0.25, 50.0)
    assert stream.getvalue().count("\r") == 2
    assert "step 4/100" in stream.getvalue()
    assert "50 images/s" in stream.getvalue()


def test_a_resumed_stage_counts_only_its_own_epochs():
    now = [0.0]
    shown = Progress("train", 10, 4, first_epoch=8, stream=io.StringIO(), clock=lambda: now[0])
    assert shown.time_left(8) == "?"
    now[0] = 3600.0
    assert shown.time_left(9) == "1:00:00"
