"""One writer a folder: whoever comes second is refused and told who holds it."""

import contextlib
import errno
import fcntl
import os
import shlex
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from sqzkit.base import files
from sqzkit.base.errors import UsageError

NAME = ".lock"


@contextlib.contextmanager
def hold(folder: Path | str, flag: str = "--model_dir") -> Iterator[None]:
    """Hold `folder` for the time of a `with` statement, making it if it is missing.

    The system frees the lock when the process ends, however it ends. A folder
    that was made here and stays empty is removed again.

    Args:
      folder: that no other process may write to.
      flag: that named it.

    Raises:
      UsageError: another process holds it, or it cannot be written.
    """
    folder = Path(folder)
    path = folder / NAME
    made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = _lock(path)
    except BlockingIOError:
        owner = path.read_text("utf-8", "replace") or "another process"
        raise UsageError(
            f"{flag} {folder}: in use by {owner}; wait until it ends, or name another folder"
        ) from None
    except OSError as error:
        raise UsageError(
            f"{flag} {folder}: cannot be written ({error.strerror}); name another folder"
        ) from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)
        with contextlib.suppress(OSError):
            for parent in made:
                parent.rmdir()


def is_vacant(folder: Path) -> bool:
    """Return whether nothing lies there but a lock and temporary files of a killed process."""
    if not folder.exists():
        return True
    names = (entry.name for entry in folder.iterdir()) if folder.is_dir() else [str(folder)]
    return all(name == NAME or files.is_unfinished(name) for name in names)


def _lock(path: Path) -> int:
    """Return the descriptor of the locked file; raise `BlockingIOError` if another has it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # Some network file systems have no locks: there nobody is refused.
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
                os.close(descriptor)
                raise
        # The holder before may have removed the file between the two calls.
        if path.exists() and os.path.samestat(os.fstat(descriptor), os.stat(path)):
            break
        os.close(descriptor)
    os.truncate(descriptor, 0)
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()} ({command})".encode())
    return descriptor
