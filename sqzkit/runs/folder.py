"""The run folder: the only thing passed between the programs.

    spec.json            the network (`SqueezeNetSpec.to_json`)
    preprocessing.json   the `Preprocessing` record
    labels.txt           one label a line, in class order
    flags.json           the resolved configuration of every program that wrote here
    commands.json        the command lines that wrote here, oldest first
    data.json            the data source, so that it can be opened again
    stages.json          finished stages in order, each with its metrics and weights' SHA-256
    STAGE.weights.h5     weights after that stage (Keras HDF5, by layer name)
    STAGE.spec.json      the network of that stage, where it is not spec.json's
                         (clustering folds the batch normalization away first)
    metrics.jsonl        one line of metrics an epoch
    layers.json          the network's table: name, kind, output shape, parameters
    head.json            what the head's held-out images say of the data, with --weights
    fine_tuning.json     from few photographs: how the folds judged each share of a fine-tuning
    evaluation.json      accuracy, confusion matrix and worst mistakes on the test split
    mistakes/            the pictures of those mistakes, named by the example
    conversions/         what convert.py made, with one sidecar JSON each
    base.json            with --base: which run it was, and its accuracy on this run's data
    teacher.json         with --teacher: who it is, and its accuracy on the labelled photographs
    unlabelled.json      with --unlabelled_dir: which photographs it held when the run began
    duration.json        epochs that fit into --train_minutes, decided when the run began
    checkpoints/         state of an unfinished stage; may be deleted
    folds/               state of the folds of an unfinished fine-tuning
    features/            what a network with published weights made of the training images, for
                         the fit of its head, and what a teacher answers; may be deleted
    report.html          the report page
    .lock                names the process that writes here now

Everything is readable without this program. Nothing in it is executed.
"""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

from sqzkit.base import files
from sqzkit.base.errors import RunError, UsageError
from sqzkit.preprocessing import Preprocessing
from sqzkit.runs import lock

_FIRST_FILES = (
    *("preprocessing.json", "labels.txt", "data.json", "flags.json", "layers.json"),
    *("duration.json", "teacher.json", "unlabelled.json", "features", lock.NAME),
)
# A stage names files: letters, digits and _ cannot lead out of the folder.
_STAGE_NAME = re.compile(r"[A-Za-z0-9_]{1,40}")
_STAGE_FIELDS = {"stage": str, "metrics": dict, "config": dict, "weights_sha256": str}
_LISTS = ("commands", "layers", "stages")


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """Paths and records of one run."""

    path: Path

    @classmethod
    def existing(cls, path: Path | str, flag: str = "--model_dir") -> "RunFolder":
        """Return the run folder at `path`; raise `UsageError` if it is not one."""
        folder = cls(Path(path))
        if not folder.spec_path.exists():
            raise UsageError(
                f"{flag} {path}: not a run folder (no {folder.spec_path.name} in it); "
                "make one with sqzkit train"
            )
        return folder

    @property
    def spec_path(self) -> Path:
        """The network's specification."""
        return self.path / "spec.json"

    @property
    def report_path(self) -> Path:
        """The report page."""
        return self.path / "report.html"

    @property
    def conversions_path(self) -> Path:
        """The folder of converted files."""
        return self.path / "conversions"

    @property
    def checkpoints_path(self) -> Path:
        """The folder of an unfinished stage's state."""
        return self.path / "checkpoints"

    @property
    def metrics_path(self) -> Path:
        """The metrics, one JSON object a line."""
        return self.path / "metrics.jsonl"

    def weights_path(self, stage: str) -> Path:
        """The weights after `stage`."""
        return self.path / f"{stage}.weights.h5"

    def stage_spec_path(self, stage: str) -> Path:
        """The network of `stage`, if it is not `spec_path`'s."""
        return self.path / f"{stage}.spec.json"

    def is_foreign(self) -> bool:
        """Return whether something lies here that no run began.

        The specification is written last, so that what was killed before it has
        left only records, which are written again.
        """
        if self.spec_path.exists() or not self.path.exists():
            return False
        if not self.path.is_dir():
            return True
        names = (entry.name for entry in self.path.iterdir())
        return any(name not in _FIRST_FILES and not files.is_unfinished(name) for name in names)

    def read_spec(self, stage: str | None = None) -> dict[str, Any]:
        """Return the network's specification, as it is after `stage`, as JSON values."""
        path = self.spec_path
        if stage is not None and self.stage_spec_path(stage).exists():
            path = self.stage_spec_path(stage)
        spec = files.read_json(path)
        if not isinstance(spec, dict):
            raise RunError(f"{path}: must hold a JSON object")
        return spec

    def write_spec(self, spec: dict[str, Any], stage: str | None = None) -> None:
        """Store the network's specification, or that of a stage that changes it."""
        files.write_json(self.stage_spec_path(stage) if stage else self.spec_path, spec)

    @property
    def preprocessing(self) -> Preprocessing:
        """The run's preprocessing record."""
        return Preprocessing.load(self.path / "preprocessing.json")

    def write_preprocessing(self, record: Preprocessing) -> None:
        """Store the run's preprocessing record."""
        record.save(self.path / "preprocessing.json")

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names in class order."""
        return tuple(files.read_text(self.path / "labels.txt").splitlines())

    def write_labels(self, labels: tuple[str, ...]) -> None:
        """Store the class names in class order."""
        files.write_text(self.path / "labels.txt", "\n".join(labels) + "\n")

    def read_record(self, name: str) -> Any:
        """Return the JSON record `NAME.json`, or None if there is none.

        Raises:
          RunError: it is damaged, or not an object (for commands, layers and stages:
            not a list of texts or objects).
        """
        path = self.path / f"{name}.json"
        if not path.exists():
            return None
        record = files.read_json(path)
        if not isinstance(record, list if name in _LISTS else dict):
            raise RunError(f"{path}: must hold a JSON {'list' if name in _LISTS else 'object'}")
        item = str if name == "commands" else dict
        if isinstance(record, list) and not all(isinstance(entry, item) for entry in record):
            raise RunError(f"{path}: an entry of its list is not what it should be")
        return record

    def write_record(self, name: str, content: Any) -> None:
        """Store the JSON record `NAME.json`."""
        files.write_json(self.path / f"{name}.json", content)

    def add_command(self, command: str) -> None:
        """Note a command line that wrote here, once (see `settings.command`)."""
        commands = self.read_record("commands") or []
        if command not in commands:
            self.write_record("commands", [*commands, command])

    def finished_stages(self) -> list[dict[str, Any]]:
        """Return the finished stages in order.

        Each is `{"stage", "metrics", "config", "weights_sha256"}`.
        Raises:
          RunError: the record is damaged, or a stage's name cannot name a file.
        """
        entries = self.read_record("stages") or []
        for entry in entries:
            for name, kind in _STAGE_FIELDS.items():
                if not isinstance(entry.get(name), kind):
                    raise RunError(f"{self.path / 'stages.json'}: a stage without its {name}")
            if not _STAGE_NAME.fullmatch(entry["stage"]):
                raise RunError(
                    f"{self.path / 'stages.json'}: a stage is named {entry['stage'][:40]!r}; "
                    "letters, digits and _ are legal"
                )
        return entries

    def finish_stage(self, stage: str, metrics: dict[str, Any], config: dict[str, Any]) -> None:
        """Record that `stage` is finished; its weights file must be complete."""
        others = [entry for entry in self.finished_stages() if entry["stage"] != stage]
        entry = {
            "stage": stage,
            "metrics": metrics,
            "config": config,
            "weights_sha256": files.sha256(self.weights_path(stage)),
        }
        self.write_record("stages", [*others, entry])

    def finished_stage(self, stage: str | None = None) -> dict[str, Any]:
        """Return the entry of a finished stage, by default of the last.

        Raises:
          UsageError: `stage` is not finished.
          RunError: no stage is finished, or the record is damaged.
        """
        entries = self.finished_stages()
        if not entries:
            raise RunError(f"{self.path}: no stage is finished yet; run sqzkit train to its end")
        wanted = [entry for entry in entries if stage is None or entry["stage"] == stage]
        if wanted:
            return wanted[-1]
        finished = ", ".join(entry["stage"] for entry in entries)
        raise UsageError(f"stage {stage!r} of {self.path}: not finished; there is {finished}")

    def finished_weights(self, stage: str | None = None) -> tuple[str, Path]:
        """Return (stage, weights path) of a finished stage, by default of the last.

        Raises:
          UsageError: `stage` is not finished.
          RunError: no stage is finished, or the file is not the one recorded (by SHA-256).
        """
        entry = self.finished_stage(stage)
        path = self.weights_path(entry["stage"])
        if not path.exists() or files.sha256(path) != entry["weights_sha256"]:
            raise RunError(f"{path}: missing or altered since stage {entry['stage']!r} finished")
        return entry["stage"], path

    def append_metrics(self, line: dict[str, Any]) -> None:
        """Append one line of metrics; raise `RunError` if it cannot be written."""
        with files.writing(self.metrics_path):
            self.path.mkdir(parents=True, exist_ok=True)
            with open(self.metrics_path, "a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")

    def metrics(self) -> list[dict[str, Any]]:
        """Return all lines of metrics, without an incomplete one (of a killed run)."""
        if not self.metrics_path.exists():
            return []
        content = files.read_bytes(self.metrics_path, files.MAX_TEXT_BYTES)
        lines = []
        for text in content.decode("utf-8", "replace").splitlines():
            try:
                line = json.loads(text)
            except (ValueError, RecursionError):
                continue
            if isinstance(line, dict):
                lines.append(line)
        return lines
