"""One run on one process, on two virtual processors, and on two worker processes."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

PROGRAM = """
import sys
import tensorflow as tf
folder, strategy, devices, changes = sys.argv[1], sys.argv[2], int(sys.argv[3]), eval(sys.argv[4])
if devices > 1:
    logical = [tf.config.LogicalDeviceConfiguration()] * devices
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], logical)
from sqzkit.training import loop
from sqzkit.training.config import TrainingConfig
fields = dict(
    model="tiny", fire_modules=1, pool_after=("conv1",), normalization="none", dropout=0.0,
    train_epochs=2, train_batch_size=64, base_learning_rate=0.01, warmup_epochs=0.0,
)
fields.update(changes)
loop.train(TrainingConfig(folder, distribution_strategy=strategy, **fields))
"""


def start(folder, strategy, devices=1, task=None, **changes):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    environment.pop("TF_CONFIG", None)
    if task:
        environment["TF_CONFIG"] = json.dumps(task)
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), strategy, str(devices), repr(changes)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finish(*processes):
    outputs = [process.communicate(timeout=800)[0] for process in processes]
    for process, output in zip(processes, outputs, strict=True):
        assert process.returncode == 0, output[-3000:]
    return outputs


def losses(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").open()]
    return [(line["loss"], line["validation_loss"]) for line in lines]


def free_ports(count):
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports


def cluster(workers):
    addresses = [f"localhost:{port}" for port in free_ports(workers)]
    return [
        {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        for index in range(workers)
    ]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The losses of one process without a strategy."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    finish(start(folder, "off"))
    return losses(folder)


@pytest.mark.slow
@pytest.mark.parametrize(("strategy", "devices"), [("one_device", 1), ("mirrored", 2)])
def test_other_devices_give_the_same_losses(alone, tmp_path, strategy, devices):
    finish(start(tmp_path / "run", strategy, devices))
    np.testing.assert_allclose(losses(tmp_path / "run"), alone, rtol=1e-5)


@pytest.mark.slow
def test_two_workers_give_the_same_losses_and_one_of_them_writes(alone, tmp_path):
    folder = tmp_path / "run"
    outputs = finish(*(start(folder, "multi_worker_mirrored", task=task) for task in cluster(2)))
    np.testing.assert_allclose(losses(folder), alone, rtol=1e-5)
    assert [output.count("train epoch") for output in outputs] == [2, 0]
    assert not (folder / "checkpoints").exists()


@pytest.mark.slow
def test_workers_agree_with_normalization_and_dropout_and_go_on_after_a_kill(tmp_path):
    folder = tmp_path / "run"
    changes = {"normalization": "batch", "dropout": 0.3, "train_epochs": 3}
    workers = [start(folder, "multi_worker_mirrored", task=task, **changes) for task in cluster(2)]
    for line in workers[0].stdout:
        if "train epoch 1/" in line:
            break
    for worker in reversed(workers):
        worker.kill()
        worker.communicate()
    assert (folder / "checkpoints" / "train.npz").exists()
    outputs = finish(
        *(start(folder, "multi_worker_mirrored", task=task, **changes) for task in cluster(2))
    )
    assert "goes on after epoch" in outputs[0]
    assert len(losses(folder)) == 3
    assert losses(folder)[-1][0] < losses(folder)[0][0]
