"""Several processes on one study: in a file, and in a real PostgreSQL where one is installed."""

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from optuna.trial import TrialState

from sqzkit.base.errors import RunError
from sqzkit.exploration.study import Study
from tests.exploration import toys

WORKER = [sys.executable, str(Path(__file__).with_name("worker.py"))]
TRIALS = 18  # of a space of 24


class Server:
    """A PostgreSQL of this test's own, on a free port of this machine."""

    def __init__(self, programs, folder):
        self.programs, self.folder = programs, folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgresql://sqzkit@127.0.0.1:{self.port}/postgres"
        self.call("initdb", "-A", "trust", "-U", "sqzkit", "--no-sync")

    def call(self, program, *arguments):
        command = [f"{self.programs}/{program}", "-D", f"{self.folder}/data", *arguments]
        # It refuses to run as root.
        user = {"user": "postgres"} if os.geteuid() == 0 else {}
        subprocess.run(
            command, check=True, cwd=self.folder, stdout=subprocess.DEVNULL, timeout=120, **user
        )

    def start(self):
        options = f"-h 127.0.0.1 -p {self.port} -k {self.folder} -F"
        self.call("pg_ctl", "-w", "-o", options, "-l", f"{self.folder}/log", "start")

    def stop(self):
        self.call("pg_ctl", "-w", "-m", "immediate", "stop")


@pytest.fixture(scope="module")
def server():
    """A running server, or a skipped test."""
    pytest.importorskip("psycopg", reason="needs psycopg to reach a PostgreSQL")
    found = [*glob.glob("/usr/lib/postgresql/*/bin/initdb"), shutil.which("initdb")]
    if not found[0]:
        pytest.skip("needs PostgreSQL's server")
    with tempfile.TemporaryDirectory(prefix="sqzkit") as folder:
        if os.geteuid() == 0:
            os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
        server = Server(Path(found[0]).parent, folder)
        server.start()
        yield server
        server.stop()


@pytest.fixture(params=["file", "postgresql"])
def storage(request):
    """URL of a storage, or None for the file in the study's folder."""
    return None if request.param == "file" else request.getfixturevalue("server").url


def begin(folder, storage, seconds):
    folder.mkdir(exist_ok=True)
    command = [*WORKER, str(folder), storage or "", str(TRIALS), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def opened(folder, storage):
    config = toys.config(folder, storage=storage, trials=TRIALS, study_name=folder.name)
    return Study(config, toys.DATA)


@pytest.mark.slow
def test_processes_share_a_study_and_one_is_killed(storage, tmp_path):
    study = opened(tmp_path, storage)
    workers = [begin(tmp_path, storage, 0.3) for _ in range(2)]
    while not any(trial.state == TrialState.COMPLETE for trial in study.trials()):
        assert workers[0].poll() is None
        time.sleep(0.1)
    os.kill(workers[0].pid, signal.SIGKILL)
    for worker in workers:
        worker.communicate(timeout=300)
    assert workers[1].returncode == 0
    finished = study.finished()
    keys = [trial.user_attrs["key"] for trial in finished]
    assert len(keys) == len(set(keys)) == TRIALS
    # Nothing was trained twice but the network whose process was killed.
    lost = [
        t for t in study.trials() if t.state == TrialState.FAIL and "reason" not in t.user_attrs
    ]
    assert len(lost) <= 1
    assert len(list(tmp_path.glob("(*"))) <= TRIALS + len(lost)


@pytest.mark.slow
def test_a_server_that_goes_away_loses_nothing(server, tmp_path):
    worker = begin(tmp_path, server.url, 0.3)
    study = opened(tmp_path, server.url)
    while len(study.finished()) < 2:
        assert worker.poll() is None
        time.sleep(0.1)
    before = {trial.number for trial in study.finished()}
    server.stop()
    try:
        message = worker.communicate(timeout=120)[1]
        assert worker.returncode == 1
        assert "cannot be reached" in message and "give the same command again" in message
        assert "Traceback" not in message
        with pytest.raises(RunError, match="cannot be reached"):
            study.finished()
    finally:
        server.start()
    again = begin(tmp_path, server.url, 0)
    assert again.wait(timeout=300) == 0
    finished = study.finished()
    assert before <= {trial.number for trial in finished}
    keys = [trial.user_attrs["key"] for trial in finished]
    assert len(keys) == len(set(keys)) == TRIALS
