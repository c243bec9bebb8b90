"""What the report page shows, as read from a run folder."""

import base64
import dataclasses
from pathlib import Path
from typing import Any

from sqzkit.base import files
from sqzkit.base.errors import RunError
from sqzkit.runs.folder import RunFolder


@dataclasses.dataclass(frozen=True)
class Mistake:
    """One wrong answer: the picture as the network saw it, and what it said."""

    picture: str
    truth: str
    answer: str
    probability: float


@dataclasses.dataclass(frozen=True)
class Conversion:
    """One converted file, from its sidecar JSON."""

    name: str
    record: dict[str, Any]

    @property
    def bytes(self) -> int:
        """Size of the `.tflite`, in bytes."""
        return int(self.record["sizes"]["tflite"])

    def accuracy(self, which: str) -> float | None:
        """Top-1 of the "float" model or of the "converted" file, 0..1, if it was verified."""
        verification = self.record.get("verification") or {}
        return verification.get(f"{which}_top1")


def mistakes(folder: RunFolder, evaluation: dict[str, Any]) -> list[Mistake]:
    """Return the worst mistakes with their pictures as data URLs."""
    labels = folder.labels
    found = []
    for entry in evaluation.get("mistakes", []):
        picture = _inside(folder.path, entry["picture"])
        found.append(
            Mistake(
                picture=_data_url(picture),
                truth=labels[entry["label"]],
                answer=labels[entry["predicted"]],
                probability=entry["probability"],
            )
        )
    return found


def conversions(folder: RunFolder) -> list[Conversion]:
    """Return everything converted from the run, largest first."""
    found = [
        _conversion(path)
        for path in sorted(folder.conversions_path.glob("*.tflite.json"))
        if path.with_suffix("").exists()  # put in place after its record
    ]
    return sorted(found, key=lambda conversion: -conversion.bytes)


def _conversion(path: Path) -> Conversion:
    record = files.read_json(path)
    sizes = record.get("sizes") if isinstance(record, dict) else None
    size = sizes.get("tflite") if isinstance(sizes, dict) else None
    verification = record.get("verification") if isinstance(record, dict) else None
    if not isinstance(size, int) or not isinstance(verification or {}, dict):
        raise RunError(f"{path}: not the record of a converted file")
    return Conversion(path.name.removesuffix(".json"), record)


def _inside(folder: Path, name: str) -> Path:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise RunError(f"{folder}: the picture {name!r} lies outside the run folder")
    return path


def _data_url(path: Path) -> str:
    try:
        return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from error
