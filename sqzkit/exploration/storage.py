"""Where a study is kept: a journal file of its folder, or a database; and what its errors mean."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend

from sqzkit.base.errors import RunError, UsageError
from sqzkit.exploration.config import ExploreConfig, hide_password
from sqzkit.exploration.journal import JournalLock

JOURNAL = "study.journal"
_NO_DRIVER = ("NoSuchModuleError", "ArgumentError")
_OPENING_PAUSES = (0.2, 0.5, 1.0, 2.0)
_POSTGRESQL = ("postgres", "postgresql")


class TakenOverError(Exception):
    """Raised where this process was taken for dead and its trial given to another one."""


def make_storage(config: ExploreConfig) -> Any:
    """Return the storage of a study: its database, or the journal file in its folder."""
    if config.storage is not None:
        return _open_database(config.storage)
    journal = Path(config.study_dir) / JOURNAL
    journal.parent.mkdir(parents=True, exist_ok=True)
    lock: Any = JournalLock(journal)
    backend = JournalFileBackend(str(journal), lock)
    return optuna.storages.JournalStorage(backend)


@contextlib.contextmanager
def reaching(config: ExploreConfig) -> Iterator[None]:
    """Turn a storage that fails into a `RunError` that says what to do.

    Raises:
      UsageError: the URL is none, or its driver is not installed.
      RunError: the storage cannot be reached.
      TakenOverError: a trial that is written to was ended by another process.
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
            f"the study in {place} cannot be reached: "
            f"{_first_line(error.__cause__ or error)}; finished trials "
            "are kept, the same command goes on when the storage is back"
        ) from error


def _open_database(url: str) -> Any:
    scheme, separator, place = url.partition("://")
    if scheme in _POSTGRESQL:  # for which SQLAlchemy would take psycopg2, the elder driver
        url = f"postgresql+psycopg{separator}{place}"
    for pause in _OPENING_PAUSES:
        try:
            return optuna.storages.RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
        except Exception as error:
            # Two processes that begin at once both make the tables; one is refused.
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
