"""Keep messages of C++ libraries off the terminal."""

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Discard what is written to standard error; failures must be exceptions."""
    sys.stderr.flush()
    terminal = os.dup(2)
    try:
        with warnings.catch_warnings(), open(os.devnull, "wb") as nowhere:
            warnings.simplefilter("ignore")
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        sys.stderr.flush()
        os.dup2(terminal, 2)
        os.close(terminal)


def quiet_libraries() -> None:
    """Let TensorFlow's C++ libraries report errors only, unless the user chose a level.

    It has no effect in a process that has loaded TensorFlow already.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("ABSL_MIN_LOG_LEVEL", "2")


def load_tensorflow() -> None:
    """Import TensorFlow without its start-up messages.

    It writes some to file descriptor 2 before any log level applies; failures
    are exceptions and are not lost.
    """
    quiet_libraries()
    with quiet():
        import tensorflow as tf

        tf.config.list_physical_devices("GPU")  # a machine without one complains once
        # Its warnings are about our code (traced again, say), not about the user's call.
        tf.get_logger().setLevel("ERROR")
