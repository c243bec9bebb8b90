import json

import pytest

from sqzkit.training import cluster


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
    assert cluster.is_chief() is chief


@pytest.mark.parametrize(
    "value",
    [None, "not json", "3", "[]", '{"cluster": 3, "task": 4}', '{"cluster": {"worker": 3}}'],
)
def test_without_a_usable_record_the_process_is_alone(monkeypatch, value):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if value is not None:
        monkeypatch.setenv("TF_CONFIG", value)
    assert cluster.tasks() == {}
    assert cluster.task() == (None, 0)
    assert cluster.is_chief()
