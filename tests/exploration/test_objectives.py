import pytest

from sqzkit.base.errors import UsageError
from sqzkit.exploration import objectives


def test_objectives_are_chosen_by_name():
    chosen = objectives.select(["latency", "accuracy", "sqz_bytes"])
    assert [objective.name for objective in chosen] == ["latency", "accuracy", "sqz_bytes"]
    assert [objective.maximize for objective in chosen] == [False, True, False]


@pytest.mark.parametrize("names", [("latency",), ("parameters", "accuracy", "latency")])
def test_one_to_three_can_be_chosen(names):
    assert [objective.name for objective in objectives.select(names)] == list(names)


def test_titles_say_the_unit():
    titles = {name: objective.title for name, objective in objectives.OBJECTIVES.items()}
    assert titles == {
        "accuracy": "validation accuracy, %",
        "parameters": "parameters",
        "sqz_bytes": ".sqz, bytes",
        "latency": "latency, ms",
    }


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


@pytest.mark.parametrize(
    ("module", "package"), [("ai_edge_litert", "ai-edge-litert"), ("tensorflow", "tensorflow")]
)
def test_latency_without_what_measures_it_is_refused(monkeypatch, module, package):
    def find_spec(name):
        return None if name == module else "found"

    monkeypatch.setattr(objectives.importlib.util, "find_spec", find_spec)
    with pytest.raises(UsageError, match=rf"latency: .* needs {package}; pip install {package}"):
        objectives.select(["accuracy", "latency"])
    objectives.select(["accuracy", "parameters"])
