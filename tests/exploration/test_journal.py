import subprocess
import sys
import threading

import pytest

from sqzkit.exploration.journal import JournalLock, drop_torn_line
from sqzkit.exploration.storage import JOURNAL
from sqzkit.exploration.study import Study
from tests.exploration import toys


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"", b""), (b"{}\n", b"{}\n"), (b'{}\n{"op', b"{}\n"), (b'{"op', b"")],
)
def test_only_a_line_without_an_end_is_dropped(tmp_path, before, after):
    path = tmp_path / "j"
    path.write_bytes(before)
    drop_torn_line(path)
    assert path.read_bytes() == after


def test_a_study_goes_on_after_half_a_record(tmp_path):
    study = Study(toys.config(tmp_path), toys.DATA)
    number, candidate = study.ask()
    with open(tmp_path / JOURNAL, "a") as journal:
        journal.write('{"op_code":8,"worker_id":"x","tri')
    again = Study(toys.config(tmp_path), toys.DATA)
    results = toys.results_of(candidate)
    again.finish(number, [results["accuracy"], results["parameters"]], results)
    assert [trial.number for trial in Study(toys.config(tmp_path), toys.DATA).finished()] == [0]


def test_one_holds_it_and_the_others_wait(tmp_path):
    journal = tmp_path / "j"
    journal.touch()
    first, second = JournalLock(journal), JournalLock(journal)
    assert first.acquire()
    waiter = threading.Thread(target=second.acquire)
    waiter.start()
    waiter.join(0.2)
    assert waiter.is_alive()
    first.release()
    waiter.join(10)
    assert not waiter.is_alive()
    second.release()


def test_a_killed_process_lets_go(tmp_path, monkeypatch):
    (tmp_path / "j").touch()
    code = (
        "import os, pathlib, signal; from sqzkit.exploration.journal import JournalLock; "
        "JournalLock(pathlib.Path('j')).acquire(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code], check=False, cwd=tmp_path)
    assert killed.returncode == -9
    lock = JournalLock(tmp_path / "j")
    assert lock.acquire()
    lock.release()
