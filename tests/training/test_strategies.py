import pytest
import tensorflow as tf

from sqzkit.base.errors import UsageError
from sqzkit.training import strategies


def test_off_is_one_replica_without_a_strategy():
    strategy = strategies.make_strategy("off")
    assert strategy.num_replicas_in_sync == 1
    assert not tf.distribute.has_strategy()


def test_one_device_is_one_replica():
    assert strategies.make_strategy("one_device").num_replicas_in_sync == 1


def test_mirrored_takes_every_local_device():
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    assert strategies.make_strategy("mirrored").num_replicas_in_sync == len(devices)


@pytest.mark.parametrize("value", [None, "{}", "not json", '{"cluster": {"worker": 3}}'])
def test_several_workers_need_a_cluster(monkeypatch, value):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if value is not None:
        monkeypatch.setenv("TF_CONFIG", value)
    with pytest.raises(UsageError, match="needs TF_CONFIG"):
        strategies.make_strategy("multi_worker_mirrored")


def test_no_tpu_is_said_so(monkeypatch):
    monkeypatch.delenv("TPU_NAME", raising=False)
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(UsageError, match="no TPU answers"):
        strategies.make_strategy("tpu")


def test_the_global_batch_is_shared_evenly():
    class Four:
        num_replicas_in_sync = 4

    assert strategies.input_shards(Four(), 32) == 8
    with pytest.raises(UsageError, match="--train_batch_size 30: must be a multiple of the 4"):
        strategies.input_shards(Four(), 30)
