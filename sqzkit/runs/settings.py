"""Settings as a run folder records them: read back, compared, refused where they differ."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from sqzkit.base import files, records
from sqzkit.base.errors import RunError, UsageError
from sqzkit.runs import lock
from sqzkit.runs.folder import RunFolder

Options = TypeVar("Options")


def recorded_options(folder: RunFolder, stage: str, kind: type[Options]) -> Options:
    """Return the settings with which a finished stage was trained.

    Args:
      folder: of the run.
      stage: a finished one.
      kind: the dataclass to return, such as `FitOptions`. Fields that the run does not
        record (it is older) have their defaults; recorded values of others are left out.

    Raises:
      UsageError: the stage is not finished.
      RunError: a recorded value is not one of its field's.
    """
    config = folder.finished_stage(stage)["config"]
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    values = {name: value for name, value in config.items() if name in names}
    what = f"the record of stage {stage!r} in {folder.path / 'stages.json'}"
    return records.build(kind, values, what, partial=True)


def _same(recorded: Any, asked: Any) -> bool:
    """Return whether two JSON values are equal; old records hold paths relative to the caller."""
    if isinstance(recorded, str) and isinstance(asked, str) and os.path.isabs(asked):
        return os.path.abspath(recorded) == asked
    return bool(recorded == asked)


def refuse_other(
    where: Path | str,
    recorded: Mapping[str, Any],
    asked: Mapping[str, Any],
    flag: str = "--model_dir",
) -> None:
    """Raise `UsageError` naming every field in which two settings differ.

    Args:
      where: what was begun with `recorded`.
      recorded: values by name.
      asked: the same; a tuple equals the list that JSON makes of it.
      flag: that names another place.
    """
    recorded, asked = plain(recorded), plain(asked)
    differences = list(_differences(recorded, asked))
    if differences:
        raise UsageError(
            f"{where} was made with other settings ({'; '.join(differences)}); "
            f"give the same flags again, or another {flag}"
        )


def begun(record: Path, what: str) -> dict[str, Any] | None:
    """Return the record with which something was begun in a folder, None of a vacant folder.

    Raises:
      UsageError: something else lies there than `what`, such as "a fit".
      RunError: the record is damaged.
    """
    if record.exists():
        stored = files.read_json(record)
        if not isinstance(stored, dict):
            raise RunError(f"{record}: not the record of {what}")
        return stored
    folder = record.parent
    if not lock.is_vacant(folder):
        raise UsageError(
            f"--output_dir {folder}: exists and does not hold {what}; name another folder"
        )
    return None


def with_place(
    recorded: dict[str, Any], asked: Mapping[str, Any], photographs: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return recorded settings as if the photographs had always lain where they are now.

    Args:
      recorded: settings, with those of the data as "data".
      asked: the same, as they are now.
      photographs: `sqzkit.data.identity.record`, by which the photographs are compared instead of
        by their folder. Without one, the settings are returned as they are.
    """
    if not (photographs or {}).get("photographs") or not isinstance(recorded.get("data"), dict):
        return recorded
    place = asked["data"]["data_dir"]
    return {**recorded, "data": {**recorded["data"], "data_dir": place}}


def _differences(
    recorded: Mapping[str, Any], asked: Mapping[str, Any], within: str = ""
) -> Iterator[str]:
    """Yield every field that differs; one of a record within a record as in `data.seed`."""
    for key in sorted({*recorded, *asked}):
        there, here = recorded.get(key), asked.get(key)
        if isinstance(there, dict) and isinstance(here, dict):
            yield from _differences(there, here, f"{within}{key}.")
        elif not _same(there, here):
            yield f"{within}{key}: {there!r} there, {here!r} asked"


def plain(value: Any) -> Any:
    """Return what reading `value` back from JSON gives: tuples become lists."""
    return json.loads(json.dumps(value))
