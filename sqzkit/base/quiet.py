"""Keep the chatter of C++ libraries off the terminal."""

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Send what the process writes to standard error to nowhere; errors are exceptions."""
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
