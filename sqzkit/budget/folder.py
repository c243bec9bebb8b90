"""The folder of a fit, and what is recorded after each step so that a killed one is resumed.

fit.json             settings, predictions, plan, trials, finalists, files and the choice
trials/trials/       run folders of the short trials
finals/trials/       run folders of the finalists, trained and compressed to the end
files/               the files that were made of them, with their records
best.tflite, best.sqz    the choice, verified, with the record best.tflite.json
fit.html             the page
"""

import dataclasses
import time
from pathlib import Path
from typing import Any

from sqzkit.base import files
from sqzkit.base.errors import RunError
from sqzkit.runs.settings import begun, plain, refuse_other, with_place

RECORD = "fit.json"
NO_TIME = "left out: --hours leaves no time for it"  # of networks and files, as why they failed


@dataclasses.dataclass(frozen=True)
class FittedModel:
    """What `fit` found. Usable as a path: that of the archive.

    Attributes:
      archive: of the `.sqz` file.
      path: of the `.tflite` file, which the archive holds bit for bit.
      page: what was tried, chosen and why.
      archive_bytes: size of the archive.
      validation_top1: accuracy by which it was chosen, 0..1.
      test_top1: accuracy on the test split, 0..1; nothing is chosen by it.
    """

    archive: Path
    path: Path
    page: Path
    archive_bytes: int
    validation_top1: float
    test_top1: float

    def __fspath__(self) -> str:
        return str(self.archive)


@dataclasses.dataclass(frozen=True)
class Made:
    """One file that a finalist became.

    Attributes:
      name: of the file, such as "v1_2_w8_sr0.125_64px_chain".
      network: of the ladder.
      recipe: "chain", "rounded", "chain_rounded", "per_channel", "per_tensor".
      run, stage: the run folder and the stage whose weights it holds.
      archive_bytes: of the `.sqz`.
      predicted_bytes: from the weights of the trial; None if this recipe is not predicted.
      tflite_bytes, ram_bytes, latency_ms: of the file; the latency is None without a limit.
      float_top1, top1: accuracy on the validation split, 0..1, of the float model and the file.
      agreement: share of the validation photographs with the float model's answer, 0..1.
      sha256: of the `.tflite`.
      archive_limit: in bytes, for which it was made: the budget, half or double.
    """

    name: str
    network: str
    recipe: str
    run: str
    stage: str
    archive_bytes: int
    predicted_bytes: int | None
    tflite_bytes: int
    ram_bytes: int
    latency_ms: float | None
    float_top1: float
    top1: float
    agreement: float
    sha256: str
    archive_limit: int


class Fit:
    """The folder of one fit: records by name, each written once."""

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        """Open a fit, or begin one; it is resumed only with the same settings `identity`.

        Raises `UsageError` if the folder holds another fit, or something else.
        """
        self.path = path
        self._records: dict[str, Any] = {"settings": plain(identity)}
        self._started = time.monotonic()
        stored = begun(path / RECORD, "a fit")
        if stored is not None:
            if not isinstance(stored.get("settings"), dict):
                raise RunError(f"{path / RECORD}: not the record of a fit")
            before = with_place(stored["settings"], identity, stored.get("data"))
            refuse_other(path, before, identity, "--output_dir")
            self._records = stored
            self._started -= float(stored.get("seconds", 0))

    def read(self, name: str) -> Any:
        """Return a record as JSON values, or None if its step is not finished."""
        return self._records.get(name)

    @property
    def seconds(self) -> float:
        """Time that was spent on this fit, by former processes up to their last record."""
        return time.monotonic() - self._started

    def write(self, name: str, content: Any) -> Any:
        """Store the record of a finished step; return it as JSON values."""
        self._records[name] = plain(content)
        self._records["seconds"] = round(self.seconds, 1)
        files.write_json(self.path / RECORD, self._records)
        return self._records[name]
