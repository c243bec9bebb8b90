"""What a network is judged by. Light: flags import it."""

import dataclasses
import importlib.util
from collections.abc import Sequence
from typing import Literal

from sqzkit.base.errors import UsageError

ObjectiveName = Literal["accuracy", "parameters", "sqz_bytes", "latency"]
_CONVERTER = {"tensorflow": "tensorflow", "ai_edge_litert": "ai-edge-litert"}


@dataclasses.dataclass(frozen=True)
class Objective:
    """One measure: its flag's word, its title with the unit, and whether more is better.

    `converted` says whether it is measured on the converted file.
    """

    name: ObjectiveName
    title: str
    maximize: bool
    converted: bool


OBJECTIVES: dict[str, Objective] = {
    objective.name: objective
    for objective in (
        Objective("accuracy", "validation accuracy, %", True, False),
        Objective("parameters", "parameters", False, False),
        Objective("sqz_bytes", ".sqz, bytes", False, True),
        Objective("latency", "latency, ms", False, True),
    )
}


def check(names: Sequence[str]) -> None:
    """Raise `UsageError` unless the `OBJECTIVES` named are one to three different ones.

    Also if one needs a converter or interpreter that is not installed.
    """
    if not 1 <= len(names) <= 3 or len(set(names)) != len(names):
        raise UsageError(f"--objectives {','.join(names)}: give one, two or three different ones")
    for objective in (OBJECTIVES[name] for name in names):
        for module, package in _CONVERTER.items() if objective.converted else ():
            if importlib.util.find_spec(module) is None:
                raise UsageError(
                    f"--objectives {objective.name}: is measured on the converted file, which "
                    f"needs {package}; pip install {package}, or leave {objective.name} out"
                )
