"""What all command-line programs share: exit codes and quiet libraries."""

import os
import signal
import sys
from collections.abc import Callable, Sequence

from absl import app, flags

from sqzkit.errors import SqzkitError, UsageError

INTERRUPTED = 130


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
    app.run(lambda argv: sys.exit(_guarded(main, argv)), flags_parser=_parse)


def reject_arguments(argv: Sequence[str]) -> None:
    """Raise `UsageError` if anything but flags was given."""
    if len(argv) > 1:
        raise UsageError(f"unexpected argument {argv[1]!r}: this program takes flags only (--help)")


def _terminate(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


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
        print("interrupted; the same command goes on where it was", file=sys.stderr)
        sys.stderr.flush()
        # TensorFlow's thread pools may take seconds to join; all outputs are
        # renamed into place only when whole, so nothing is left to flush.
        os._exit(INTERRUPTED)
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
