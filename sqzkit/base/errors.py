"""The two kinds of failure that end a program with one message, no traceback."""


class SqzkitError(Exception):
    """Base of all errors a user can act on.

    The message names the flag, file or layer, the bad value, the legal
    values, and what to do next.
    """

    exit_code = 1


class UsageError(SqzkitError):
    """The call was wrong: nothing was started (exit code 2)."""

    exit_code = 2


class MissingExtraError(UsageError, ImportError):
    """A library that only an extra of the package brings is not installed."""


class RunError(SqzkitError):
    """The call was right but the work failed (exit code 1)."""


class WriteError(RunError):
    """A file cannot be written: the disk is full, or the folder may not be changed."""


class UnfitNetworkError(RunError):
    """The fault lies in the network, not in its surroundings: trying again is of no use."""


class InvariantError(RunError):
    """Something promised by an earlier step does not hold.

    Args:
      layer: name of the layer (or file) at which it fails.
      message: what was promised and what was found.
    """

    def __init__(self, layer: str, message: str) -> None:
        super().__init__(f"{layer}: {message}")
        self.layer = layer


class FormatError(RunError):
    """A file is damaged, truncated, or not what it claims to be."""
