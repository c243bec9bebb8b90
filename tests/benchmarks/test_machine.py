import json
import os
import socket
import subprocess
import sys

from benchmarks import machine


def test_the_description_names_no_path_and_no_host():
    found = machine.describe()
    text = json.dumps(found)
    assert found["cores"] == os.cpu_count()
    assert found["memory_gib"] > 0.5
    assert set(found["instructions"]) <= set(machine.INSTRUCTIONS)
    assert socket.gethostname() not in text
    assert os.path.expanduser("~") not in text.replace(found["processor"], "")


def test_versions_of_any_environment(repository):
    command = [sys.executable, "-m", "benchmarks.machine", "numpy", "not-a-package"]
    made = subprocess.run(command, capture_output=True, text=True, check=True, cwd=repository)
    found = json.loads(made.stdout)
    assert list(found) == ["numpy"]
    assert found["numpy"].count(".") == 2
