from sqzkit.base import progress


class Clock:
    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now)


def test_short_work_is_silent(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    shown = progress.Progress("work", 10)
    clock.now += 1
    shown.show(10)
    assert capsys.readouterr().err == ""


def test_long_work_says_how_far_it_is(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    shown = progress.Progress("work", 4000)
    clock.now += 4
    shown.show(1000)
    clock.now += 1
    shown.show(1500)
    clock.now += 1
    shown.show(4000)
    assert capsys.readouterr().err.splitlines() == [
        "work: 1,000 of 4,000, 0:00:12 left",
        "work: 4,000 of 4,000, 0:00:00 left",
    ]
