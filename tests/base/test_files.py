import os
import subprocess
import sys

import pytest

from sqzkit.base import files
from sqzkit.base.errors import RunError, UsageError


def test_sha256_is_the_standard_one(tmp_path):
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert files.sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_atomic_path_replaces_only_on_success(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), files.atomic_path(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["model.tflite"]
    with files.atomic_path(path) as temporary:
        assert temporary.suffix == ".tflite"
        assert temporary.parent == tmp_path
        temporary.write_text("new")
    assert path.read_text() == "new"


def test_a_killed_writer_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"whole": True})
    program = f"""
import os, signal
from sqzkit.base import files
with files.atomic_path({str(path)!r}) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    assert files.read_json(path) == {"whole": True}


def test_what_killed_writers_left_is_removed(tmp_path):
    path = tmp_path / "a.json"
    program = f"""
import os, signal
from sqzkit.base import files
with files.atomic_path({str(path)!r}) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", program], check=False)
    (left,) = os.listdir(tmp_path)
    assert files.is_unfinished(left)
    assert left.endswith(".json")
    with files.atomic_path(path) as living:
        living.touch()
        with files.atomic_path(path) as other:
            other.touch()
        assert living.exists()
        assert not (tmp_path / left).exists()
    assert os.listdir(tmp_path) == ["a.json"]
    assert not files.is_unfinished("a.json")


def test_missing_folders_are_made(tmp_path):
    files.write_text(tmp_path / "a" / "b" / "c.txt", "ü")
    assert (tmp_path / "a" / "b" / "c.txt").read_text(encoding="utf-8") == "ü"


def test_unwritable_folder_is_named(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(RunError, match="cannot write .*file/x.json"):
        files.write_json(blocker / "x.json", {})


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_full_disk_is_said(tmp_path):
    path = tmp_path / "x.bin"
    with pytest.raises(RunError, match="No space left on device.*free space"):
        with files.atomic_path(path) as temporary:
            temporary.symlink_to("/dev/full")
            with open(temporary, "wb") as stream:
                stream.write(b"x" * 100_000)
    assert os.listdir(tmp_path) == []


def test_read_json_names_the_file(tmp_path):
    with pytest.raises(RunError, match="gone.json is missing"):
        files.read_json(tmp_path / "gone.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(RunError, match=r"bad.json cannot be read as JSON"):
        files.read_json(tmp_path / "bad.json")


def test_refuse_existing(tmp_path):
    path = tmp_path / "x"
    files.refuse_existing(path, overwrite=False)
    path.write_text("")
    files.refuse_existing(path, overwrite=True)
    with pytest.raises(UsageError, match="--overwrite"):
        files.refuse_existing(path, overwrite=False)


def test_a_text_file_is_read_within_its_bound(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("ant\nbee\n")
    assert files.read_text(path, 8) == "ant\nbee\n"
    with pytest.raises(RunError, match=r"labels\.txt: larger than the 7 bytes"):
        files.read_text(path, 7)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(RunError, match=r"labels\.txt cannot be read: it is not UTF-8 text"):
        files.read_text(path)
    with pytest.raises(UsageError, match="is a folder; name a file"):
        files.read_text(tmp_path)


def test_a_pipe_is_read_within_the_bound_too():
    reader, writer = os.pipe()
    os.write(writer, b"0123456789")
    os.close(writer)
    with pytest.raises(RunError, match="larger than the 9 bytes"):
        files.read_bytes(f"/dev/fd/{reader}", 9)
    os.close(reader)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "{", "1" * 5000, "nul"])
def test_json_of_any_kind_is_a_value_or_a_run_error(tmp_path, text):
    path = tmp_path / "spec.json"
    path.write_text(text)
    with pytest.raises(RunError, match=r"spec\.json cannot be read as JSON"):
        files.read_json(path)


def test_another_users_process_is_alive(monkeypatch):
    def refuse(pid, signal):
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert files.is_alive(1)


def test_a_process_that_ended_is_not_alive():
    child = subprocess.Popen([sys.executable, "-c", ""])
    assert files.is_alive(child.pid)
    child.wait()
    assert not files.is_alive(child.pid)
