"""The end of the process while it teaches: nothing is lost but the photograph at work."""

import subprocess
import sys

import pytest

KILLS = 50
# Forks once for each kill, so that NumPy is imported once; without threads of TensorFlow.
TEACHER = """
import os, random, select, signal, sys
import numpy as np
from sqzkit.teaching import head_file
from sqzkit.teaching.head import Head

path, kills, size = sys.argv[1], int(sys.argv[2]), 64

def teach(out):
    head = head_file.read(path) if os.path.exists(path) else Head(bytes(32), size)
    while True:
        number = sum(head.counts)
        features = np.random.default_rng(number).integers(0, 1000, size).astype(np.int16)
        head.add(f"class {number % 3}", features)
        head_file.write(path, head)
        os.write(out, b"%d\\n" % sum(head.counts))

random.seed(0)
before = 0
for _ in range(kills):
    said, out = os.pipe()
    child = os.fork()
    if not child:
        os.close(said)
        teach(out)
    os.close(out)
    lines = os.read(said, 1 << 16)  # after the first answer: a slow machine has written something
    select.select([], [], [], random.random() * 0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while more := os.read(said, 1 << 16):
        lines += more
    os.close(said)
    told = int(lines.splitlines()[-1])
    kept = sum(head_file.read(path).counts)
    assert told <= kept <= told + 1, (told, kept)
    assert kept > before
    before = kept
print(before)
"""


@pytest.mark.slow
def test_fifty_kills_lose_nothing(tmp_path):
    command = [sys.executable, "-c", TEACHER, str(tmp_path / "taught.head"), str(KILLS)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > KILLS
