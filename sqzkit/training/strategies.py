"""Where the work runs: `tf.distribute` strategies by flag."""

import json
import os
from typing import Any

import tensorflow as tf

from sqzkit.errors import UsageError

CHIEFS = ("chief", "master")


def make_strategy(name: str) -> tf.distribute.Strategy:
    """Return the strategy of `--distribution_strategy`.

    Must be called before TensorFlow has run anything ("multi_worker_mirrored"
    starts its server here, from TF_CONFIG).
    Raises:
      UsageError: it cannot keep what a run promises, or what it needs is not there.
    """
    if name == "off":
        return tf.distribute.get_strategy()
    if name == "one_device":
        gpus = tf.config.list_logical_devices("GPU")
        return tf.distribute.OneDeviceStrategy("/gpu:0" if gpus else "/cpu:0")
    if name == "mirrored":
        return tf.distribute.MirroredStrategy(_local_devices())
    if name == "multi_worker_mirrored":
        _require_cluster(name)
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name == "tpu":
        return _tpu()
    raise UsageError(
        f"--distribution_strategy={name}: its updates are asynchronous, so a run could neither be "
        "repeated nor resumed with the same result; use multi_worker_mirrored"
    )


def is_chief() -> bool:
    """Return whether this process is the one that writes the run folder."""
    kind, index = _task()
    return kind is None or kind in CHIEFS or (kind == "worker" and index == 0 and not _has_chief())


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


def _local_devices() -> list[str]:
    """Return the GPUs, or every logical CPU where there is none."""
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    return [device.name for device in tf.config.list_logical_devices(kind)]


def _require_cluster(name: str) -> None:
    try:
        tasks = json.loads(os.environ["TF_CONFIG"])["cluster"]["worker"]
        assert isinstance(tasks, list)
    except (KeyError, ValueError, TypeError, AssertionError):
        raise UsageError(
            f"--distribution_strategy={name} needs TF_CONFIG in the environment, as in "
            '\'{"cluster": {"worker": ["host0:2222", "host1:2222"]}, '
            '"task": {"type": "worker", "index": 0}}\''
        ) from None


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


def _task() -> tuple[str | None, int]:
    task: dict[str, Any] = _tf_config().get("task", {})
    return task.get("type"), int(task.get("index", 0))


def _has_chief() -> bool:
    return any(kind in CHIEFS for kind in _tf_config().get("cluster", {}))


def _tf_config() -> dict[str, Any]:
    try:
        return json.loads(os.environ.get("TF_CONFIG", "{}"))
    except ValueError:
        return {}
