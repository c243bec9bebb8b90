import pytest

from sqzkit.base.errors import UsageError
from sqzkit.exploration import objectives


def test_objectives_are_chosen_by_name():
    chosen = objectives.select(["latency", "accuracy", "sqz_bytes"])
    assert [objective.name for objective in chosen] == ["latency", "accuracy", "sqz_bytes"]
    assert [objective.maximize for objective in chosen] == [False, True, False]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "one, two or three"),
        (["accuracy", "accuracy"], "different"),
        (["accuracy", "parameters", "latency", "sqz_bytes"], "one, two or three"),
        (["speed"], "'speed': must be among accuracy, parameters, sqz_bytes, latency"),
    ],
)
def test_other_choices_are_refused(names, message):
    with pytest.raises(UsageError, match=message):
        objectives.select(names)


def test_latency_without_an_interpreter_is_refused(monkeypatch):
    def find_spec(name):
        return None if name == "ai_edge_litert" else "found"

    monkeypatch.setattr(objectives.importlib.util, "find_spec", find_spec)
    with pytest.raises(UsageError, match=r"latency: .* needs ai-edge-litert; pip install"):
        objectives.select(["accuracy", "latency"])
    objectives.select(["accuracy", "parameters"])
