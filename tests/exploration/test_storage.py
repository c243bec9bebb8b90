import subprocess
import sys
import threading

import pytest

from sqzkit.base.errors import RunError, UsageError
from sqzkit.exploration import storage as explore_storage
from sqzkit.exploration.storage import JOURNAL, JournalLock, drop_torn_line, locked
from sqzkit.exploration.study import Study
from tests.exploration import toys


def opened(folder, **changes):
    return Study(toys.config(folder, **changes), toys.DATA)


def finish_one(study):
    number, candidate = study.ask()
    results = toys.results_of(candidate)
    study.finish(number, [results["accuracy"], results["parameters"]], results)


def test_a_database_is_shared_like_a_file(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    one, other = (opened(tmp_path / name, storage=url) for name in ("a", "b"))
    finish_one(one)
    assert len(other.finished()) == 1
    assert not (tmp_path / "a" / explore_storage.JOURNAL).exists()


def test_a_database_that_is_not_there_is_a_run_error(tmp_path):
    url = f"sqlite:///{tmp_path}/no/such/folder/study.db"
    with pytest.raises(RunError, match="cannot be reached.*give the same command again"):
        opened(tmp_path, storage=url)


def test_a_database_that_others_are_just_making_is_tried_again(tmp_path, monkeypatch):
    class TableExistsError(Exception):
        __module__ = "sqlalchemy.exc"

    refusals = iter([TableExistsError("table already exists")] * 2)
    real = explore_storage.optuna.storages.RDBStorage

    asked = []

    def storage(*args, **kwargs):
        asked.append(kwargs)
        for refusal in refusals:
            raise refusal
        return real(*args, **kwargs)

    monkeypatch.setattr(explore_storage.optuna.storages, "RDBStorage", storage)
    monkeypatch.setattr(explore_storage.time, "sleep", lambda seconds: None)
    config = toys.config(tmp_path, storage=f"sqlite:///{tmp_path}/study.db")
    assert explore_storage.make_storage(config).get_all_studies() == []
    # A connection that the server closed meanwhile is made again.
    assert asked == [{"engine_kwargs": {"pool_pre_ping": True}}] * 3


def test_a_database_that_is_never_ready_is_an_error(tmp_path, monkeypatch):
    class TableExistsError(Exception):
        __module__ = "sqlalchemy.exc"

    pauses = []

    def storage(*args, **kwargs):
        raise TableExistsError("table already exists")

    monkeypatch.setattr(explore_storage.optuna.storages, "RDBStorage", storage)
    monkeypatch.setattr(explore_storage.time, "sleep", pauses.append)
    with pytest.raises(RunError, match="table already exists"):
        opened(tmp_path, storage=f"sqlite:///{tmp_path}/study.db")
    assert pauses == [0.2, 0.5, 1.0, 2.0]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_postgresql_is_reached_by_its_current_driver(scheme, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        explore_storage.optuna.storages, "RDBStorage", lambda url, **_: asked.append(url)
    )
    explore_storage.make_storage(toys.config(tmp_path, storage=f"{scheme}://me@host/db"))
    explore_storage.make_storage(toys.config(tmp_path, storage="mysql://me@host/db"))
    assert asked == ["postgresql+psycopg://me@host/db", "mysql://me@host/db"]


def test_a_study_lies_in_its_folder(tmp_path):
    finish_one(opened(tmp_path / "new" / "study"))
    names = {path.name for path in (tmp_path / "new" / "study").iterdir()}
    assert names == {"study.journal", "study.lock"}


def test_a_database_without_its_driver_is_a_usage_error(tmp_path):
    for scheme, reason in (
        ("mysql+pymysql", "No module named 'pymysql'"),
        ("postgresql+nonsense", "Can't load plugin"),
    ):
        with pytest.raises(UsageError, match=rf"driver is not installed \({reason}") as error:
            opened(tmp_path, storage=f"{scheme}://me:secret@host/db")
        assert "secret" not in str(error.value)


def test_a_database_that_goes_away_is_a_run_error(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    study = opened(tmp_path, storage=url)
    (tmp_path / "study.db").write_bytes(b"this is no database any more" * 400)
    with pytest.raises(RunError, match=r"study\.db cannot be reached"):
        finish_one(study)


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
        "import os, pathlib, signal; from sqzkit.exploration.storage import JournalLock; "
        "JournalLock(pathlib.Path('j')).acquire(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code], check=False, cwd=tmp_path)
    assert killed.returncode == -9
    lock = JournalLock(tmp_path / "j")
    assert lock.acquire()
    lock.release()


HOLDER = """
import sys, time
from pathlib import Path
from sqzkit.exploration.storage import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_the_lock_is_held_by_one_process_and_freed_by_its_death(tmp_path):
    path = tmp_path / "new" / "lock"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        got = threading.Event()

        def take():
            with locked(path):
                got.set()

        taker = threading.Thread(target=take)
        taker.start()
        assert not got.wait(0.3)
        holder.kill()
        taker.join()
    assert got.is_set()
