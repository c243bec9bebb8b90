"""Threads can be chosen only before TensorFlow computes: each case is a process of its own."""

import os
import subprocess
import sys

import pytest

from sqzkit.training import threads

SHOW = """
import sys
import tensorflow as tf
from sqzkit.training import threads
threads.processors = lambda: int(sys.argv[2])
if sys.argv[3] == "late":
    tf.constant(1)
threads.share_processors(int(sys.argv[1]))
chosen = tf.config.threading
print(chosen.get_intra_op_parallelism_threads(), chosen.get_inter_op_parallelism_threads())
assert float(tf.linalg.matmul(tf.ones((64, 64)), tf.ones((64, 64)))[0, 0]) == 64
"""
OWN = "0 0"  # TensorFlow's own choice


@pytest.mark.parametrize(
    ("pixels", "processors", "when", "environment", "expected"),
    [
        (64, 2, "early", {}, "1 2"),
        (96, 2, "early", {}, OWN),
        (64, 8, "early", {}, OWN),
        (64, 2, "late", {}, OWN),
        (64, 2, "early", {"TF_NUM_INTRAOP_THREADS": "2"}, OWN),
    ],
)
def test_small_images_on_two_processors_run_operations_side_by_side(
    pixels, processors, when, environment, expected
):
    made = subprocess.run(
        [sys.executable, "-c", SHOW, str(pixels), str(processors), when],
        env={**os.environ, **environment, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.stdout.strip() == expected, made.stderr


def test_processors_are_those_this_process_may_use():
    assert 1 <= threads.processors() <= (os.cpu_count() or 1)
