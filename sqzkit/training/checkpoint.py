"""The state of an unfinished stage: one file, replaced as a whole after each epoch.

A NumPy archive without pickles holds every variable of the model and of the
optimizer by position, the weights of the best epoch so far, and a JSON record
(finished epochs, the best one, the settings). `tf.train.Checkpoint` is not
used: it writes several files, which are not replaced at once, and stores no
settings. `numpy.load` is not used: it allocates what a damaged file announces.
"""

import dataclasses
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sqzkit.base import archives, files
from sqzkit.base.errors import FormatError
from sqzkit.base.keras import keras
from sqzkit.runs.settings import refuse_other
from sqzkit.training.evaluate import standard_error

Groups = Mapping[str, Sequence[np.ndarray]]


@dataclasses.dataclass
class StageProgress:
    """How far a stage is.

    Attributes:
      epoch: finished epochs.
      best_epoch: the one whose weights are kept, from 1; 0 before there is one, or if what the
        stage started from is kept.
      improved_epoch: the last with a new highest accuracy or lowest loss.
      top_accuracy, lowest_loss: on validation, over the epochs that may be the best.
      floor: accuracy of what the stage started from; no epoch below it is kept.
      stuck: epochs at chance, for the watchdog.
      seconds: time spent training so far, over all processes.
      examples: training examples seen so far.
    """

    epoch: int = 0
    best_epoch: int = 0
    improved_epoch: int = 0
    top_accuracy: float = -1.0
    lowest_loss: float = float("inf")
    floor: float = -1.0
    stuck: int = 0
    seconds: float = 0.0
    examples: int = 0


class StageState:
    """The variables of a stage and their checkpoint."""

    def __init__(
        self, path: Path, model: keras.Model, optimizer: keras.optimizers.Optimizer
    ) -> None:
        """Hold a stage's variables.

        Args:
          path: of the checkpoint, ending in .npz.
          model: all its variables are kept.
          optimizer: built; all its variables are kept.
        """
        self.path = path
        self.config: dict[str, Any] = {}
        self.model = model
        self.variables = {
            "model": list(model.variables),
            "optimizer": list(optimizer.variables),
        }
        self.best: list[np.ndarray] = []
        self.progress = StageProgress()

    def restore(self, config: dict[str, Any]) -> bool:
        """Go back to the checkpoint if there is one; return whether there was.

        `config` is what decides the outcome, JSON values; stored with each checkpoint.

        Raises:
          UsageError: it was made with other settings.
          FormatError: it is damaged or of another network.
        """
        self.config = config
        found = load(self.path)
        if found is None:
            return False
        record, groups = found
        try:
            recorded = dict(record["config"])
            progress = StageProgress(**record["progress"])
            stored = {name: groups[name] for name in (*self.variables, "best")}
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(self.path, error) from error
        refuse_other(self.path, recorded, config)
        for name, variables in self.variables.items():
            assign(self.path, name, variables, stored[name])
        self.best = stored["best"]
        self.progress = progress
        return True

    def save(self, write: bool = True) -> None:
        """Write the checkpoint, replacing the one before.

        Without `write` the variables are only read, as every worker must where one of them
        writes: averages of normalization are gathered from all of them.
        """
        groups = {
            name: [variable.numpy() for variable in variables]
            for name, variables in self.variables.items()
        }
        if write:
            record = {"config": self.config, "progress": dataclasses.asdict(self.progress)}
            save(self.path, record, {**groups, "best": self.best})

    def note_start(self, accuracy: float, loss: float) -> None:
        """Keep the weights as they are until an epoch is at least as accurate.

        Args:
          accuracy: theirs on the validation split, 0..1.
          loss: on the same.
        """
        progress = self.progress
        progress.floor = progress.top_accuracy = accuracy
        progress.lowest_loss = loss
        self.best = [variable.numpy() for variable in self.variables["model"]]

    def note_validation(self, accuracy: float, loss: float, examples: float) -> None:
        """Keep this epoch's weights if it is the latest within one standard error of the best.

        On a small split the highest accuracy is luck, and a falling learning rate improves
        weights by less than the split can show (Breiman et al., 1984, section 3.4.3).

        Args:
          accuracy: on the validation split, 0..1.
          loss: on the same.
          examples: how many those are, 1 or more; of balanced figures an equivalent number.
        """
        progress = self.progress
        if accuracy > progress.top_accuracy or loss < progress.lowest_loss:
            progress.improved_epoch = progress.epoch
        top = progress.top_accuracy = max(progress.top_accuracy, accuracy)
        progress.lowest_loss = min(progress.lowest_loss, loss)
        if accuracy >= max(top - standard_error(top, examples), progress.floor):
            progress.best_epoch = progress.epoch
            self.best = [variable.numpy() for variable in self.variables["model"]]

    def restore_best(self) -> None:
        """Set the model to its best epoch, if one was noted."""
        if self.best:
            assign(self.path, "model", self.variables["model"], self.best)


def save(path: Path, record: dict[str, Any], groups: Groups) -> None:
    """Write a checkpoint atomically.

    Args:
      path: file ending in .npz.
      record: JSON-ready.
      groups: arrays in a fixed order by group name, such as "model".

    Raises:
      RunError: the folder cannot be written or the disk is full.
    """
    record = {**record, "counts": {name: len(arrays) for name, arrays in groups.items()}}
    arrays: dict[str, Any] = {
        f"{name}/{index}": array
        for name, group in groups.items()
        for index, array in enumerate(group)
    }
    arrays["record"] = np.frombuffer(json.dumps(record).encode(), np.uint8)
    with files.atomic_path(path) as temporary:
        np.savez(temporary, **arrays)


def load(path: Path) -> tuple[dict[str, Any], dict[str, list[np.ndarray]]] | None:
    """Return record and groups of the checkpoint at `path`, or None if there is none.

    Raises:
      FormatError: the file is damaged.
    """
    if not path.exists():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            size = path.stat().st_size
            record = json.loads(_read_array(archive, "record", size).tobytes())
            counts = record.pop("counts")
            if sum(counts.values()) >= len(archive.namelist()):
                raise ValueError("it holds fewer arrays than it announces")
            groups = {
                name: [_read_array(archive, f"{name}/{index}", size) for index in range(count)]
                for name, count in counts.items()
            }
    except Exception as error:
        # Bytes that `save` did not write make zipfile, NumPy and json raise nearly anything.
        raise _damaged(path, error) from error
    return record, groups


def _damaged(path: Path, error: Exception) -> FormatError:
    return FormatError(f"{path}: damaged checkpoint ({error}); delete it to begin the stage again")


def _read_array(archive: zipfile.ZipFile, name: str, size: int) -> np.ndarray:
    """Return an array as `numpy.savez` stores it: not a pickle, no larger than the file."""
    member = archive.getinfo(f"{name}.npy")
    if member.compress_type != zipfile.ZIP_STORED or member.file_size > size:
        raise ValueError(f"{name} announces {member.file_size} bytes")
    content = io.BytesIO(archives.read_member(archive, member))
    version = np.lib.format.read_magic(content)
    if version != (1, 0):
        raise ValueError(f"{name} is of version {version}")
    shape, columns_first, kind = np.lib.format.read_array_header_1_0(content)
    if kind.kind not in "iufbc":
        raise ValueError(f"{name} holds {kind}, not numbers")
    values = np.frombuffer(content.getbuffer()[content.tell() :], kind)
    return values.reshape(shape, order="F" if columns_first else "C").copy()


def assign(path: Path, what: str, variables: Sequence[Any], arrays: Sequence[np.ndarray]) -> None:
    """Set `variables` from `arrays`, position by position.

    Raises:
      FormatError: they do not fit: the checkpoint is of another network.
    """
    shapes = [tuple(variable.shape) for variable in variables]
    found = [array.shape for array in arrays]
    if shapes != found:
        raise FormatError(
            f"{path}: the {what} has {len(shapes)} variables that do not fit the {len(found)} "
            "stored; delete the checkpoint to begin the stage again"
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
