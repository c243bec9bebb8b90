"""Files packed into `.sqz` archives, and unpacked, by path."""

import dataclasses
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqzkit.base import files
from sqzkit.base.errors import FormatError, SqzkitError, UsageError
from sqzkit.coding import sqz
from sqzkit.coding.sqz import ArchiveInfo

PathLike = str | os.PathLike[str]
SUFFIX = ".sqz"
Result = TypeVar("Result")


@dataclasses.dataclass(frozen=True)
class Packed:
    """A file that `pack` or `unpack` wrote. Usable as a path.

    Attributes:
      path: of the file.
      size: its bytes.
      source_size: bytes of the file that it was made from.
      written: False if it was there already, made from the same content.
    """

    path: Path
    size: int
    source_size: int
    written: bool = True

    def __fspath__(self) -> str:
        return str(self.path)


def pack(path: PathLike, output: PathLike | None = None, *, overwrite: bool = False) -> Packed:
    """Pack a file, such as a `.tflite` model, into a `.sqz` archive; unpacking gives every bit.

    Args:
      path: the file.
      output: the archive to write; None: `path` with ".sqz" appended.
      overwrite: whether it may be replaced. An archive of the same content is kept as it is.

    Raises:
      SqzkitError: it exists (`UsageError`), or a file cannot be read or written (`RunError`).

    Example:
      >>> archive = sqzkit.pack(model, "model.sqz")
      >>> sqzkit.unpack(archive, "model.tflite").size == archive.source_size
      True
    """
    source = Path(os.path.expanduser(path))
    target = Path(os.path.expanduser(output or f"{os.fspath(path)}{SUFFIX}"))
    content = files.read_bytes(source, sqz.DEFAULT_LIMIT)
    if not overwrite and _holds(target, content):
        return Packed(target, target.stat().st_size, len(content), written=False)
    files.refuse_existing(target, overwrite)
    archive = sqz.pack(content)
    files.write_bytes(target, archive)
    return Packed(target, len(archive), len(content))


def unpack(
    path: PathLike,
    output: PathLike | None = None,
    *,
    overwrite: bool = False,
    limit: int = sqz.DEFAULT_LIMIT,
) -> Packed:
    """Unpack a `.sqz` archive; the result is checked against its SHA-256.

    Args:
      path: the archive.
      output: the file to write; None: `path` without ".sqz".
      overwrite: whether it may be replaced.
      limit: maximum bytes of the result.

    Raises:
      SqzkitError: the output exists (`UsageError`), or the archive is damaged (`FormatError`).
    """
    source = Path(os.path.expanduser(path))
    if output is None and source.suffix != SUFFIX:
        raise UsageError(f"{source} does not end in {SUFFIX}: name the result with --output")
    target = Path(os.path.expanduser(output)) if output else source.with_suffix("")
    files.refuse_existing(target, overwrite)
    content = _named(source, lambda archive: sqz.unpack(archive, limit), limit)
    files.write_bytes(target, content)
    return Packed(target, len(content), source.stat().st_size)


def archive_info(path: PathLike, limit: int = sqz.DEFAULT_LIMIT) -> ArchiveInfo:
    """Return what a `.sqz` archive holds, without unpacking it.

    Raises:
      SqzkitError: the archive is damaged (`FormatError`) or cannot be read (`RunError`).
    """
    return _named(Path(os.path.expanduser(path)), lambda archive: sqz.info(archive, limit), limit)


def _holds(archive: Path, content: bytes) -> bool:
    """Return whether `archive` was packed from `content`: by a call that was killed later, say."""
    try:
        found = archive_info(archive)
    except (OSError, SqzkitError):
        return False
    return found.sha256 == hashlib.sha256(content).hexdigest()


def _named(path: Path, work: Callable[[bytes], Result], limit: int) -> Result:
    """Return `work(content of path)`; its errors name the file."""
    try:
        # No archive is longer than its file by more than its header and some 80 bytes.
        return work(files.read_bytes(path, limit + (1 << 16)))
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from None
