"""What all command-line programs share: flags, --help, exit codes, Ctrl-C, quiet libraries."""

import dataclasses
import importlib
import os
import pkgutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from sqzkit.base import extras, quiet
from sqzkit.base.errors import SqzkitError, UsageError
from sqzkit.base.settings import Item
from sqzkit.programs import flags

INTERRUPTED = 130
GRACE_SECONDS = 1.5  # for Python to take the signal itself
RESUMES = "the same command resumes"
BEGINS_ANEW = "the same command begins again"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclasses.dataclass(frozen=True)
class Program:
    """One command-line program.

    Attributes:
      name: as in `sqzkit NAME`.
      main: takes the flags that were given, by name, and the other arguments.
      records: settings records, of whose fields the flags are made.
      arguments: what it takes besides flags, such as "PHOTOGRAPH..."; "": nothing.
      if_interrupted: what is true after Ctrl-C, in a few words; "": nothing to say.
    """

    name: str
    main: Callable[[dict[str, Any], list[str]], object]
    records: tuple[type[Any], ...]
    arguments: str = ""
    if_interrupted: str = ""

    @property
    def about(self) -> str:
        """The docstring of the program's module."""
        return (sys.modules[self.main.__module__].__doc__ or "").strip()

    def help(self) -> str:
        """Return the text of --help."""
        call = f"sqzkit {self.name} {self.arguments}".strip()
        return f"usage: {call} [flags]\n\n{self.about}\n\n{flags.overview(self.flags())}\n"

    def flags(self) -> dict[str, Item]:
        """Return the settings by flag."""
        return flags.items(self.records)


def run(program: Program, argv: Sequence[str] | None = None) -> NoReturn:
    """Run a program on its command line (None: `sys.argv`) and end the process (see `guard`)."""
    line = sys.argv if argv is None else argv
    guard(lambda: _call(program, line), program.if_interrupted)


def guard(work: Callable[[], None], if_interrupted: str = "") -> NoReturn:
    """Do `work`, and end the process with the project's exit codes.

    Exit codes: 0 done, 1 the run failed, 2 the call was wrong, 130 Ctrl-C (or SIGTERM), of which
    `if_interrupted` is said. A `SqzkitError` is printed as one message without a traceback; any
    other exception is a defect of ours and keeps its own.
    """
    quiet.quiet_libraries()
    # Else TensorFlow imports Keras 3 beside the Keras 2 of `sqzkit.base.keras`: a second.
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    interruption = _Interruption(if_interrupted)
    try:
        interruption.watch()
        sys.exit(_guarded(work, interruption))
    except KeyboardInterrupt:  # before `work` or after it
        interruption.end()


def _call(program: Program, argv: Sequence[str]) -> None:
    if any(argument in flags.HELP for argument in argv[1:]):
        sys.stdout.write(program.help())
        return
    given, arguments = flags.parse(argv, program.flags(), _others_with)
    if arguments and not program.arguments:
        raise UsageError(
            f"unexpected argument {arguments[0]!r}: this program takes flags only (--help)"
        )
    program.main(given, arguments)


def _others_with(flag: str) -> str:
    """Return which programs have a flag, as the end of a message; "" if none has it."""
    found = []
    for module in pkgutil.iter_modules([os.path.dirname(__file__)]):
        program = getattr(
            importlib.import_module(f"sqzkit.programs.{module.name}"), "PROGRAM", None
        )
        if program and {flag, flag.removeprefix("no")} & {*program.flags()}:
            found.append(module.name)
    return f"; it is one of {', '.join(found)}" if found else ""


class _Interruption:
    """Ctrl-C and SIGTERM: the process ends soon and with one line, wherever it is."""

    def __init__(self, consequence: str) -> None:
        self.came = False
        self._text = f"interrupted; {consequence}\n" if consequence else "interrupted\n"
        self._ending = threading.Lock()
        self._terminal = os.dup(2)  # where libraries are silenced, 2 leads nowhere

    def watch(self) -> None:
        """Take the signals from now on.

        A signal's handler runs only when the main thread is back from native
        code, and a training step on large images may take many seconds. The byte
        that the interpreter writes at once wakes a thread instead.
        """
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        threading.Thread(target=self._end_after_signal, args=(reader,), daemon=True).start()
        for number in _SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:  # as nohup leaves it
                signal.signal(number, self._take)

    def ignore(self) -> None:
        """Let the process end undisturbed: its work is done."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def end(self) -> NoReturn:
        """Say so, once, and end."""
        self._ending.acquire()
        os.write(self._terminal, self._text.encode())
        # TensorFlow's thread pools may take seconds to join; all outputs are
        # renamed into place only when whole, so nothing is left to flush.
        os._exit(INTERRUPTED)

    def _take(self, signum: int, frame: object) -> None:
        if self.came:  # an impatient second Ctrl-C must not interrupt the end
            return
        self.came = True
        # An interrupt inside a destructor or a callback would be printed and lost.
        sys.unraisablehook = lambda _: None
        raise KeyboardInterrupt

    def _end_after_signal(self, reader: int) -> None:
        while os.read(reader, 1)[0] not in _SIGNALS:
            pass
        time.sleep(GRACE_SECONDS)
        self.end()


def _guarded(work: Callable[[], None], interruption: _Interruption) -> int:
    try:
        with extras.explained():
            work()
    except BaseException as error:
        # Libraries may turn an interrupt into an error of their own.
        if interruption.came or isinstance(error, KeyboardInterrupt):
            interruption.end()
        if not isinstance(error, SqzkitError | OSError):
            raise
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code if isinstance(error, SqzkitError) else 1
    interruption.ignore()
    return 0
