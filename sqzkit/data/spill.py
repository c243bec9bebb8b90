"""Encoded images in one large file, for data sets that do not fit in memory."""

import dataclasses
from pathlib import Path

from sqzkit.errors import RunError


@dataclasses.dataclass(frozen=True)
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
            raise RunError(f"{self.path}: shorter than when it was written; remove it, run again")
        return content


class Spill:
    """A file that images are appended to; it is written anew at each opening.

    Args:
      path: the file; its folder is made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = open(path, "wb", buffering=1 << 20)
        except OSError as error:
            raise _unwritable(path, error) from error
        self._offset = 0

    def add(self, content: bytes) -> FileSlice:
        """Append an image and return where it lies.

        Raises:
          RunError: the disk is full or the folder cannot be written.
        """
        try:
            self._stream.write(content)
            self._stream.flush()
        except OSError as error:
            raise _unwritable(self._path, error) from error
        piece = FileSlice(self._path, self._offset, len(content))
        self._offset += len(content)
        return piece


def _unwritable(path: Path, error: OSError) -> RunError:
    reason = error.strerror or str(error)
    return RunError(f"cannot write {path}: {reason}; free space or choose another --cache_dir")
