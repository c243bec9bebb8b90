"""One writer a folder."""

import os
import subprocess
import sys

import pytest

from sqzkit.base.errors import UsageError
from sqzkit.runs import lock

HOLD = """
import sys
from sqzkit.runs.lock import hold
with hold(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Start a process that holds a folder until its input ends."""
    call = [sys.executable, "-c", HOLD, str(tmp_path / "run")]
    process = subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_the_second_is_refused_and_told_who_holds_it(holder, tmp_path):
    owner = rf"in use by process {holder.pid} on \S+ \(-c .*/run\); wait until it ends"
    with pytest.raises(UsageError, match=owner), lock.hold(tmp_path / "run"):
        pass
    holder.communicate("")
    with lock.hold(tmp_path / "run"):
        assert f"process {os.getpid()} on" in (tmp_path / "run" / lock.NAME).read_text()


def test_a_killed_holder_holds_nothing(holder, tmp_path):
    holder.kill()
    holder.wait()
    assert (tmp_path / "run" / lock.NAME).exists()
    with lock.hold(tmp_path / "run"):
        pass
    assert not (tmp_path / "run").exists() or not (tmp_path / "run" / lock.NAME).exists()


def test_a_folder_that_stays_empty_is_removed_again(tmp_path):
    with lock.hold(tmp_path / "new" / "run"):
        pass
    assert not (tmp_path / "new").exists()
    with pytest.raises(KeyError), lock.hold(tmp_path / "new" / "run"):
        (tmp_path / "new" / "run" / "spec.json").touch()
        raise KeyError
    assert [path.name for path in (tmp_path / "new" / "run").iterdir()] == ["spec.json"]


def test_a_folder_is_vacant_whatever_a_killed_process_left(tmp_path):
    assert lock.is_vacant(tmp_path / "none")
    with lock.hold(tmp_path):
        assert lock.is_vacant(tmp_path)
    (tmp_path / "spec.json").touch()
    assert not lock.is_vacant(tmp_path)
    assert not lock.is_vacant(tmp_path / "spec.json")


def test_an_empty_folder_that_was_there_stays(tmp_path):
    with lock.hold(tmp_path):
        assert os.listdir(tmp_path) == [lock.NAME]
    assert os.listdir(tmp_path) == []


def test_within_a_process_too_the_second_is_refused(tmp_path):
    with lock.hold(tmp_path), pytest.raises(UsageError, match="--output_dir .*: in use by process"):
        with lock.hold(tmp_path, "--output_dir"):
            pass


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    for place in ("/proc/run", tmp_path / "file"):
        with pytest.raises(UsageError, match=rf"--model_dir {place}: cannot be written \("):
            with lock.hold(place):
                pass


def test_a_file_system_mounted_read_only_is_refused(tmp_path):
    call = ["mount", "-t", "tmpfs", "-o", "size=64k,ro", "tmpfs", str(tmp_path)]
    if subprocess.run(call, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        with pytest.raises(UsageError, match=r"cannot be written \(Read-only file system\)"):
            with lock.hold(tmp_path):
                pass
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_where_a_file_system_has_no_locks_nobody_is_refused(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(lock.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock.fcntl, "flock", no_locks)
    with lock.hold(tmp_path), lock.hold(tmp_path):
        pass
