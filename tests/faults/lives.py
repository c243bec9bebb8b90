"""One life of a program: a process from its start to its end, or until it is killed.

Most processes are forked from one that has imported the libraries but not begun to
use them (TensorFlow takes seconds to import); some are started as a shell does.
"""

import contextlib
import dataclasses
import multiprocessing
import os
import resource
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest

LIBRARIES = (
    *("tensorflow", "tf_keras", "tensorflow_model_optimization", "optuna", "numba", "h5py"),
    *("matplotlib.figure", "jinja2", "PIL.Image", "ai_edge_litert.interpreter", "sklearn"),
)
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir")
PATIENCE = 3600.0  # where it runs on what others leave of the processors


@dataclasses.dataclass(frozen=True)
class Life:
    """What is to be lived.

    Attributes:
      arguments: the command line after `python`.
      folder: where it runs.
      shell: whether to start it as a shell does, import of the libraries included.
      signal_at: (signal, n): the process sends itself the signal before its nth change
        of a file.
      file_limit: bytes that no file may exceed, or None.
    """

    arguments: list[str]
    folder: Path
    shell: bool = False
    signal_at: tuple[int, int] | None = None
    file_limit: int | None = None


@dataclasses.dataclass
class Outcome:
    """How it ended.

    Attributes:
      code: exit code, or minus the signal.
      out, err: what was printed.
      changes: changes of files that it made or began.
      seconds: from its start to its end.
      lingered: seconds from the signal to the end; 0 if none was sent.
    """

    code: int
    out: str
    err: str
    changes: int
    seconds: float
    lingered: float


def preload() -> None:
    """Start the server of forked lives: it imports the libraries, silently."""
    forkserver.set_forkserver_preload(list(LIBRARIES))
    with pytest.MonkeyPatch.context() as patch:
        # What absl's start calls of a TensorFlow that is there already complains of a missing GPU.
        patch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
        forkserver.ensure_running()


def live(life: Life, trouble: Callable[["Running"], None] | None = None) -> Outcome:
    """Run a program to its end.

    Args:
      life: what to run.
      trouble: called when it has started; waits and does something to it.
    """
    notes = life.folder.parent.parent / "notes"
    notes.mkdir(exist_ok=True)
    running = _start(life, notes)
    try:
        if trouble is not None:
            trouble(running)
        code = running.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):  # what it left behind, such as a measurement
            os.killpg(running.pid, signal.SIGKILL)
    ended = time.monotonic()
    # Its clock is ours: that of the machine.
    struck = running.struck or float((notes / "struck").read_text() or ended)
    return Outcome(
        code=code,
        out=(notes / "out").read_text(errors="replace"),
        err=(notes / "err").read_text(errors="replace"),
        changes=len((notes / "changes").read_bytes()),
        seconds=ended - running.started,
        lingered=ended - struck,
    )


@dataclasses.dataclass
class Running:
    """A process at work."""

    process: Any
    started: float = dataclasses.field(default_factory=time.monotonic)
    struck: float | None = None

    @property
    def pid(self) -> int:
        return self.process.pid

    def ended(self) -> bool:
        """Return whether it has ended."""
        if isinstance(self.process, subprocess.Popen):
            return self.process.poll() is not None
        return self.process.exitcode is not None

    def wait(self) -> int:
        """Return the exit code."""
        if isinstance(self.process, subprocess.Popen):
            return self.process.wait(PATIENCE)
        self.process.join(PATIENCE)
        assert self.process.exitcode is not None, "it hangs"
        return self.process.exitcode

    def sleep(self, seconds: float) -> None:
        """Wait until it is so old, or has ended."""
        while time.monotonic() - self.started < seconds and not self.ended():
            time.sleep(0.002)

    def wait_for_handlers(self) -> None:
        """Wait until it takes SIGTERM itself: before that, Python is still starting."""
        while not self.ended() and not self._takes(signal.SIGTERM):
            time.sleep(0.002)

    def strike(self, number: int) -> None:
        """Send a signal, as a terminal does: Ctrl-C goes to all processes of the group."""
        self.struck = time.monotonic()
        with contextlib.suppress(ProcessLookupError):
            if number == signal.SIGINT:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)

    def _takes(self, number: int) -> bool:
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return False
        caught = next(line.split()[1] for line in status.splitlines() if line[:6] == "SigCgt")
        return bool(int(caught, 16) >> (number - 1) & 1)


def _start(life: Life, notes: Path) -> Running:
    for name in ("changes", "struck"):
        (notes / name).write_bytes(b"")
    if not life.shell:
        context = multiprocessing.get_context("forkserver")
        process = context.Process(target=_be, args=(life, notes))
        process.start()
        running = Running(process)
        while not running.ended() and os.getpgid(process.pid) != process.pid:
            time.sleep(0.001)
        return running
    target, *flags = life.arguments
    call = [target] if target.endswith(".py") else ["-m", target]
    with (notes / "out").open("w") as out, (notes / "err").open("w") as err:
        process = subprocess.Popen(
            [sys.executable, *call, *flags],
            cwd=life.folder, stdout=out, stderr=err, stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: _bound(life),  # noqa: PLW1509 - no threads here
        )  # fmt: skip
    return Running(process)


def _bound(life: Life) -> None:
    # A test run in the background may have been started with Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if life.file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (life.file_limit, life.file_limit))


def _be(life: Life, notes: Path) -> None:
    """Become the program, in a process forked for it."""
    _redirect(notes)
    os.setsid()
    os.chdir(life.folder)
    _bound(life)
    target, *flags = life.arguments
    sys.argv = [target, *flags]
    sys.addaudithook(_Watch(life, notes).see)
    if target.endswith(".py"):
        runpy.run_path(target, run_name="__main__")
    else:
        runpy.run_module(target, run_name="__main__", alter_sys=True)


def _redirect(notes: Path) -> None:
    for number, name in enumerate((os.devnull, notes / "out", notes / "err")):
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, number)
        os.close(descriptor)


class _Watch:
    """Counts the changes of files, and sends the signal before one of them."""

    def __init__(self, life: Life, notes: Path) -> None:
        self._home = str(life.folder)
        self._signal_at = life.signal_at
        self._seen = 0
        self._tally = os.open(notes / "changes", os.O_WRONLY | os.O_APPEND)
        self._struck = os.open(notes / "struck", os.O_WRONLY)

    def see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._is_change(event, arguments):
            return
        self._seen += 1
        os.write(self._tally, b".")
        if self._signal_at is not None and self._seen == self._signal_at[1]:
            os.write(self._struck, str(time.monotonic()).encode())
            os.kill(os.getpid(), self._signal_at[0])

    def _is_change(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "open":
            path, mode, flags = arguments
            if not (flags or 0) & (os.O_WRONLY | os.O_RDWR) and not set(mode or "") & set("wax+"):
                return False
        elif event in CHANGES:
            path = arguments[0]
        else:
            return False
        if not isinstance(path, str | bytes | os.PathLike):
            return False
        name = os.fsdecode(path)
        return name.startswith(self._home) or not os.path.isabs(name)
