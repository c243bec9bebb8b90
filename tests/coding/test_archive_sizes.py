"""The benchmark of archives, as it is called."""

import subprocess
import sys

import numpy as np
import pytest


@pytest.fixture
def compare(repository):
    """Run the benchmark; return (exit code, stdout, stderr)."""

    def call(*arguments):
        program = repository / "benchmarks" / "archive_sizes.py"
        done = subprocess.run(
            [sys.executable, str(program), *map(str, arguments)],
            capture_output=True, text=True, check=False, cwd=repository,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    return call


def test_a_row_for_each_model_and_a_verdict(compare, tmp_path, tflite, kernel):
    (tmp_path / "good.tflite").write_bytes(tflite([kernel((64, 3, 3, 32), 1, 0.3)]))
    (tmp_path / "noise.tflite").write_bytes(np.random.default_rng(0).bytes(3000))
    code, out, _ = compare(tmp_path / "good.tflite", "--least_saving=5")
    rows = [line for line in out.splitlines() if line.startswith("|")]
    assert (code, len(rows)) == (0, 3)
    cells = [cell.strip() for cell in rows[-1].strip("|").split("|")]
    assert cells[0] == f"{tmp_path.name}/good"
    own, xz = (int(cell.replace(",", "")) for cell in (cells[2], cells[3]))
    assert cells[6] == f"{100 * (1 - own / xz):.1f} %"
    assert "larger than gzip: 0" in out
    code, _, error = compare(
        tmp_path / "good.tflite", tmp_path / "noise.tflite", "--least_saving=5"
    )
    assert code == 1
    assert "/noise: saves less than was asked for" in error


def test_wrong_calls_are_refused(compare, tmp_path):
    assert compare()[0] == 2
    code, _, error = compare(tmp_path / "none.tflite")
    assert code == 2
    assert "cannot read" in error
    assert "Traceback" not in error
