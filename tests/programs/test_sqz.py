import subprocess
import sys

import pytest


def run(repository, *arguments):
    command = [sys.executable, "-m", "sqzkit.sqz", *map(str, arguments)]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)


@pytest.fixture
def packed(repository, tmp_path):
    source = tmp_path / "model.tflite"
    source.write_bytes(b"any bytes at all " * 99)
    assert run(repository, "pack", source).returncode == 0
    return source


def test_pack_info_unpack(repository, packed):
    archive = packed.with_name("model.tflite.sqz")
    told = run(repository, "info", archive)
    assert told.returncode == 0
    assert "file of 1,683" in told.stdout
    content = packed.read_bytes()
    packed.unlink()
    assert run(repository, "unpack", archive).returncode == 0
    assert packed.read_bytes() == content


def test_nothing_is_overwritten_unasked(repository, packed):
    archive = packed.with_name("model.tflite.sqz")
    before = archive.stat().st_mtime_ns
    again = run(repository, "pack", packed)
    assert (again.returncode, again.stdout) == (0, f"{archive} holds {packed} already\n")
    assert archive.stat().st_mtime_ns == before
    other = packed.with_name("other.tflite")
    other.write_bytes(packed.read_bytes() + b"more")
    result = run(repository, "pack", other, "--output", archive)
    assert result.returncode == 2
    assert "--overwrite" in result.stderr
    assert run(repository, "pack", packed, "--overwrite").returncode == 0
    assert run(repository, "unpack", archive, "--output", packed.with_name("b")).returncode == 0
    assert packed.with_name("b").read_bytes() == packed.read_bytes()


def test_mistakes_are_one_line_and_name_the_file(repository, packed, tmp_path):
    archive = packed.with_name("model.tflite.sqz")
    damaged = tmp_path / "damaged.sqz"
    damaged.write_bytes(archive.read_bytes()[:-3])
    for arguments, code, word in (
        (["pack"], 2, "one of pack, unpack, info"),
        (["squash", packed], 2, "one of pack, unpack, info"),
        (["pack", tmp_path / "absent"], 2, "absent"),
        (["unpack", packed], 2, "--output"),
        (["unpack", damaged], 1, f"{damaged}: the archive is damaged or cut off"),
        (["unpack", archive, "--limit=9", "--overwrite"], 1, "--limit"),
        (["info", packed], 1, "not a .sqz archive"),
    ):
        result = run(repository, *arguments)
        assert result.returncode == code, arguments
        assert word in result.stderr
        assert "Traceback" not in result.stderr
    assert not damaged.with_suffix("").exists()
