"""Photographs to work on, a disk to work on it, and what undisturbed programs make of it."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.faults import artefacts, lives, troubled_programs, troubles

CLASSES, PHOTOGRAPHS = 3, 32


@dataclasses.dataclass(frozen=True)
class Quiet:
    """An undisturbed life: the folder before and after, and how it went."""

    start: Path
    end: Path
    outcome: lives.Outcome
    snapshot: dict[str, Any]

    @property
    def growth(self) -> int:
        """Bytes of files that are there only at the end."""
        return _bytes(self.end) - _bytes(self.start)


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="session")
def photographs(tmp_path_factory) -> Path:
    """Classes of noise whose brightness overlaps, so that there are mistakes to show."""
    folder = tmp_path_factory.mktemp("inputs") / "photographs"
    generator = np.random.default_rng(0)
    for label in range(CLASSES):
        (folder / f"class{label}").mkdir(parents=True)
        for number in range(PHOTOGRAPHS):
            level = 100 + 25 * label + generator.integers(-25, 25)
            pixels = generator.integers(level - 50, level + 50, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"class{label}" / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def workplace(tmp_path_factory):
    """The disk on which all programs run, each in the folder `place`: paths never differ."""
    lives.preload()
    disk = troubles.Disk(tmp_path_factory.mktemp("workplace") / "disk")
    yield disk
    disk.close()


@pytest.fixture(scope="session")
def quiet(tmp_path_factory, photographs, workplace):
    """Return the undisturbed life of a program, lived once."""
    known: dict[str, Quiet] = {}
    homes = tmp_path_factory.mktemp("quiet")
    place = workplace.path / "place"

    def get(name: str) -> Quiet:
        if name in known:
            return known[name]
        program = troubled_programs.PROGRAMS[name]
        start, end = homes / f"{name}-start", homes / f"{name}-end"
        start.mkdir()
        if program.starts_from:
            troubles.copy_contents(get(program.starts_from).end, start)
        troubles.copy_contents(start, place)
        outcome = lives.live(lives.Life(program.arguments(photographs), place))
        assert outcome.code == 0, outcome
        artefacts.check(place)
        assert artefacts.unfinished(place) == []
        shutil.copytree(place, end)
        known[name] = Quiet(start, end, outcome, artefacts.snapshot(place))
        return known[name]

    return get


def pytest_terminal_summary(terminalreporter) -> None:
    """Print what was recovered, program by program."""
    reports = terminalreporter.stats.get("passed", [])
    lines = [text for report in reports for key, text in report.user_properties if key == "faults"]
    if lines:
        terminalreporter.section("faults")
        terminalreporter.write_line("\n".join(lines))
