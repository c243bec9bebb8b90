"""Programs that are killed and hindered again and again end as if nothing had happened.

`SQZKIT_KILLS=50 pytest tests/faults` kills each program fifty times; without the
variable, once. `SQZKIT_FAULTS_SEED` draws other moments.
"""

import dataclasses
import logging
import os
import random
import re
import time

import pytest

from sqzkit.programs.cli import INTERRUPTED
from tests import thorough
from tests.faults import artefacts, troubles
from tests.faults.lives import Life, live
from tests.faults.troubled_programs import PROGRAMS

KILLS = int(os.environ.get("SQZKIT_KILLS", "1"))
SEED = os.environ.get("SQZKIT_FAULTS_SEED", "1")
LOG = logging.getLogger("faults")  # --log-file=FILE --log-file-level=INFO shows each life
# All stages of a training are one loop; convert starts from the clusters.
USUAL = ("train", "cluster", "convert", "pack", "explore", "evolve")
EPOCH = re.compile(r"^\w+ epoch +\d+/", re.MULTILINE)
# Two seconds on a quiet machine; here other tests may hold the processors.
LONGEST_INTERRUPT = float(os.environ.get("SQZKIT_INTERRUPT_SECONDS", "10"))


class Run:
    """One run of a program through all its lives, until it is finished."""

    def __init__(self, program, quiet, setting):
        self.program, self.quiet, self.setting = program, quiet, setting
        self.place = setting.disk.path / "place"
        self.life = Life(program.arguments(setting.data), self.place)
        self.begin()

    def begin(self):
        """Begin a new run in a fresh folder."""
        troubles.copy_contents(self.quiet.start, self.place)
        self.epochs, self.history = 0, []

    def suffer(self, trouble):
        """Live one life in which something happens; return whether it did."""
        outcome = trouble.befall(self.life, self.setting)
        self.note(trouble, outcome)
        artefacts.check(self.place)
        if outcome.code == 0:
            self.compare()
            self.begin()
        return outcome

    def finish(self):
        """Live the last life, undisturbed, and compare."""
        outcome = live(self.life)
        self.note("nothing", outcome)
        assert outcome.code == 0, outcome
        self.compare()

    def note(self, trouble, outcome):
        self.history.append((trouble, outcome.code))
        LOG.info("%s %s: %d, %.1f s", self.program.name, trouble, outcome.code, outcome.seconds)
        self.epochs += len(EPOCH.findall(outcome.out))
        # An epoch is printed when it is stored: one that is printed twice was lost.
        assert self.epochs <= len(EPOCH.findall(self.quiet.outcome.out)), self.history

    def compare(self):
        found = artefacts.snapshot(self.place)
        assert found.keys() == self.quiet.snapshot.keys()
        for name, content in self.quiet.snapshot.items():
            assert found[name] == content, name
        assert artefacts.unfinished(self.place) == []


@pytest.mark.slow
@pytest.mark.timeout(0 if KILLS > 1 else 900)
@pytest.mark.parametrize("name", thorough.pick(USUAL, PROGRAMS))
def test_it_ends_as_if_nothing_had_happened(name, quiet, workplace, photographs, record_property):
    program, undisturbed = PROGRAMS[name], quiet(name)
    outcome = undisturbed.outcome
    setting = troubles.Setting(
        workplace, photographs, outcome.seconds, outcome.changes, undisturbed.growth
    )
    generator = random.Random(f"{SEED} {name}")
    queue = troubles.draw(generator, KILLS, KILLS // 10, program.needs_data)
    run, struck, interrupts = Run(program, undisturbed, setting), [], [0.0]
    started = time.monotonic()
    for trouble in queue:
        try:
            outcome = run.suffer(trouble)
            while outcome.code == 0 and isinstance(trouble, troubles.Kill):
                # Over before its moment came: at another one.
                outcome = run.suffer(dataclasses.replace(trouble, share=generator.random()))
        except AssertionError as error:
            raise AssertionError(f"{trouble} after {run.history}: {error}") from error
        struck += [type(trouble).__name__] * (outcome.code != 0)
        if outcome.code == INTERRUPTED:
            interrupts.append(outcome.lingered)
    run.finish()
    assert struck.count("Kill") == KILLS
    assert max(interrupts) < LONGEST_INTERRUPT
    counted = ", ".join(f"{struck.count(kind)} {kind}" for kind in sorted(set(struck)))
    record_property(
        "faults",
        f"{name:9} {counted}: all recovered; longest interrupt {max(interrupts):.2f} s; "
        f"{time.monotonic() - started:.0f} s in all",
    )
