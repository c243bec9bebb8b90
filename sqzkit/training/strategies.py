"""Where the work runs: `tf.distribute` strategies by flag."""

import contextlib
import os
from collections.abc import Iterator

import tensorflow as tf

from sqzkit.base.errors import RunError, UsageError
from sqzkit.training import cluster, parameter_server


def make_strategy(name: str) -> tf.distribute.Strategy:
    """Return the strategy of `--distribution_strategy`.

    Must be called before TensorFlow has run anything ("multi_worker_mirrored"
    starts its server here, from TF_CONFIG).
    Raises:
      UsageError: what it needs is not there.
    """
    if name == "off":
        return tf.distribute.get_strategy()
    if name == "one_device":
        gpus = tf.config.list_logical_devices("GPU")
        return tf.distribute.OneDeviceStrategy("/gpu:0" if gpus else "/cpu:0")
    if name == "mirrored":
        return tf.distribute.MirroredStrategy(_local_devices())
    if name == "multi_worker_mirrored":
        _require_workers(name)
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name == "tpu":
        return _tpu()
    return parameter_server.make_strategy()


def input_shards(strategy: tf.distribute.Strategy, batch_size: int) -> int:
    """Return the examples of each replica's batch.

    Raises:
      UsageError: the global batch cannot be shared out evenly.
    """
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise UsageError(
            f"--train_batch_size {batch_size}: must be a multiple of the {replicas} replicas "
            "of --distribution_strategy"
        )
    return batch_size // replicas


def barrier(strategy: tf.distribute.Strategy) -> None:
    """Wait until every worker process is here: all see then what the chief wrote before."""
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
            "them again: the run goes on from its last checkpoint"
        ) from error


def _local_devices() -> list[str]:
    """Return the GPUs, or every logical CPU where there is none."""
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    return [device.name for device in tf.config.list_logical_devices(kind)]


def _require_workers(name: str) -> None:
    if not cluster.tasks().get("worker"):
        raise UsageError(
            f"--distribution_strategy={name} needs TF_CONFIG in the environment, as in "
            '\'{"cluster": {"worker": ["host0:2222", "host1:2222"]}, '
            '"task": {"type": "worker", "index": 0}}\''
        )


def _tpu() -> tf.distribute.Strategy:
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
