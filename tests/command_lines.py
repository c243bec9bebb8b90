"""Every program's own flags, and the command lines that the pages show."""

import functools
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[1]
PAGES = (
    *(TOP / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG", "SECURITY")),
    *sorted((TOP / "docs").rglob("*.md")),
)
_RUNS = re.compile(r"^PROGRAM = cli\.Program\(", re.MULTILINE)
_COMMAND = re.compile(r"(?:^|[`\s/])(?:python3? (-m [\w.]+|\S+\.py)|sqzkit (\w+))([^\n`|]*)", re.M)

# Runs in a process of its own, to see what a program imports.
_PROBE = """
import importlib, json, sys
from sqzkit.base.errors import UsageError
from sqzkit.programs import flags
name, lines = json.load(sys.stdin)
known = importlib.import_module("sqzkit.programs." + name).PROGRAM.flags()
wrong = {}
for line in lines:
    try:
        flags.parse([name, *line], known)
    except UsageError as error:
        # A page may name a flag without its value.
        if not any(text in str(error) for text in ("must have a value", "Missing value")):
            wrong[" ".join(line)] = str(error)
heavy = sorted({"tensorflow", "tf_keras", "numba", "matplotlib"} & {*sys.modules})
print(json.dumps({"flags": list(known), "wrong": wrong, "heavy": heavy}))
"""


def programs() -> dict[str, Path]:
    """Return every program by what comes after `python`: "train.py", "-m sqzkit.sqz"."""
    found = {}
    for path in sorted((TOP / "sqzkit" / "programs").glob("*.py")):
        if _RUNS.search(path.read_text(encoding="utf-8")):
            found[_entry(path.stem)] = path
    return found


def _entry(name: str) -> str:
    return f"{name}.py" if (TOP / f"{name}.py").exists() else f"-m sqzkit.{name}"


def probe(program: Path, lines: list[list[str]]) -> dict[str, Any]:
    """Return the program's flags, and which argument lists it would refuse."""
    done = subprocess.run(
        [sys.executable, "-c", _PROBE],
        input=json.dumps([program.stem, lines]),
        capture_output=True,
        text=True,
        check=True,
        cwd=TOP,
    )
    return json.loads(done.stdout)


@functools.cache
def own_flags(name: str) -> tuple[str, ...]:
    """Return the names of a program's own flags."""
    return tuple(probe(programs()[name], [])["flags"])


def documented() -> dict[str, list[list[str]]]:
    """Return the arguments of every command line on the pages, by program.

    `sqzkit NAME` counts as the program of that name; elsewhere it is a sentence.
    """
    known = programs()
    found: dict[str, list[list[str]]] = {}
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for match in _COMMAND.finditer(text):
            name = match[1] or _entry(match[2])
            if match[2] and name not in known:
                continue
            line = re.split(r"\s#|\s&&|;", match[3])[0].replace("--help", "")
            found.setdefault(name, []).append(shlex.split(line))
    return found
