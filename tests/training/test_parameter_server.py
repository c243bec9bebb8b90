import json

import pytest

from sqzkit.base.errors import UsageError
from sqzkit.training import parameter_server

CLUSTER = {"chief": ["a:1"], "ps": ["b:1"], "worker": ["c:1", "d:1"]}


def configure(monkeypatch, cluster, kind, index=0):
    record = {"cluster": cluster, "task": {"type": kind, "index": index}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(record))


@pytest.mark.parametrize(
    ("kind", "index", "serves"), [("chief", 0, False), ("ps", 0, True), ("worker", 1, True)]
)
def test_workers_and_parameter_servers_serve(monkeypatch, kind, index, serves):
    configure(monkeypatch, CLUSTER, kind, index)
    assert parameter_server.serves("parameter_server") is serves
    assert not parameter_server.serves("multi_worker_mirrored")


@pytest.mark.parametrize("left_out", CLUSTER)
def test_every_kind_of_process_is_needed(monkeypatch, left_out):
    configure(monkeypatch, {k: v for k, v in CLUSTER.items() if k != left_out}, "chief")
    with pytest.raises(UsageError, match="one chief, and a ps and a worker .* as in"):
        parameter_server.serves("parameter_server")


@pytest.mark.parametrize(("kind", "index"), [("evaluator", 0), ("worker", 2), ("worker", -1)])
def test_a_process_outside_the_cluster_is_refused(monkeypatch, kind, index):
    configure(monkeypatch, CLUSTER, kind, index)
    with pytest.raises(UsageError, match=f"the task {kind} {index} is not in its cluster"):
        parameter_server.serves("parameter_server")
