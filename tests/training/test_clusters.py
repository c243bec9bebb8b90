"""One run on one process, on virtual processors, and on several worker processes."""

import json
import os
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest

from tests import thorough

PROGRAM = """
import sys
import tensorflow as tf
devices, arguments = int(sys.argv[1]), sys.argv[2:]
if devices > 1:
    logical = [tf.config.LogicalDeviceConfiguration()] * devices
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], logical)
import runpy
# The chief's table of sizes takes a minute and has tests of its own.
from sqzkit.conversion import stage_summary
stage_summary.summarize = lambda *_: ()
sys.argv = ["train.py", *arguments]
runpy.run_path("train.py", run_name="__main__")
"""
SMALL = {
    "model": "tiny",
    "fire_modules": 1,
    "pool_after": "conv1",
    "normalization": "none",
    "dropout": 0.0,
    "train_epochs": 2,
    "train_batch_size": 64,
    "base_learning_rate": 0.01,
    "warmup_epochs": 0.0,
    "mode": "train",
}


@pytest.fixture
def start(repository):
    """Start train.py as one process of a cluster; whatever is left at the end is killed."""
    running = []

    def launch(folder, strategy, devices=1, task=None, **changes):
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
        environment.pop("TF_CONFIG", None)
        if task:
            environment["TF_CONFIG"] = json.dumps(task)
        flags = {**SMALL, "model_dir": folder, "distribution_strategy": strategy, **changes}
        call = [sys.executable, "-c", PROGRAM, str(devices)]
        process = subprocess.Popen(
            [*call, *(f"--{name}={value}" for name, value in flags.items())],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            cwd=repository,
        )  # fmt: skip
        running.append(process)
        return process

    yield launch
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def finish(*processes):
    outputs = [process.communicate(timeout=800)[0] for process in processes]
    for process, output in zip(processes, outputs, strict=True):
        assert process.returncode == 0, output[-3000:]
    return outputs


def wait_for(process, text):
    """Read the output of a process up to `text` and return it."""
    output = ""
    for line in process.stdout:
        output += line
        if text in line:
            return output
    raise AssertionError(f"{text!r} never came:\n{output[-3000:]}")


def losses(folder, stage="train"):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").open()]
    return [(line["loss"], line["validation_loss"]) for line in lines if line["stage"] == stage]


def stages(folder):
    return [entry["stage"] for entry in json.loads((folder / "stages.json").read_text())]


def free_ports(count):
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports


def cluster(**counts):
    """Return TF_CONFIG for each process of a cluster, as in cluster(chief=1, worker=2)."""
    ports = iter(free_ports(sum(counts.values())))
    tasks = {
        kind: [f"localhost:{next(ports)}" for _ in range(count)] for kind, count in counts.items()
    }
    return [
        {"cluster": tasks, "task": {"type": kind, "index": index}}
        for kind, count in counts.items()
        for index in range(count)
    ]


@pytest.fixture(scope="module")
def alone(tmp_path_factory, repository):
    """The losses of one process without a strategy."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    flags = [f"--{name}={value}" for name, value in {**SMALL, "model_dir": folder}.items()]
    subprocess.run(
        [sys.executable, "train.py", *flags], check=True, cwd=repository, stdout=subprocess.DEVNULL
    )
    return losses(folder)


@pytest.mark.slow
@pytest.mark.parametrize(("strategy", "devices"), [("one_device", 1), ("mirrored", 2)])
def test_other_devices_give_the_same_losses(start, alone, tmp_path, strategy, devices):
    finish(start(tmp_path / "run", strategy, devices))
    np.testing.assert_allclose(losses(tmp_path / "run"), alone, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("workers", thorough.pick([2], [2, 4]))
def test_workers_give_the_same_losses_and_one_of_them_writes(start, alone, tmp_path, workers):
    folder = tmp_path / "run"
    tasks = cluster(worker=workers)
    outputs = finish(*(start(folder, "multi_worker_mirrored", task=task) for task in tasks))
    np.testing.assert_allclose(losses(folder), alone, rtol=1e-5)
    assert [output.count("train epoch") for output in outputs] == [2] + [0] * (workers - 1)
    assert stages(folder) == ["train"]
    assert not (folder / "checkpoints").exists()


@pytest.mark.slow
@pytest.mark.skipif(not thorough.THOROUGH, reason="SQZKIT_THOROUGH=1 kills these, too")
def test_after_a_worker_was_killed_all_go_on_from_the_last_checkpoint(start, tmp_path):
    folder = tmp_path / "run"
    changes = {"normalization": "batch", "dropout": 0.3}

    def workers():
        return [start(folder, "multi_worker_mirrored", task=task, **changes)
                for task in cluster(worker=2)]  # fmt: skip

    chief, worker = workers()
    wait_for(chief, "train epoch 1/")
    worker.kill()
    rest = chief.communicate(timeout=300)[0]
    assert chief.returncode == 1, rest[-3000:]
    assert "error: another process of the cluster is gone" in rest
    assert "Traceback" not in rest
    assert (folder / "checkpoints" / "train.npz").exists()
    outputs = finish(*workers())
    assert "train: resumes after epoch 1" in outputs[0]
    assert len(losses(folder)) == 2
    assert losses(folder)[1][0] < losses(folder)[0][0]


STAGES = {
    "stages": thorough.pick("train,prune,quantize", "train,prune,cluster,quantize"),
    "train_epochs": 1,
    "prune_epochs": 1,
    "cluster_epochs": 1,
    "quantize_epochs": 1,
}


@pytest.mark.slow
def test_two_workers_compress_as_one_process_does(start, tmp_path):
    finish(start(tmp_path / "alone", "off", **STAGES))
    folder = tmp_path / "together"
    finish(
        *(start(folder, "multi_worker_mirrored", task=task, **STAGES) for task in cluster(worker=2))
    )
    assert stages(folder) == STAGES["stages"].split(",")
    for stage in stages(folder):
        # The ranges of quantize are those of each worker's own images.
        np.testing.assert_allclose(
            losses(folder, stage), losses(tmp_path / "alone", stage), rtol=1e-4, err_msg=stage
        )


@pytest.mark.slow
def test_parameter_servers_lose_a_worker_and_the_chief_and_go_on(start, tmp_path):
    folder = tmp_path / "run"
    changes = {"train_epochs": 3, "normalization": "batch", "dropout": 0.2, "train_batch_size": 32}
    chief_task, *server_tasks = cluster(chief=1, ps=1, worker=2)

    def launch(task):
        return start(folder, "parameter_server", task=task, **changes)

    servers = [launch(task) for task in server_tasks]
    chief = launch(chief_task)
    wait_for(chief, "train epoch 1/")
    servers[-1].kill()
    wait_for(chief, "train epoch 2/")
    chief.kill()
    chief.communicate()
    # A worker that is started again takes part again; so does the chief.
    servers[-1] = launch(server_tasks[-1])
    (output,) = finish(launch(chief_task))
    assert "train: resumes after epoch 2" in output
    found = losses(folder)
    assert len(found) == 3
    assert found[2][0] < found[0][0]
    assert stages(folder) == ["train"]
    for server in servers:
        assert server.poll() is None  # serves until it is stopped
        server.send_signal(signal.SIGINT)
        assert "waits for the chief" in server.communicate(timeout=10)[0]
        assert server.returncode == 130
