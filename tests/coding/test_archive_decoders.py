"""The benchmark of the two decoders, as it is called."""

import subprocess
import sys

import pytest

from benchmarks import java_decoder
from sqzkit.coding import sqz

pytestmark = pytest.mark.skipif(not java_decoder.is_available(), reason="needs a JDK")


def run(repository, *arguments):
    command = [sys.executable, "-m", "benchmarks.archive_decoders", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=repository)


def test_a_row_for_each_archive_and_a_verdict(repository, tmp_path, tflite, kernel):
    content = tflite([kernel((64, 3, 3, 32), 1, 0.3)])
    archive = sqz.pack(content)
    (tmp_path / "model.sqz").write_bytes(archive)
    done = run(repository, tmp_path / "model.sqz", "--most_milliseconds=60000")
    assert done.returncode == 0, done.stderr
    cells = [cell.strip() for cell in done.stdout.splitlines()[-1].strip("|").split("|")]
    assert cells[:3] == ["model", f"{len(archive):,}", f"{len(content):,}"]
    assert all(cell.endswith(" ms") for cell in cells[3:])
    done = run(repository, tmp_path / "model.sqz", "--most_milliseconds=0")
    assert done.returncode == 1
    assert "more than was asked for" in done.stderr


def test_wrong_calls_are_refused(repository, tmp_path):
    assert run(repository).returncode == 2
    (tmp_path / "text.sqz").write_text("no archive")
    done = run(repository, tmp_path / "text.sqz")
    assert done.returncode == 1
    assert "not a .sqz archive" in done.stderr
    assert "Traceback" not in done.stderr
