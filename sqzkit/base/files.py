"""Files that are either complete or absent, and their checksums."""

import contextlib
import glob
import hashlib
import json
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqzkit.base.errors import RunError, UsageError, WriteError

_UNFINISHED = ".unfinished-"

_PIECE_BYTES = 1 << 20
MAX_TEXT_BYTES = 32 << 20  # the confusion matrix of 1,000 classes takes 9 MB as JSON


def sha256(path: Path | str) -> str:
    """Return the hexadecimal SHA-256 of the file at `path`."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def refuse_existing(path: Path | str, overwrite: bool) -> None:
    """Raise `UsageError` if `path` exists and may not be replaced.

    A link, folder, device or pipe may never be replaced: renaming a file to its
    name would destroy it.
    """
    path = Path(path)
    if path.is_symlink():
        raise UsageError(f"{path} is a link to {os.readlink(path)!r}; name the file itself")
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is not a file but a {_kind(path)}; give another name")
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists; give --overwrite to replace it, or another name")


def _kind(path: Path) -> str:
    if path.is_dir():
        return "folder"
    return "device" if path.is_char_device() or path.is_block_device() else "pipe or socket"


@contextlib.contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed to it on success.

    The temporary name keeps `path`'s suffix, because some writers choose the
    format by it. On any exception it is removed and `path` is untouched. Temporary
    files that killed processes of this machine left behind are removed too.

    Raises:
      WriteError: the folder cannot be written, the disk is full, or `path` is
        there and is not a file.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise WriteError(f"cannot write {path}: it is a {_kind(path)}; give another name")
    owner = f"{_host()}-{os.getpid()}-{secrets.token_hex(4)}"
    temporary = path.with_name(f".{path.stem}{_UNFINISHED}{owner}{path.suffix}")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(path)
            yield temporary
            with open(temporary, "rb") as stream:
                os.fsync(stream.fileno())
            os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextlib.contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Turn an `OSError` into a `WriteError` that names `path`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise WriteError(
            f"cannot write {path}: {reason}; free space or choose another folder"
        ) from error


def is_unfinished(name: str) -> bool:
    """Return whether a file of this name is a temporary file of `atomic_path`."""
    return name.startswith(".") and _UNFINISHED in name


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write `content` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path | str, content: str) -> None:
    """Write `content` to `path` as UTF-8, atomically."""
    write_bytes(path, content.encode())


def write_json(path: Path | str, content: Any) -> None:
    """Write `content` to `path` as indented JSON, atomically."""
    write_text(path, json_text(content))


def json_text(content: Any) -> str:
    """Return `content` as indented JSON."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def read_bytes(path: Path | str, most: int, flag: str = "") -> bytes:
    """Return the content of a file of at most `most` bytes.

    Args:
      path: of the file.
      most: the maximum; no more is read of a file without an end.
      flag: which one raises the maximum.

    Raises:
      UsageError: it is a folder.
      RunError: the file is missing, larger, or cannot be read.
    """
    try:
        with open(path, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            # In pieces, because the size of a pipe or of a growing file is not known.
            pieces, length = [], 0
            while size <= most and length <= most and (piece := stream.read(_PIECE_BYTES)):
                pieces.append(piece)
                length += len(piece)
    except FileNotFoundError:
        raise RunError(f"{path} is missing") from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder; name a file") from None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}") from error
    if max(size, length) > most:
        advice = f"; raise {flag} if it is what you mean" if flag else ""
        raise RunError(
            f"{path}: larger than the {most:,} bytes that are read of such a file{advice}"
        )
    return b"".join(pieces)


def read_text(path: Path | str, most: int = MAX_TEXT_BYTES) -> str:
    """Return a UTF-8 text file; raise `RunError` as `read_bytes` does, or if it is not UTF-8."""
    try:
        return read_bytes(path, most).decode("utf-8")
    except UnicodeDecodeError as error:
        raise RunError(f"{path} cannot be read: it is not UTF-8 text ({error})") from None


def read_json(path: Path | str) -> Any:
    """Return the JSON value stored at `path`, of at most `MAX_TEXT_BYTES`.

    Raises:
      RunError: the file is missing, too large, or is not JSON.
    """
    return parse_json(read_text(path), str(path))


def parse_json(text: str | bytes, name: str) -> Any:
    """Return the value of a JSON text; raise `RunError` with `name` if it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{name} cannot be read as JSON: {error}") from None


def _host() -> str:
    """Return four characters that differ between machines that share a folder."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:4]


def _remove_abandoned(path: Path) -> None:
    """Remove temporary files of `path` whose process has ended."""
    prefix = f".{path.stem}{_UNFINISHED}{_host()}-"
    for left in path.parent.glob(f"{glob.escape(prefix)}*{glob.escape(path.suffix)}"):
        pid = left.name.removeprefix(prefix).partition("-")[0]
        if pid.isdecimal() and not is_alive(int(pid)):
            left.unlink(missing_ok=True)


def is_alive(pid: int) -> bool:
    """Return whether this machine has a process of that number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
