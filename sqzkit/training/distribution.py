"""Where a run computes: threads, devices, and the processes of a cluster.

`tf.distribute` does the work; TF_CONFIG, the environment variable that TensorFlow and
Kubernetes use, says which process this is. With "parameter_server", servers hold the
variables, workers compute, and the chief reads the data and sends each batch to a free
worker; the batch of a worker that dies goes to another. Gradients are applied as they
arrive, from variables that may be a few steps old, so two such runs give different weights,
and so does a resumed one. Checkpoints are taken between epochs, when no step runs.
"""

import contextlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from sqzkit.base.errors import RunError, UsageError

CHIEFS = ("chief", "master")
SERVERS = ("worker", "ps")
MAX_SMALL = 64  # pixels: sharing processors was faster up to 64, slower from 96 (docs/training.md)
THREAD_VARIABLES = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
_PARAMETER_SERVER = "parameter_server"
_PARAMETER_SERVER_EXAMPLE = (
    '\'{"cluster": {"chief": ["host0:2222"], "ps": ["host1:2222"], "worker": ["host2:2222", '
    '"host3:2222"]}, "task": {"type": "chief", "index": 0}}\''
)


def make_strategy(name: str) -> tf.distribute.Strategy:
    """Return the strategy of `--distribution_strategy`.

    Must be called before TensorFlow has run anything: "multi_worker_mirrored" starts its
    server here, from TF_CONFIG, and "parameter_server" waits for every server to answer.

    Raises:
      UsageError: what it needs is missing.
    """
    if name == "off":
        return tf.distribute.get_strategy()
    if name == "one_device":
        gpus = tf.config.list_logical_devices("GPU")
        return tf.distribute.OneDeviceStrategy("/gpu:0" if gpus else "/cpu:0")
    if name == "mirrored":
        kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
        devices = tf.config.list_logical_devices(kind)
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    if name == "multi_worker_mirrored":
        if not cluster_tasks().get("worker"):
            raise UsageError(
                f"--distribution_strategy={name} needs TF_CONFIG in the environment, as in "
                '\'{"cluster": {"worker": ["host0:2222", "host1:2222"]}, '
                '"task": {"type": "worker", "index": 0}}\''
            )
        return tf.distribute.MultiWorkerMirroredStrategy()
    return _tpu_strategy() if name == "tpu" else _parameter_server_strategy()


def _tpu_strategy() -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(os.environ.get("TPU_NAME", ""))
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, tf.errors.OpError) as error:
        raise UsageError(
            "--distribution_strategy=tpu: no TPU answers; run on a TPU machine or name one in "
            f"TPU_NAME ({str(error).splitlines()[0]})"
        ) from None
    return tf.distribute.TPUStrategy(resolver)


def _parameter_server_strategy() -> tf.distribute.ParameterServerStrategy:
    kind, _ = _parameter_server_task()
    assert kind not in SERVERS, "a server does not lead: see `serves`"
    spec = tf.train.ClusterSpec(cluster_tasks())
    _fail_fast()
    counts = ", ".join(f"{spec.num_tasks(job)} {job}" for job in SERVERS)
    print(f"waiting for {counts}", flush=True)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        spec, task_type=kind, task_id=0, rpc_layer="grpc"
    )
    return tf.distribute.ParameterServerStrategy(resolver)


def serves(strategy: str) -> bool:
    """Return whether this process is one that a parameter-server chief sends work to.

    Raises:
      UsageError: TF_CONFIG does not describe such a cluster.
    """
    return strategy == _PARAMETER_SERVER and _parameter_server_task()[0] in SERVERS


def serve() -> None:
    """Do the chief's work until this process is stopped.

    Raises:
      UsageError: TF_CONFIG's address cannot be listened at.
    """
    kind, index = _parameter_server_task()
    spec = tf.train.ClusterSpec(cluster_tasks())
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


def replica_batch(strategy: tf.distribute.Strategy, batch_size: int) -> int:
    """Return how many examples of a global batch each replica gets.

    Raises:
      UsageError: the batch cannot be divided evenly.
    """
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise UsageError(
            f"--train_batch_size {batch_size}: must be a multiple of the {replicas} replicas "
            "of --distribution_strategy"
        )
    return int(batch_size // replicas)


def barrier(strategy: tf.distribute.Strategy) -> None:
    """Wait for every worker process; afterwards all see what the chief wrote before."""
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        with lost_processes():
            one = strategy.run(lambda: tf.constant(1.0))
            strategy.reduce(tf.distribute.ReduceOp.SUM, one, axis=None)


@contextlib.contextmanager
def lost_processes() -> Iterator[None]:
    """Raise `RunError` where TensorFlow finds that another process is gone."""
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
        raise RunError(
            f"another process of the cluster is gone ({str(error).splitlines()[0]}); start all of "
            "them again: the run resumes from its last checkpoint"
        ) from error


def cluster_tasks() -> dict[str, list[str]]:
    """Return TF_CONFIG's addresses by kind of process; empty unless it names them."""
    found = _tf_config().get("cluster")
    if not isinstance(found, dict):
        return {}
    return {
        str(kind): addresses
        for kind, addresses in found.items()
        if isinstance(addresses, list) and all(isinstance(a, str) for a in addresses)
    }


def cluster_task() -> tuple[str | None, int]:
    """Return kind and index of this process; (None, 0) where it is alone."""
    found = _tf_config().get("task")
    if not isinstance(found, dict):
        return None, 0
    index = found.get("index", 0)
    return found.get("type"), index if isinstance(index, int) else 0


def is_chief() -> bool:
    """Return whether this process is the one that writes the run folder."""
    kind, index = cluster_task()
    led = any(name in CHIEFS for name in cluster_tasks())
    return kind is None or kind in CHIEFS or (kind == "worker" and index == 0 and not led)


def share_processors(image_size: int) -> None:
    """Run two operations at once on two processors, each on one, where that is faster.

    It is faster for small images (`image_size` pixels): an operation ends sooner than its halves
    can be handed out, and the gradients of a layer's kernel and of its input need not wait for
    each other. Elsewhere TensorFlow's own choice stays, and also where the environment names one,
    where a GPU does the work, or where TensorFlow has run something already.
    """
    named = any(name in os.environ for name in THREAD_VARIABLES)
    if image_size > MAX_SMALL or processors() != 2 or named:
        return
    if tf.config.list_physical_devices("GPU"):
        return
    # Too late in a process that has computed already, which is only slower.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(2)


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _parameter_server_task() -> tuple[str, int]:
    """Return kind and index of this process in a cluster of parameter servers."""
    tasks = cluster_tasks()
    kind, index = cluster_task()
    if len(tasks.get("chief", ())) != 1 or not all(tasks.get(job) for job in SERVERS):
        raise UsageError(
            f"--distribution_strategy={_PARAMETER_SERVER} needs one chief, and a ps and a worker "
            f"or more of each, in TF_CONFIG, as in {_PARAMETER_SERVER_EXAMPLE}"
        )
    if kind not in tasks or not 0 <= index < len(tasks[kind]):
        raise UsageError(f"TF_CONFIG: the task {kind} {index} is not in its cluster")
    return kind, index


def _fail_fast() -> None:
    # TensorFlow's advice: calls to a process that is gone then fail instead of waiting for ever.
    os.environ.setdefault("GRPC_FAIL_FAST", "use_caller")


def _tf_config() -> dict[str, Any]:
    try:
        found = json.loads(os.environ.get("TF_CONFIG", "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
