"""Where a study is kept: a journal file in its folder, or a database; and what its errors mean."""

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend

from sqzkit.base.errors import RunError, UsageError
from sqzkit.exploration.config import ExploreConfig, hide_password

JOURNAL = "study.journal"
_NO_DRIVER = ("NoSuchModuleError", "ArgumentError")
_OPENING_PAUSES = (0.2, 0.5, 1.0, 2.0)
_POSTGRESQL = ("postgres", "postgresql")


class TakenOverError(Exception):
    """Another process ended a trial of this one, because it was silent for too long."""


def make_storage(config: ExploreConfig) -> Any:
    """Return the storage of a study: its database, or the journal file in its folder."""
    if config.storage is not None:
        return _open_database(config.storage)
    journal = Path(config.study_dir) / JOURNAL
    journal.parent.mkdir(parents=True, exist_ok=True)
    lock: Any = JournalLock(journal)  # Optuna does not export the class it expects
    backend = JournalFileBackend(str(journal), lock)
    return optuna.storages.JournalStorage(backend)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for a lock between processes of this machine, and hold it.

    The system frees it when the process ends, even if it is killed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as stream:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


class JournalLock:
    """The lock that `JournalFileBackend` holds while it appends.

    Optuna's own locks are files that stay when their process is killed. The next process then waits
    for half a minute, or without end if the study's folder was given by a relative path, because
    the file's age is looked up at the wrong place.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._held = contextlib.ExitStack()

    def acquire(self) -> bool:
        """Wait for the lock, then remove a line that a killed process did not finish."""
        held = contextlib.ExitStack()
        held.enter_context(locked(self._journal.with_name("study.lock")))
        with held:
            drop_torn_line(self._journal)
            self._held = held.pop_all()
        return True

    def release(self) -> None:
        """Release the lock."""
        self._held.close()


def drop_torn_line(path: Path) -> None:
    """Cut off a last line without its line feed: the next line would be lost with it."""
    with open(path, "r+b") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - 1))
        if size and stream.read(1) != b"\n":
            stream.seek(0)
            stream.truncate(stream.read().rfind(b"\n") + 1)


@contextlib.contextmanager
def storage_errors(config: ExploreConfig) -> Iterator[None]:
    """Turn a storage's failure into an error that says what to do.

    Raises:
      UsageError: the URL is not a database's, or its driver is not installed.
      RunError: the storage cannot be reached.
      TakenOverError: another process ended the trial that was written to.
    """
    try:
        yield
    except (RunError, UsageError, optuna.TrialPruned):
        raise
    except optuna.exceptions.UpdateFinishedTrialError as error:
        raise TakenOverError from error
    except Exception as error:
        if isinstance(error, ImportError) or type(error).__name__ in _NO_DRIVER:
            raise UsageError(_driver_message(error)) from error
        if not _is_storage_error(error):
            raise
        place = hide_password(config.storage) or config.study_dir
        raise RunError(
            f"the study in {place} cannot be reached: {_first_line(error.__cause__ or error)}; "
            "finished trials are kept: give the same command again when the storage is back"
        ) from error


def _open_database(url: str) -> Any:
    scheme, separator, place = url.partition("://")
    if scheme in _POSTGRESQL:  # SQLAlchemy would choose psycopg2, the older driver
        url = f"postgresql+psycopg{separator}{place}"
    for pause in _OPENING_PAUSES:
        try:
            return optuna.storages.RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
        except Exception as error:
            # Two processes that start together both create the tables; one of them fails.
            if "exist" not in str(error) or not _is_storage_error(error):
                raise
            time.sleep(pause)
    return optuna.storages.RDBStorage(url, engine_kwargs={"pool_pre_ping": True})


def _is_storage_error(error: Exception) -> bool:
    if isinstance(error, OSError | optuna.exceptions.StorageInternalError):
        return True
    modules = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    return bool(modules & {"sqlalchemy", "psycopg2", "psycopg", "pymysql", "MySQLdb"})


def _driver_message(error: BaseException) -> str:
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return (
        f"--storage: not a database URL, or its driver is not installed ({error}); "
        "for postgresql:// run pip install 'psycopg[binary]'"
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
