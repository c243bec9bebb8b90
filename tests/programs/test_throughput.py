import subprocess
import sys

import pytest

from sqzkit.data.source import DataSource
from sqzkit.programs import throughput


def call(*arguments):
    program = [sys.executable, "-m", "sqzkit.throughput", *arguments]
    return subprocess.run(program, check=False, capture_output=True, text=True)


def test_it_measures_what_it_reads():
    result = throughput.measure(DataSource(), 32, 64, "light", 1)
    assert result.preparation_seconds > 0
    # A training step takes milliseconds an image: the pipeline is to be far below.
    assert 0 < result.cpu_milliseconds < 4
    assert result.images_per_second > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data_dir=/nowhere/at/all"], "no such folder"),
        (["--data_dir=a", "--tfds_name=b"], "give one of the two"),
        (["--tfds_data_dir=a"], "without --tfds_name"),
        (["--train_epochs=0"], "train_epochs"),
    ],
)
def test_the_program_names_a_wrong_flag(arguments, message):
    done = call(*arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_the_program_says_how_fast_it_reads():
    flags = ("--image_size=32", "--train_batch_size=64", "--augmentation=light", "--train_epochs=1")
    done = call(*flags)
    assert done.returncode == 0, done.stderr
    assert "images/s" in done.stdout
