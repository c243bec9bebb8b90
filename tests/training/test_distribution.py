"""Strategies, the processes of a cluster, and threads; `test_clusters.py` starts real processes."""

import json
import os
import subprocess
import sys

import pytest
import tensorflow as tf

from sqzkit.base.errors import UsageError
from sqzkit.training import distribution


def test_off_is_one_replica_without_a_strategy():
    strategy = distribution.make_strategy("off")
    assert strategy.num_replicas_in_sync == 1
    assert not tf.distribute.has_strategy()


def test_one_device_is_one_replica():
    assert distribution.make_strategy("one_device").num_replicas_in_sync == 1


def test_mirrored_takes_every_local_device():
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    assert distribution.make_strategy("mirrored").num_replicas_in_sync == len(devices)


@pytest.mark.parametrize("value", [None, "{}", "not json", '{"cluster": {"worker": 3}}'])
def test_several_workers_need_a_cluster(monkeypatch, value):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if value is not None:
        monkeypatch.setenv("TF_CONFIG", value)
    with pytest.raises(UsageError, match="needs TF_CONFIG"):
        distribution.make_strategy("multi_worker_mirrored")


def test_no_tpu_is_said_so(monkeypatch):
    monkeypatch.delenv("TPU_NAME", raising=False)
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(UsageError, match="no TPU answers"):
        distribution.make_strategy("tpu")


def test_the_global_batch_is_shared_evenly():
    class Four:
        num_replicas_in_sync = 4

    assert distribution.replica_batch(Four(), 32) == 8
    with pytest.raises(UsageError, match="--train_batch_size 30: must be a multiple of the 4"):
        distribution.replica_batch(Four(), 30)


@pytest.mark.parametrize(
    ("task", "others", "chief"),
    [
        (None, (), True),
        (("worker", 0), (), True),
        (("worker", 1), (), False),
        (("worker", 0), ("chief",), False),
        (("chief", 0), ("chief",), True),
        (("ps", 0), ("chief",), False),
    ],
)
def test_one_process_writes(monkeypatch, task, others, chief):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if task:
        addresses = {"worker": ["a:1", "b:1"], **{kind: ["c:1"] for kind in others}}
        config = {"cluster": addresses, "task": {"type": task[0], "index": task[1]}}
        monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    assert distribution.is_chief() is chief


@pytest.mark.parametrize(
    "value",
    [None, "not json", "3", "[]", '{"cluster": 3, "task": 4}', '{"cluster": {"worker": 3}}'],
)
def test_without_a_usable_record_the_process_is_alone(monkeypatch, value):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if value is not None:
        monkeypatch.setenv("TF_CONFIG", value)
    assert distribution.cluster_tasks() == {}
    assert distribution.cluster_task() == (None, 0)
    assert distribution.is_chief()


CLUSTER = {"chief": ["a:1"], "ps": ["b:1"], "worker": ["c:1", "d:1"]}


def configure(monkeypatch, cluster, kind, index=0):
    record = {"cluster": cluster, "task": {"type": kind, "index": index}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(record))


@pytest.mark.parametrize(
    ("kind", "index", "serves"), [("chief", 0, False), ("ps", 0, True), ("worker", 1, True)]
)
def test_workers_and_parameter_servers_serve(monkeypatch, kind, index, serves):
    configure(monkeypatch, CLUSTER, kind, index)
    assert distribution.serves("parameter_server") is serves
    assert not distribution.serves("multi_worker_mirrored")


@pytest.mark.parametrize("left_out", CLUSTER)
def test_every_kind_of_process_is_needed(monkeypatch, left_out):
    configure(monkeypatch, {k: v for k, v in CLUSTER.items() if k != left_out}, "chief")
    with pytest.raises(UsageError, match="one chief, and a ps and a worker .* as in"):
        distribution.serves("parameter_server")


@pytest.mark.parametrize(("kind", "index"), [("evaluator", 0), ("worker", 2), ("worker", -1)])
def test_a_process_outside_the_cluster_is_refused(monkeypatch, kind, index):
    configure(monkeypatch, CLUSTER, kind, index)
    with pytest.raises(UsageError, match=f"the task {kind} {index} is not in its cluster"):
        distribution.serves("parameter_server")


SHOW = """
import sys
import tensorflow as tf
from sqzkit.training import distribution
distribution.processors = lambda: int(sys.argv[2])
if sys.argv[3] == "late":
    tf.constant(1)
distribution.share_processors(int(sys.argv[1]))
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
    assert 1 <= distribution.processors() <= (os.cpu_count() or 1)
