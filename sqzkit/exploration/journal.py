"""The lock of a study's journal: gone with its process, and no half line is left behind it.

Optuna's own locks are files that a killed process leaves: the next one waits
half a minute, or for ever where the study's folder was given by a relative
path (its age is then looked up at the wrong place).
"""

import contextlib
from pathlib import Path

from sqzkit.exploration.objectives import locked


class JournalLock:
    """What `JournalFileBackend` holds while it appends.

    Args:
      journal: the journal file.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._held = contextlib.ExitStack()

    def acquire(self) -> bool:
        """Wait for the lock, then drop what a killed process wrote by halves."""
        held = contextlib.ExitStack()
        held.enter_context(locked(self._journal.with_name("study.lock")))
        with held:
            drop_torn_line(self._journal)
            self._held = held.pop_all()
        return True

    def release(self) -> None:
        """Let go of the lock."""
        self._held.close()


def drop_torn_line(path: Path) -> None:
    """Cut a last line off `path` that does not end: what follows would be lost with it."""
    with open(path, "r+b") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - 1))
        if size and stream.read(1) != b"\n":
            stream.seek(0)
            stream.truncate(stream.read().rfind(b"\n") + 1)
