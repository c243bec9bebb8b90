"""Time whole programs, as their users wait for them."""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.contender import REPOSITORY

Command = Sequence[str]
_LAUNCHER = REPOSITORY / "benchmarks" / "launch.py"


class ProgramError(Exception):
    """A program that was to be timed failed."""


@dataclasses.dataclass(frozen=True)
class Usage:
    """What one run of a program took.

    Attributes:
      seconds: from start to end, as a clock on the wall tells.
      cpu_seconds: of processor time, user and system.
      peak_mib: the most resident memory.
      output: what it printed.
    """

    seconds: float
    cpu_seconds: float
    peak_mib: float
    output: str

    def figures(self) -> dict[str, float]:
        """Return the numbers alone."""
        numbers = dataclasses.asdict(self)
        del numbers["output"]
        return numbers


def run(command: Command, log: Path, codes: Sequence[int] = (0,)) -> Usage:
    """Run a program to its end.

    Args:
      command: the program and its arguments.
      log: file that its standard error is added to.
      codes: exit codes that are no failure.

    Raises:
      ProgramError: it ends with another code.
    """
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "2"}
    with tempfile.TemporaryDirectory() as folder, open(log, "a", encoding="utf-8") as messages:
        usage_file = Path(folder) / "usage.json"
        made = subprocess.run(
            [sys.executable, "-I", "-S", str(_LAUNCHER), str(usage_file), *command],
            stdout=subprocess.PIPE,
            stderr=messages,
            text=True,
            env=environment,
            check=True,
        )
        used = json.loads(usage_file.read_text(encoding="utf-8"))
    code = used.pop("code")
    if code not in codes:
        raise ProgramError(f"{' '.join(command[:4])} ... ended with {code}: see {log}")
    return Usage(**used, output=made.stdout)


def take_turns(
    commands: Mapping[str, Command], rounds: int, log: Path, codes: Sequence[int] = (0,)
) -> dict[str, list[dict[str, float]]]:
    """Run each program once a round, after one round that is not counted.

    The first round fills the page cache and Python's compiled modules.

    Returns:
      the figures by name, in order.
    """
    found: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
    names = list(commands)
    for number in range(-1, rounds):
        first = number % len(names)
        for name in (*names[first:], *names[:first]):
            usage = run(commands[name], log, codes)
            if number >= 0:
                found[name].append(usage.figures())
    return found
