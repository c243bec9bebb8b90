"""What all command-line programs share: exit codes and quiet libraries."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence

from absl import app, flags

from sqzkit.errors import SqzkitError, UsageError
from sqzkit.quiet import quiet

INTERRUPTED = 130
GRACE_SECONDS = 1.5  # for Python to take the signal itself


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
    signal.signal(signal.SIGTERM, _terminate)
    _watch_signals()
    app.run(lambda argv: sys.exit(_guarded(main, argv)), flags_parser=_parse)


def load_tensorflow() -> None:
    """Import TensorFlow without its start-up messages.

    It writes some to file descriptor 2 before any log level applies; failures
    are exceptions and are not lost.
    """
    with quiet():
        import tensorflow as tf

        tf.config.list_physical_devices("GPU")  # a machine without one complains once


def reject_arguments(argv: Sequence[str]) -> None:
    """Raise `UsageError` if anything but flags was given."""
    if len(argv) > 1:
        raise UsageError(f"unexpected argument {argv[1]!r}: this program takes flags only (--help)")


def _terminate(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def _watch_signals() -> None:
    """End soon after a signal even where Python cannot take it.

    A signal's handler runs only when the main thread is back from native
    code, and a training step on large images may take many seconds. The byte
    that the interpreter writes at once wakes a thread instead.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_end_after_signal, args=(reader,), daemon=True).start()


def _end_after_signal(reader: int) -> None:
    while os.read(reader, 1)[0] not in (signal.SIGINT, signal.SIGTERM):
        pass
    time.sleep(GRACE_SECONDS)
    _end_interrupted()


def _end_interrupted() -> None:
    print("interrupted; the same command goes on where it was", file=sys.stderr)
    sys.stderr.flush()
    # TensorFlow's thread pools may take seconds to join; all outputs are
    # renamed into place only when whole, so nothing is left to flush.
    os._exit(INTERRUPTED)


def _parse(argv: Sequence[str]) -> list[str]:
    try:
        return flags.FLAGS(list(argv))
    except flags.Error as error:
        print(f"error: {error}\nSee --help.", file=sys.stderr)
        sys.exit(UsageError.exit_code)


def _guarded(main: Callable[[Sequence[str]], None], argv: Sequence[str]) -> int:
    try:
        main(argv)
    except SqzkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        _end_interrupted()
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
