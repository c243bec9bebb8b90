"""Files packed into `.sqz` archives, and unpacked, by path."""

import dataclasses
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqzkit.base import files
from sqzkit.base.errors import FormatError, SqzkitError, UsageError
from sqzkit.coding import signing, sqz
from sqzkit.coding.sqz import ArchiveInfo

PathLike = str | os.PathLike[str]
SUFFIX, UPDATE_SUFFIX = ".sqz", ".update.sqz"
SIGNED_SUFFIX = ".signed.sqz"
Result = TypeVar("Result")


@dataclasses.dataclass(frozen=True)
class Packed:
    """A file that `pack` or `unpack` wrote. Usable as a path.

    Attributes:
      path: of the file.
      size: its bytes.
      source_size: bytes of the file that it was made from.
      written: False if it was there already, made from the same content.
      tensors: how many are in the archive as weights: int8 or clustered ones.
      plain: whether a part of the archive is something else, so that a general
        program may make it smaller.
    """

    path: Path
    size: int
    source_size: int
    written: bool = True
    tensors: int = 0
    plain: bool = True

    def __fspath__(self) -> str:
        return str(self.path)


def pack(
    path: PathLike,
    output: PathLike | None = None,
    *,
    base: PathLike | None = None,
    overwrite: bool = False,
    limit: int = sqz.DEFAULT_LIMIT,
) -> Packed:
    """Pack a file, such as a `.tflite` model, into a `.sqz` archive; unpacking gives every bit.

    Args:
      path: the file. A named pipe is read to its end; without a writer, this waits as `cat` does.
      output: the archive to write; None: `path` with ".sqz" appended, ".update.sqz" for an update.
      base: an older version of the file, or its archive: the archive is then an update, which
        holds only what differs and needs the same base to be unpacked.
      overwrite: whether it may be replaced. An archive of the same content is kept as it is.
      limit: maximum bytes of the file, and of the base.

    Raises:
      SqzkitError: the file is missing, or the archive exists or is not an ordinary file
        (`UsageError`), or one cannot be read or written (`RunError`).

    Example:
      >>> archive = sqzkit.pack(model, "model.sqz")
      >>> sqzkit.unpack(archive, "model.tflite").size == archive.source_size
      True
    """
    source = Path(os.path.expanduser(path))
    suffix = SUFFIX if base is None else UPDATE_SUFFIX
    target = Path(os.path.expanduser(output or f"{os.fspath(path)}{suffix}"))
    _refuse_input(target, source, base)
    files.refuse_existing(target, overwrite=True)  # before a device is read without end
    content, start = _content(source, limit), read_base(base, limit)
    if not overwrite and _holds(target, content, start, limit):
        found = archive_info(target, limit)
        return _packed(target, found, written=False)
    files.refuse_existing(target, overwrite)
    archive = sqz.pack(content, start)
    files.write_bytes(target, archive)
    return _packed(target, sqz.info(archive, limit))


def unpack(
    path: PathLike,
    output: PathLike | None = None,
    *,
    base: PathLike | None = None,
    overwrite: bool = False,
    limit: int = sqz.DEFAULT_LIMIT,
) -> Packed:
    """Unpack a `.sqz` archive; the result is checked against its SHA-256.

    Args:
      path: the archive.
      output: the file to write; None: `path` without ".sqz", or ".update.sqz".
      base: of an update, the file that it starts from, or an archive of that file.
      overwrite: whether it may be replaced.
      limit: maximum bytes of the result, and of the base.

    Raises:
      SqzkitError: the output exists (`UsageError`), or the archive is damaged, or the base is
        missing or another file (`FormatError`).
    """
    source = Path(os.path.expanduser(path))
    if output is None and source.suffix.lower() != SUFFIX:
        raise UsageError(f"{source} does not end in {SUFFIX}: name the result with --output")
    target = Path(os.path.expanduser(output)) if output else _unpacked(source)
    _refuse_input(target, source, base)
    files.refuse_existing(target, overwrite)
    start = read_base(base, limit)
    content = _named(source, lambda archive: sqz.unpack(archive, limit, start), limit)
    files.write_bytes(target, content)
    return Packed(target, len(content), source.stat().st_size)


def sign(
    path: PathLike,
    output: PathLike | None = None,
    *,
    key: PathLike,
    release: int,
    overwrite: bool = False,
    limit: int = sqz.DEFAULT_LIMIT,
) -> Path:
    """Write an archive with a signature; return where.

    Args:
      path: the archive.
      output: the file to write; None: `path` with ".signed.sqz" in place of ".sqz".
      key: private key of P-256, a PEM file.
      release: a number, larger for each newer version.
      overwrite: whether the output may be replaced.
      limit: maximum bytes of what the archive holds.

    Raises:
      SqzkitError: the key is not one, or the output exists (`UsageError`), or the archive is
        damaged (`FormatError`).
    """
    source = Path(os.path.expanduser(path))
    target = Path(os.path.expanduser(output or source.with_suffix(SIGNED_SUFFIX)))
    _refuse_input(target, source, key)
    files.refuse_existing(target, overwrite)
    private = signing.read_key(os.path.expanduser(key), "private")
    archive_info(source, limit)  # only what is an archive is signed
    signed = _named(source, lambda archive: signing.sign(archive, private, release), limit)
    files.write_bytes(target, signed)
    return target


def verify(
    path: PathLike,
    output: PathLike | None = None,
    *,
    key: PathLike,
    min_release: int = 0,
    overwrite: bool = False,
    limit: int = sqz.DEFAULT_LIMIT,
) -> signing.Verified:
    """Check a signed archive, and write the archive without its signature if asked to.

    Args:
      path: the signed archive.
      output: the archive to write; None: nothing is written.
      key: public key of P-256, a PEM file.
      min_release: of an older release nothing is returned.
      overwrite: whether the output may be replaced.
      limit: maximum bytes of what the archive holds.

    Raises:
      SqzkitError: the key is not one, or the output exists (`UsageError`), or the archive is
        damaged, older, or signed with another key (`FormatError`).
    """
    public = signing.read_key(os.path.expanduser(key), "public")
    target = Path(os.path.expanduser(output)) if output else None
    if target:
        _refuse_input(target, path, key)
        files.refuse_existing(target, overwrite)

    def check(signed: bytes) -> signing.Verified:
        return signing.verify(signed, public, min_release)

    found = _named(Path(os.path.expanduser(path)), check, limit)
    if target:
        files.write_bytes(target, found.archive)
    return found


def archive_info(path: PathLike, limit: int = sqz.DEFAULT_LIMIT) -> ArchiveInfo:
    """Return what a `.sqz` archive holds, without unpacking it.

    Raises:
      SqzkitError: the archive is damaged (`FormatError`) or cannot be read (`RunError`).
    """
    return _named(Path(os.path.expanduser(path)), lambda archive: sqz.info(archive, limit), limit)


def read_base(path: PathLike | None, limit: int = sqz.DEFAULT_LIMIT) -> bytes | None:
    """Return the file that an update starts from, expanded if it is an archive; None of None."""
    if path is None:
        return None
    return _named(Path(os.path.expanduser(path)), lambda base: sqz.base_content(base, limit), limit)


def read_pair(
    path: PathLike, base: PathLike | None, limit: int = sqz.DEFAULT_LIMIT
) -> tuple[bytes, bytes]:
    """Return the file that an update gives, and the file that it starts from."""
    start = read_base(base, limit) or b""
    source = Path(os.path.expanduser(path))
    return _named(source, lambda archive: sqz.unpack(archive, limit, start), limit), start


def _unpacked(path: Path) -> Path:
    suffix = UPDATE_SUFFIX if path.name.lower().endswith(UPDATE_SUFFIX) else SUFFIX
    return path.with_name(path.name[: -len(suffix)])


def _packed(path: Path, found: ArchiveInfo, written: bool = True) -> Packed:
    sizes = found.archive_size, found.size
    return Packed(path, *sizes, written, found.tensors, found.is_plain)


def _holds(archive: Path, content: bytes, base: bytes | None, limit: int) -> bool:
    """Return whether `archive` was packed from the same files, such as by an earlier call."""
    try:
        found = archive_info(archive, limit)
    except (OSError, SqzkitError):
        return False
    start = None if base is None else hashlib.sha256(base).hexdigest()
    return (found.sha256, found.base_sha256) == (hashlib.sha256(content).hexdigest(), start)


def _named(path: Path, work: Callable[[bytes], Result], limit: int) -> Result:
    """Return `work(content of path)`; its errors name the file."""
    try:
        # No archive is longer than its file by more than its header and some 80 bytes.
        return work(_content(path, limit + (1 << 16)))
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from None


def _refuse_input(target: Path, *inputs: PathLike | None) -> None:
    """Raise `UsageError` if the file to write is one of those to read, by any name."""
    for path in inputs:
        source = Path(os.path.expanduser(path)) if path else None
        if source and source.exists() and target.exists() and source.samefile(target):
            raise UsageError(f"{target} is the input {source}; give the output another name")


def _content(path: Path, most: int) -> bytes:
    if not path.exists():
        raise UsageError(f"cannot read {path}: there is no such file")
    return files.read_bytes(path, most, "--limit")
