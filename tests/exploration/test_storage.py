import pytest

from sqzkit.base.errors import RunError, UsageError
from sqzkit.exploration import storage as explore_storage
from sqzkit.exploration.study import Study
from tests.exploration import toys


def opened(folder, **changes):
    return Study(toys.config(folder, **changes), toys.DATA)


def finish_one(study):
    number, candidate = study.ask()
    results = toys.results_of(candidate)
    study.finish(number, [results["accuracy"], results["parameters"]], results)


def test_a_database_is_shared_like_a_file(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    one, other = (opened(tmp_path / name, storage=url) for name in ("a", "b"))
    finish_one(one)
    assert len(other.finished()) == 1
    assert not (tmp_path / "a" / explore_storage.JOURNAL).exists()


def test_a_database_that_is_not_there_is_a_run_error(tmp_path):
    url = f"sqlite:///{tmp_path}/no/such/folder/study.db"
    with pytest.raises(RunError, match="cannot be reached.*the same command goes on"):
        opened(tmp_path, storage=url)


def test_a_database_that_others_are_just_making_is_tried_again(tmp_path, monkeypatch):
    class TableExistsError(Exception):
        __module__ = "sqlalchemy.exc"

    refusals = iter([TableExistsError("table already exists")] * 2)
    real = explore_storage.optuna.storages.RDBStorage

    def storage(*args, **kwargs):
        for refusal in refusals:
            raise refusal
        return real(*args, **kwargs)

    monkeypatch.setattr(explore_storage.optuna.storages, "RDBStorage", storage)
    monkeypatch.setattr(explore_storage.time, "sleep", lambda seconds: None)
    config = toys.config(tmp_path, storage=f"sqlite:///{tmp_path}/study.db")
    assert explore_storage.make_storage(config).get_all_studies() == []


def test_a_database_without_its_driver_is_a_usage_error(tmp_path):
    for scheme in ("mysql+pymysql", "postgresql+nonsense"):
        with pytest.raises(UsageError, match=r"driver is not installed \(") as error:
            opened(tmp_path, storage=f"{scheme}://me:secret@host/db")
        assert "secret" not in str(error.value)


def test_a_database_that_goes_away_is_a_run_error(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    study = opened(tmp_path, storage=url)
    (tmp_path / "study.db").write_bytes(b"this is no database any more" * 400)
    with pytest.raises(RunError, match=r"study\.db cannot be reached"):
        finish_one(study)
