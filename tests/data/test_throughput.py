import subprocess
import sys

from sqzkit.data import throughput
from sqzkit.data.source import DataSource


def test_it_measures_what_it_reads():
    result = throughput.measure(DataSource(), 32, 64, "light", 1)
    assert result.preparation_seconds > 0
    # A training step takes milliseconds an image: the pipeline is to be far below.
    assert 0 < result.cpu_milliseconds < 4
    assert result.images_per_second > 0


def test_the_program_names_a_wrong_flag():
    program = [sys.executable, "-m", "sqzkit.data.throughput", "--data_dir=/nowhere/at/all"]
    done = subprocess.run(program, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no such folder" in done.stderr
