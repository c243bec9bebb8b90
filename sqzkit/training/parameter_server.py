"""Asynchronous training: parameter servers hold the variables, workers compute, the chief leads.

The chief (`tf.distribute.coordinator.ClusterCoordinator`) reads the data and
sends each batch to whichever worker is free; a worker that dies has its batch
done by another. Gradients are applied as they come, computed from variables
that may be a few steps old: the same run twice gives other weights, and a
resumed run others than an undisturbed one. Checkpoints are taken between
epochs, when no step is under way.
"""

import os
import sys
import threading

import tensorflow as tf

from sqzkit.base.errors import UsageError
from sqzkit.training import cluster

NAME = "parameter_server"
SERVERS = ("worker", "ps")
_EXAMPLE = (
    '\'{"cluster": {"chief": ["host0:2222"], "ps": ["host1:2222"], "worker": ["host2:2222", '
    '"host3:2222"]}, "task": {"type": "chief", "index": 0}}\''
)


def serves(strategy: str) -> bool:
    """Return whether this process is one that the chief sends work to.

    Raises:
      UsageError: TF_CONFIG does not describe such a cluster.
    """
    return strategy == NAME and _task()[0] in SERVERS


def serve() -> None:
    """Do the chief's work until this process is stopped.

    Raises:
      UsageError: the address of TF_CONFIG cannot be listened at.
    """
    kind, index = _task()
    spec = tf.train.ClusterSpec(cluster.tasks())
    _fail_fast()
    address = spec.task_address(kind, index)
    # On few cores TensorFlow takes too few threads: calls of all workers would wait for each other.
    threads = max(os.cpu_count() or 1, spec.num_tasks("worker") + 1)
    config = tf.compat.v1.ConfigProto(inter_op_parallelism_threads=threads)
    try:
        server = tf.distribute.Server(spec, kind, index, protocol="grpc", config=config)
    except tf.errors.OpError as error:
        raise UsageError(f"TF_CONFIG: {kind} {index} cannot listen at {address}: {error}") from None
    print(f"{kind} {index} at {address}: waits for the chief; stop it (Ctrl-C) after the run")
    sys.stdout.flush()
    threading.Event().wait()
    del server


def make_strategy() -> tf.distribute.ParameterServerStrategy:
    """Return the chief's strategy; waits until every server of the cluster answers."""
    kind, _ = _task()
    assert kind not in SERVERS, "a server leads nothing: see `serves`"
    spec = tf.train.ClusterSpec(cluster.tasks())
    _fail_fast()
    counts = ", ".join(f"{spec.num_tasks(job)} {job}" for job in SERVERS)
    print(f"waiting for {counts}", flush=True)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        spec, task_type=kind, task_id=0, rpc_layer="grpc"
    )
    return tf.distribute.ParameterServerStrategy(resolver)


def _task() -> tuple[str, int]:
    """Return kind and index of this process in the cluster."""
    tasks = cluster.tasks()
    kind, index = cluster.task()
    if len(tasks.get("chief", ())) != 1 or not all(tasks.get(job) for job in SERVERS):
        raise UsageError(
            f"--distribution_strategy={NAME} needs one chief, and a ps and a worker or more of "
            f"each, in TF_CONFIG, as in {_EXAMPLE}"
        )
    if kind not in tasks or not 0 <= index < len(tasks[kind]):
        raise UsageError(f"TF_CONFIG: the task {kind} {index} is not in its cluster")
    return kind, index


def _fail_fast() -> None:
    # A call to a process that is gone is to fail, not to wait for ever (TensorFlow's own advice).
    os.environ.setdefault("GRPC_FAIL_FAST", "use_caller")
