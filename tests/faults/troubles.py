"""What may befall a program at work: signals, a full disk, a read-only one, vanished data."""

import dataclasses
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

from sqzkit.programs import cli
from tests.faults.lives import Life, Outcome, Running, live

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
DISK_BYTES = 64 << 20
# `convert` begins again; all others resume.
INTERRUPTED = [f"interrupted; {text}\n" for text in (cli.RESUMES, cli.BEGINS_ANEW)]


class Disk:
    """A small disk of its own, where the system lets us mount one; else a plain folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(path)]
        self.mounted = os.geteuid() == 0 and _succeeds(mount)

    def close(self) -> None:
        """Unmount it."""
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.path)], check=True)

    def fill(self, left: int) -> None:
        """Leave so many bytes."""
        status = os.statvfs(self.path)
        with open(self.path / "ballast", "wb") as ballast:
            os.posix_fallocate(
                ballast.fileno(), 0, max(1, status.f_bavail * status.f_frsize - left)
            )

    def drain(self) -> None:
        """Undo `fill`."""
        (self.path / "ballast").unlink(missing_ok=True)

    def freeze(self, running: Running) -> None:
        """Let nothing more be written."""
        if not self.mounted:
            for folder in _folders(self.path):
                folder.chmod(0o555)
            return
        # Refused while a file is open for writing.
        while not _succeeds(["mount", "-o", "remount,ro", str(self.path)]):
            if running.ended():
                return
            time.sleep(0.001)

    def thaw(self) -> None:
        """Undo `freeze`."""
        if self.mounted:
            subprocess.run(["mount", "-o", "remount,rw", str(self.path)], check=True)
            return
        for folder in _folders(self.path):
            folder.chmod(0o755)


@dataclasses.dataclass(frozen=True)
class Setting:
    """Where and on what a program works, and how it is when nothing disturbs it.

    Attributes:
      disk: the folder is on it.
      data: the photographs.
      seconds, changes, bytes: of an undisturbed life: how long, how many changes
        of files, how much is written.
    """

    disk: Disk
    data: Path
    seconds: float
    changes: int
    bytes: int


class Trouble:
    """Something that happens in one life."""

    def befall(self, life: Life, setting: Setting) -> Outcome:
        """Live that life, and check how it ended; code 0 means that it was not struck."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Kill(Trouble):
    """A signal, at a share of the run's time or of its changes of files (0..1)."""

    number: int
    share: float
    at_a_change: bool
    shell: bool

    def befall(self, life: Life, setting: Setting) -> Outcome:
        """Kill the process; only SIGKILL may end it without a word."""
        if self.at_a_change and not self.shell:
            nth = 1 + int(self.share * setting.changes)
            outcome = live(dataclasses.replace(life, signal_at=(self.number, nth)))
        else:
            outcome = live(
                dataclasses.replace(life, shell=self.shell),
                lambda running: self._strike(running, self.share * setting.seconds),
            )
        if outcome.code == 0:
            return outcome
        if self.number == signal.SIGKILL:
            assert outcome.code == -signal.SIGKILL, outcome
        else:
            begins_anew = life.arguments[0].endswith("convert.py")
            # Packing takes a second: the program promises nothing.
            packs = "sqzkit.sqz" in life.arguments
            said = "interrupted\n" if packs else INTERRUPTED[begins_anew]
            assert (outcome.code, outcome.err) == (130, said), outcome
        return outcome

    def _strike(self, running: Running, seconds: float) -> None:
        if self.number != signal.SIGKILL:
            running.wait_for_handlers()
        running.sleep(seconds)
        if not running.ended():
            running.strike(self.number)


@dataclasses.dataclass(frozen=True)
class FullDisk(Trouble):
    """A disk with room for only a share of what is to be written."""

    share: float

    def befall(self, life: Life, setting: Setting) -> Outcome:
        """Run into the full disk."""
        room = int(self.share * setting.bytes)
        if not setting.disk.mounted:
            return _failed(live(dataclasses.replace(life, file_limit=room)))
        setting.disk.fill(room)
        try:
            return _failed(live(life))
        finally:
            setting.disk.drain()


@dataclasses.dataclass(frozen=True)
class ReadOnly(Trouble):
    """A disk that becomes read-only after a share of the run's time."""

    share: float

    def befall(self, life: Life, setting: Setting) -> Outcome:
        """Run into the read-only disk."""

        def freeze(running: Running) -> None:
            running.sleep(self.share * setting.seconds)
            setting.disk.freeze(running)

        try:
            return _failed(live(life, freeze))
        finally:
            setting.disk.thaw()


@dataclasses.dataclass(frozen=True)
class DataGone(Trouble):
    """Photographs that vanish after a share of the run's time, for the rest of this life."""

    share: float

    def befall(self, life: Life, setting: Setting) -> Outcome:
        """Run without them; what has been read already may suffice."""
        aside = setting.data.with_name("aside")

        def remove(running: Running) -> None:
            running.sleep(self.share * setting.seconds)
            setting.data.rename(aside)

        try:
            return _failed(live(life, remove))
        finally:
            aside.rename(setting.data)


def draw(generator: random.Random, kills: int, others: int, with_data: bool) -> list[Trouble]:
    """Return so many kills and so many of each other trouble (0: one of any), in random order.

    Half of the kills are at a random time, half before a random change of a file;
    one in eight strikes a process that was started by a shell.
    """
    troubles: list[Trouble] = []
    first = generator.randrange(len(SIGNALS))
    for number in range(kills):
        sent = SIGNALS[(first + number) % len(SIGNALS)]
        share, at_a_change = generator.random(), generator.random() < 0.5
        troubles.append(Kill(sent, share, at_a_change, shell=number % 8 == 7))
    kinds = [FullDisk, ReadOnly, *([DataGone] if with_data else [])]
    for kind in kinds * others or [generator.choice(kinds)]:
        troubles.append(kind(generator.random()))
    generator.shuffle(troubles)
    return troubles


def copy_contents(source: Path, target: Path) -> None:
    """Make `target` a copy of `source`, whatever was there."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


def _failed(outcome: Outcome) -> Outcome:
    """Check that a program that gave up said why in few words."""
    if outcome.code != 0:
        assert outcome.code in (1, 2), outcome
        lines = [line for line in outcome.err.splitlines() if not line.startswith("left out ")]
        assert lines[0].startswith("error: "), outcome
        assert len(lines) <= 12, outcome  # of many photographs ten are named
    return outcome


def _folders(path: Path) -> list[Path]:
    return [path, *(folder for folder in path.rglob("*") if folder.is_dir())]


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
