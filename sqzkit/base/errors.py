"""The errors that end a program with one message and without a traceback."""


class SqzkitError(Exception):
    """Base of all errors a user can act on.

    The message names the flag, file or layer, the bad value, the legal
    values, and what to do next.
    """

    exit_code = 1


class UsageError(SqzkitError):
    """The call was wrong; no work was started (exit code 2)."""

    exit_code = 2


class MissingExtraError(UsageError, ImportError):
    """A library that only an extra of the package brings is not installed."""


class RunError(SqzkitError):
    """The call was right, but the work failed (exit code 1)."""


class WriteError(RunError):
    """A file cannot be written: the disk is full, or the folder is read-only."""


class UnfitNetworkError(RunError):
    """The network itself cannot be trained or converted; trying again does not help."""


class InvariantError(RunError):
    """A step did not keep what an earlier step guaranteed.

    Args:
      layer: name of the layer (or file) at which it fails.
      message: what was guaranteed and what was found.
    """

    def __init__(self, layer: str, message: str) -> None:
        super().__init__(f"{layer}: {message}")
        self.layer = layer


class FormatError(RunError):
    """A file is damaged, truncated, or not what it claims to be."""
