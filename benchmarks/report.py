"""RESULTS.md and its plots, from the figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import plots, tables
from benchmarks.contender import REPOSITORY
from sqzkit.base import files

NOTES = REPOSITORY / "benchmarks" / "notes"
PLOTS = "plots"
_INTRODUCTION = """# sqzkit compared with other programs

Measured by `make benchmark` on one machine; the raw figures are in [results.json](results.json).
Each program runs in a process of its own, and the programs take turns, so that a machine that
slows down slows all of them. A figure is the median of its rounds; the lowest and the highest
round stand in brackets.
"""


def write(results: Mapping[str, Any], folder: Path) -> Path:
    """Write `results.json`, the plots and RESULTS.md; return the last one's path."""
    tasks = results["tasks"]
    drawn = plots.draw_all(tasks)
    for name, svg in drawn.items():
        files.write_text(folder / PLOTS / f"{name}.svg", svg)
    files.write_json(folder / "results.json", results)
    path = folder / "RESULTS.md"
    files.write_text(path, page(results, tuple(drawn)))
    return path


def page(results: Mapping[str, Any], drawn: Sequence[str] = ()) -> str:
    """Return RESULTS.md as text.

    Args:
      results: what `benchmarks.run.collected` gives.
      drawn: names of the sections that have a plot.
    """
    parts = [_INTRODUCTION, machine_lines(results)]
    for section, (title, lines) in tables.SECTIONS.items():
        tasks = {
            name: figures
            for name, figures in results["tasks"].items()
            if name.split("/")[0] == section
        }
        if not tasks:
            continue
        parts.append(f"## {title}\n")
        if section in drawn:
            parts.append(f"![{title}]({PLOTS}/{section}.svg)\n")
        parts.append("\n".join(lines(tasks)) + "\n")
        note = NOTES / f"{section}.md"
        if note.exists():
            parts.append(note.read_text(encoding="utf-8"))
    return "\n".join(parts).rstrip() + "\n"


def machine_lines(results: Mapping[str, Any]) -> str:
    """Return a table of what the figures were measured on."""
    machine = results["machine"]
    kind = "virtual machine" if machine["virtual"] else "machine"
    rows = [
        ("processor", f"{machine['processor']}, {machine['cores']} cores of a {kind}"),
        ("instructions", ", ".join(machine["instructions"]) or "not known"),
        ("memory", f"{machine['memory_gib']} GiB"),
        ("system", f"{machine['system']}, Python {machine['python']}"),
        *((name, _versions(found)) for name, found in results["versions"].items()),
        ("calibrated on", "photographs" if results["photographs"] else "made-up pictures"),
    ]
    return tables.markdown(("", "measured on"), rows)


def _versions(found: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in found.items())
