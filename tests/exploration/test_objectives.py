import pytest

from sqzkit.base.errors import UsageError
from sqzkit.exploration import objectives


def test_accuracy_alone_is_to_be_high():
    assert [item.name for item in objectives.OBJECTIVES.values() if item.maximize] == ["accuracy"]


@pytest.mark.parametrize("names", [("latency",), ("parameters", "accuracy", "latency")])
def test_one_to_three_can_be_chosen(names):
    objectives.check(names)


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
    ],
)
def test_other_choices_are_refused(names, message):
    with pytest.raises(UsageError, match=message):
        objectives.check(names)


@pytest.mark.parametrize("objective", ["latency", "sqz_bytes"])
@pytest.mark.parametrize(
    ("module", "package"), [("ai_edge_litert", "ai-edge-litert"), ("tensorflow", "tensorflow")]
)
def test_an_objective_without_what_measures_it_is_refused(monkeypatch, module, package, objective):
    def find_spec(name):
        return None if name == module else "found"

    monkeypatch.setattr(objectives.importlib.util, "find_spec", find_spec)
    with pytest.raises(
        UsageError, match=rf"{objective}: .* needs {package}; pip install {package}"
    ):
        objectives.check(["accuracy", objective])
    objectives.check(["accuracy", "parameters"])
