"""The folder of a comparison: finished rows, their files, and its settings.

    compare.json       the settings with which it was begun
    rows/ROW.json      a finished row; written last
    files/ROW.*        its files, each with a sidecar FILE.json
    runs/ROW           the run folder of its network
    evolution          the evolution
    compare.html, compare.csv, compare.md      the table

Every file is written under another name and renamed when it is complete.
"""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

from sqzkit.base import __version__, files, records
from sqzkit.base.errors import RunError
from sqzkit.data import identity as identity_of_data
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.settings import begun, plain, refuse_other, with_place

RECORD = "compare.json"


@dataclasses.dataclass(frozen=True)
class Artefact:
    """One file and what was measured on it.

    Attributes:
      file: path within the comparison's folder.
      bytes, sha256: of it.
      image_size: side of the network's input, pixels.
      classes: number of its classes.
      latency_ms: fastest inference on one thread of this machine; None if the file
        holds only weights.
    """

    file: str
    bytes: int
    sha256: str
    image_size: int
    classes: int
    latency_ms: float | None = None


@dataclasses.dataclass(frozen=True)
class Row:
    """One finished row.

    Attributes:
      name: one of `config.ROWS`.
      run: run folder of its network, relative to the comparison's unless it is the user's.
      stage: whose weights.
      top1, top5: on the test split, 0..1, of the network in `yours`.
      examples: test images looked at.
      yours: the file of the network for the user's classes.
      paper: that of the same network at the paper's size, with a new last layer.
      notes: for the page.
      seconds: how long the process that finished the row worked on it.
    """

    name: str
    run: str
    stage: str
    top1: float
    top5: float
    examples: int
    yours: Artefact
    paper: Artefact
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON-ready values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "Row":
        """Return the record of `to_json`; raise `RunError` if it is damaged."""
        return records.build(cls, record, "a row of a comparison")


class Comparison:
    """The folder of one comparison."""

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        """Open a comparison, or begin one; it is resumed only with the same settings `identity`.

        Raises `UsageError` if the folder holds another comparison, or something else.
        """
        self.path = path
        self.identity = plain(identity)
        stored = begun(path / RECORD, "a comparison")
        if stored is not None:
            stored = with_place(stored, self.identity, identity_of_data.read(path))
            refuse_other(path, stored, self.identity, "--output_dir")

    def begin(self) -> None:
        """Store the settings of the comparison."""
        if not (self.path / RECORD).exists():
            files.write_json(self.path / RECORD, self.identity)

    def run(self, name: str) -> RunFolder:
        """Return the run folder of that name."""
        return RunFolder(self.path / "runs" / name)

    @property
    def evolution_path(self) -> Path:
        """The folder of the evolution."""
        return self.path / "evolution"

    def row(self, name: str) -> Row | None:
        """Return a finished row, or None if it is not finished.

        Raises `RunError` if one of its files is missing or altered.
        """
        path = self._row_path(name)
        if not path.exists():
            return None
        row = Row.from_json(files.read_json(path))
        for artefact in (row.yours, row.paper):
            file = self.path / artefact.file
            if not file.exists() or files.sha256(file) != artefact.sha256:
                raise RunError(
                    f"{file}: missing or altered since row {name!r} was finished; delete {path} "
                    "to make it again"
                )
        return row

    def add(self, row: Row) -> None:
        """Store a finished row, after its files."""
        files.write_json(self._row_path(row.name), row.to_json())

    def write(self, name: str, content: bytes, record: dict[str, Any]) -> Artefact:
        """Write a file of a row, and its sidecar last.

        The sidecar's `record` is JSON-ready, with "image_size", "classes" and perhaps "latency_ms".
        """
        path = self.path / "files" / name
        files.write_bytes(path, content)
        digest = files.sha256(path)
        artefact = Artefact(
            file=str(path.relative_to(self.path)),
            bytes=path.stat().st_size,
            sha256=digest,
            image_size=record["image_size"],
            classes=record["classes"],
            latency_ms=record.get("latency_ms"),
        )
        made = {"sqzkit": __version__, "compare": self.identity}
        sidecar = {**dataclasses.asdict(artefact), **record, "made_by": made}
        files.write_json(path.with_name(f"{name}.json"), sidecar)
        return artefact

    def _row_path(self, name: str) -> Path:
        return self.path / "rows" / f"{name}.json"


def copy_run(source: RunFolder, target: RunFolder, stages: tuple[str, ...]) -> RunFolder:
    """Copy a run as it was after `stages`, unless the copy exists; return the copy.

    The copy is renamed when it is complete, so a killed process leaves nothing that looks
    like a run.
    """
    if target.spec_path.exists():
        return target
    aside = RunFolder(target.path.with_name(f".{target.path.name}"))
    shutil.rmtree(aside.path, ignore_errors=True)
    aside.path.mkdir(parents=True)
    for name in ("preprocessing", "data", "flags", "layers"):
        record = source.read_record(name)
        if record is not None:
            aside.write_record(name, record)
    aside.write_labels(source.labels)
    kept = [entry for entry in source.finished_stages() if entry["stage"] in stages]
    for entry in kept:
        for path in (source.weights_path(entry["stage"]), source.stage_spec_path(entry["stage"])):
            if path.exists():
                shutil.copy2(path, aside.path / path.name)
    aside.write_record("stages", kept)
    aside.write_spec(source.read_spec())
    shutil.rmtree(target.path, ignore_errors=True)
    aside.path.rename(target.path)
    return target
