"""What all command-line programs share: exit codes and quiet libraries."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence

from absl import app, flags

from sqzkit.base.errors import SqzkitError, UsageError
from sqzkit.base.quiet import quiet

INTERRUPTED = 130
GRACE_SECONDS = 1.5  # for Python to take the signal itself
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def quiet_libraries() -> None:
    """Silence TensorFlow's start-up chatter unless the user asked for it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("ABSL_MIN_LOG_LEVEL", "2")


def run(main: Callable[[Sequence[str]], None]) -> None:
    """Run `main(argv)` under absl with the project's exit codes.

    Exit codes: 0 done, 1 the run failed, 2 the call was wrong, 130 Ctrl-C
    (or SIGTERM). A `SqzkitError` is printed as one message without a
    traceback; any other exception is a defect of ours and keeps its own.
    Args:
      main: takes what is left of argv after flag parsing, program name first.
    """
    quiet_libraries()
    interruption = _Interruption()
    try:
        interruption.watch()
        app.run(lambda argv: sys.exit(_guarded(main, argv, interruption)), flags_parser=_parse)
    except KeyboardInterrupt:  # before `main` or after it
        interruption.end()


def load_tensorflow() -> None:
    """Import TensorFlow without its start-up messages.

    It writes some to file descriptor 2 before any log level applies; failures
    are exceptions and are not lost.
    """
    # Else it imports Keras 3, too, beside the Keras 2 of `sqzkit.base.keras`: more than a second.
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    with quiet():
        import tensorflow as tf

        tf.config.list_physical_devices("GPU")  # a machine without one complains once
        # Its warnings are about our code (traced again, say), not about the user's call.
        tf.get_logger().setLevel("ERROR")


def reject_arguments(argv: Sequence[str]) -> None:
    """Raise `UsageError` if anything but flags was given."""
    if len(argv) > 1:
        raise UsageError(f"unexpected argument {argv[1]!r}: this program takes flags only (--help)")


class _Interruption:
    """Ctrl-C and SIGTERM: the process ends soon and with one line, wherever it is."""

    def __init__(self) -> None:
        self.came = False
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

    def end(self) -> None:
        """Say so, once, and end."""
        self._ending.acquire()
        os.write(self._terminal, b"interrupted; the same command goes on where it was\n")
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


def _parse(argv: Sequence[str]) -> list[str]:
    try:
        return flags.FLAGS(list(argv))
    except flags.Error as error:
        print(f"error: {error}\nSee --help.", file=sys.stderr)
        sys.exit(UsageError.exit_code)


def _guarded(
    main: Callable[[Sequence[str]], None], argv: Sequence[str], interruption: _Interruption
) -> int:
    try:
        main(argv)
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
