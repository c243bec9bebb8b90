import shutil

import pytest

from sqzkit.base.errors import RunError, WriteError
from sqzkit.exploration import winner
from tests.exploration import toys

NAMES = ("accuracy", "parameters")
POINTS = {0: (0.98, 900), 1: (0.99, 5000), 2: (0.975, 400), 3: (0.98, 1000), 4: (0.5, 100)}


def trials(points=POINTS):
    """A front but for trial 3, which is never the winner."""
    return [
        toys.finished(
            n, [a, p], accuracy=a, parameters=p, folder=f"f{n}", key=f"k{n}", worker="host 1"
        )
        for n, (a, p) in points.items()
    ]


@pytest.mark.parametrize(("drop", "number"), [(0.0, 1), (0.01, 0), (0.02, 2), (1.0, 4)])
def test_the_winner_is_the_cheapest_that_is_good_enough(drop, number):
    config = toys.config("s", winner_drop=drop)
    assert winner.choose_winner(trials(), config).number == number


def test_without_a_cost_the_most_accurate_wins():
    config = toys.config("s", objectives=("accuracy",))
    alone = [toys.finished(n, [a], accuracy=a) for n, a in enumerate((0.5, 0.9, 0.7))]
    assert winner.choose_winner(alone, config).number == 1


def test_without_accuracy_the_cheapest_wins():
    config = toys.config("s", objectives=("parameters",), winner_drop=0.0)
    points = ((9, 0.9), (5, 0.1), (5, 0.3), (5, 0.2))  # of equally cheap ones the most accurate
    alone = [toys.finished(n, [p], accuracy=a) for n, (p, a) in enumerate(points)]
    assert winner.choose_winner(alone, config).number == 2


def test_the_first_cost_decides():
    config = toys.config("s", objectives=("accuracy", "sqz_bytes", "latency"))
    points = ((0.9, 300, 1.0), (0.9, 100, 3.0), (0.9, 200, 2.0))
    front = [toys.finished(n, [*p], accuracy=p[0]) for n, p in enumerate(points)]
    assert winner.choose_winner(front, config).number == 1


def test_no_complete_trial_no_winner():
    assert winner.choose_winner([], toys.config("s")) is None


def test_the_winners_folder_is_copied_and_replaced(tmp_path):
    config = toys.config(tmp_path)
    for name in ("f0", "f1"):
        (tmp_path / "trials" / name).mkdir(parents=True)
        (tmp_path / "trials" / name / "spec.json").write_text(name)
    first, second = trials()[:2]
    assert winner.copy_winner(first, config) == tmp_path / "winner"
    # What was killed while it replaced a winner has left both aside.
    for leftover in (".winner", ".winner-before"):
        (tmp_path / leftover).mkdir()
    winner.copy_winner(second, config)
    assert (tmp_path / "winner" / "spec.json").read_text() == "f1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trials", "winner"]


def test_a_winner_of_another_machine_is_named(tmp_path):
    with pytest.raises(RunError, match="f0 is missing: trial 0 was trained by host 1"):
        winner.copy_winner(trials()[0], toys.config(tmp_path))


def test_a_copy_that_fails_leaves_the_winner_before(tmp_path, monkeypatch):
    config = toys.config(tmp_path)
    first, second = trials()[:2]
    for trial in (first, second):
        folder = tmp_path / "trials" / trial.user_attrs["folder"]
        folder.mkdir(parents=True)
        (folder / "spec.json").write_text(folder.name)
    winner.copy_winner(first, config)

    def full(source, target):
        raise shutil.Error([(source, target, "[Errno 28] No space left on device")])

    monkeypatch.setattr(winner.shutil, "copytree", full)
    with pytest.raises(WriteError, match="No space left"):
        winner.copy_winner(second, config)
    assert (tmp_path / "winner" / "spec.json").read_text() == "f0"


@pytest.mark.parametrize("name", ["../../elsewhere", "/etc", "", "a/b", ".."])
def test_a_study_cannot_name_a_folder_elsewhere(tmp_path, name):
    trial = toys.finished(0, [0.9, 1], accuracy=0.9, folder=name, worker="host 1")
    with pytest.raises(RunError, match="cannot be the folder of a trial"):
        winner.copy_winner(trial, toys.config(tmp_path))
