"""Encoded images where they lie in larger files, for data sets that do not fit in memory."""

import dataclasses
from pathlib import Path

from sqzkit.base.errors import RunError


@dataclasses.dataclass(frozen=True, slots=True)
class FileSlice:
    """Some bytes of a file.

    Attributes:
      path: the file.
      offset: where they begin, bytes.
      length: how many there are.
    """

    path: Path
    offset: int
    length: int

    def read(self) -> bytes:
        """Return the bytes; raise `RunError` if the file no longer has them."""
        try:
            with open(self.path, "rb") as stream:
                stream.seek(self.offset)
                content = stream.read(self.length)
        except OSError as error:
            raise RunError(f"{self.path}: {error.strerror or error}") from error
        if len(content) != self.length:
            raise RunError(f"{self.path}: shorter than when the run began; put it back, run again")
        return content
