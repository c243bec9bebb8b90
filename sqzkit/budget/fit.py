"""The public function `sqzkit.fit`. Light: TensorFlow is imported when it is called."""

import os
from typing import Any

from sqzkit.base import assembly, extras, quiet
from sqzkit.budget.config import FitConfig
from sqzkit.budget.folder import FittedModel
from sqzkit.data.source import DataSource
from sqzkit.runs import lock

PathLike = str | os.PathLike[str]


def fit(
    data: PathLike | DataSource | None = None,
    *,
    max_archive_bytes: int,
    output_dir: PathLike = "fit",
    **changes: Any,
) -> FittedModel:
    """Find the most accurate archive within a budget, from photographs.

    Args:
      data: as in `train`.
      max_archive_bytes: limit of the archive.
      output_dir: folder of the fit; an unfinished one in it is resumed.
      **changes: other settings, such as `max_latency_ms`, `max_ram_bytes`, `hours`:
        `sqzkit fit --help`.

    Raises:
      SqzkitError: a setting is wrong or the budget is below what any network takes
        (`UsageError`), or the work failed (`RunError`).
    """
    given = {"max_archive_bytes": max_archive_bytes, "output_dir": output_dir, **changes}
    if isinstance(data, DataSource):
        given |= assembly.given(data)
    elif data is not None:
        given["data_dir"] = data
    config = assembly.build(FitConfig, given)
    with extras.explained(), lock.hold(config.output_dir, "--output_dir"):
        quiet.load_tensorflow()
        from sqzkit.budget.loop import fit as work

        return work(config)
