"""The files that a finalist becomes: converted, packed, and measured on the validation split."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sqzkit.base import assembly, files
from sqzkit.base.errors import InvariantError, RunError
from sqzkit.base.keras import keras
from sqzkit.budget.config import FitConfig
from sqzkit.budget.folder import Made
from sqzkit.budget.memory import arena_bytes
from sqzkit.budget.networks import Network
from sqzkit.budget.predict import DENSE, Prediction, latency
from sqzkit.conversion import convert
from sqzkit.conversion.config import ConversionConfig
from sqzkit.conversion.convert import Result
from sqzkit.conversion.verify import Reference
from sqzkit.data.dataset import ImageDataset
from sqzkit.data.pipeline import raw_images
from sqzkit.ptq.config import MIN_BUDGET
from sqzkit.runs.folder import RunFolder
from sqzkit.runs.loading import keep_place, load_run
from sqzkit.tflite.flatbuffer import TFLiteFile

CHAIN, ROUNDED, CHAIN_ROUNDED = "chain", "rounded", "chain_rounded"
BUDGETED = (ROUNDED, CHAIN_ROUNDED)
PLAIN = ("per_tensor", "per_channel")


@dataclasses.dataclass(frozen=True)
class Finalist:
    """A network that was trained and compressed to the end.

    Attributes:
      network: of the ladder.
      folder: its run folder.
      sparsity: that it was pruned to; 0: it was not.
      prediction: what it was expected to take, from the weights of its trial if there was one.
      chained: whether it has the stages "cluster" and "quantize".
    """

    network: Network
    folder: RunFolder
    sparsity: float
    prediction: Prediction
    chained: bool = True

    @property
    def recipes(self) -> tuple[str, ...]:
        """How it becomes a file; a chain above the budget is rounded to it besides."""
        if self.sparsity == DENSE:
            return (*PLAIN, ROUNDED)
        return (CHAIN, ROUNDED) if self.chained else (ROUNDED,)

    def stage(self, recipe: str) -> str:
        """Return the stage whose weights a recipe takes."""
        if self.sparsity == DENSE:
            return "train"
        return "prune" if recipe == ROUNDED else "quantize"

    def predicted(self, recipe: str) -> int | None:
        """Return the expected bytes of the archive; None: the recipe is not predicted."""
        known = recipe in (CHAIN, "per_tensor")
        return self.prediction.archive_bytes(self.sparsity) if known else None


class Maker:
    """Makes files of finalists and measures them; each file is made once."""

    def __init__(self, config: FitConfig, dataset: ImageDataset) -> None:
        """Measure on the validation split of `dataset`."""
        self._config = config
        self._dataset = dataset

    def make(self, finalist: Finalist, recipe: str, limit: int, name: str) -> Made | str:
        """Return the file that a recipe gives, or why it gives none.

        Args:
          finalist: whose weights.
          recipe: one of `finalist.recipes`, or "chain_rounded".
          limit: bytes that the archive may have; both kinds of rounding keep to it.
          name: of the file.
        """
        if recipe in BUDGETED and limit < MIN_BUDGET:
            return f"no archive has fewer than {MIN_BUDGET:,} bytes"
        settings = self._settings(finalist.folder.path, finalist.stage(recipe), recipe, limit)
        place = Path(self._config.output_dir) / "files" / f"{name}.tflite"
        keras.backend.clear_session()
        try:
            # Not verified on the test split: nothing may be chosen by it.
            made = _convert({**settings, "output_file": str(place), "verify": False})
            found = self._measured(finalist, recipe, made.path.read_bytes())
        except RunError as error:
            return str(error)
        return Made(
            name=name,
            network=finalist.network.name,
            recipe=recipe,
            run=str(finalist.folder.path.relative_to(Path(self._config.output_dir))),
            stage=finalist.stage(recipe),
            archive_bytes=made.record["sizes"]["sqz"],
            predicted_bytes=finalist.predicted(recipe),
            sha256=made.record["sha256"],
            archive_limit=limit,
            **found,
        )

    def _settings(self, run: Path, stage: str, recipe: str, limit: int) -> dict[str, Any]:
        if self._config.data.data_dir:  # where the photographs are now
            keep_place(RunFolder(run), self._config.data.data_dir)
        settings: dict[str, Any] = {"model_dir": str(run), "stage": stage, "archive": True}
        if recipe in BUDGETED:
            return {**settings, "optimize_for": "size", "archive_budget_bytes": limit}
        return {**settings, "granularity": "per_tensor" if recipe == CHAIN else recipe}

    def _measured(self, finalist: Finalist, recipe: str, content: bytes) -> dict[str, Any]:
        run = load_run(finalist.folder.path, finalist.stage(recipe))
        photographs = raw_images(self._dataset, "validation", run.preprocessing)
        network = run.model, run.preprocessing
        found = Reference(*network, *photographs, "the validation split").compare(content)
        assert found.float_top1 is not None and found.converted_top1 is not None
        return {
            "tflite_bytes": len(content),
            "ram_bytes": arena_bytes(TFLiteFile(content)),
            "latency_ms": latency(content) if self._config.max_latency_ms else None,
            "float_top1": round(found.float_top1, 6),
            "top1": round(found.converted_top1, 6),
            "agreement": round(found.agreement, 6),
        }

    def publish(self, chosen: Made) -> dict[str, Any]:
        """Write the choice as best.tflite and best.sqz; return the verification's figures.

        Only here is the test split looked at: nothing is chosen any more. The file must be the
        one that was chosen, to the byte.
        """
        place = Path(self._config.output_dir)
        settings = self._settings(
            place / chosen.run, chosen.stage, chosen.recipe, chosen.archive_limit
        )
        keras.backend.clear_session()
        best = {"output_file": str(place / "best.tflite"), "max_accuracy_drop": 100.0}
        made = _convert({**settings, **best, "overwrite": True})
        if made.record["sha256"] != chosen.sha256:
            raise InvariantError(str(made.path), f"is not the file {chosen.name} that was chosen")
        if (size := len(files.read_bytes(place / "best.sqz", 1 << 30))) != chosen.archive_bytes:
            raise InvariantError("best.sqz", f"{size:,} bytes, {chosen.archive_bytes:,} expected")
        return dict(made.record["verification"])


def _convert(values: dict[str, Any]) -> Result:
    return convert.convert(assembly.build(ConversionConfig, values))


def choose(made: Sequence[Made], config: FitConfig) -> Made | None:
    """Return the file of best validation accuracy within the budget; None: none keeps to it.

    Of equally accurate ones the smallest is taken, because it leaves most of the budget.
    """
    fitting = [item for item in made if not exceeded(item, config)]
    return min(fitting, key=rank, default=None)


def rank(made: Made) -> tuple[float, int]:
    """Return what puts the better file first: accuracy on validation, then fewer bytes."""
    return -made.top1, made.archive_bytes


def exceeded(made: Made, config: FitConfig) -> list[str]:
    """Return the flags whose limit a file exceeds."""
    found = {
        "--max_archive_bytes": (made.archive_bytes, config.max_archive_bytes),
        "--max_latency_ms": (made.latency_ms, config.max_latency_ms),
        "--max_ram_bytes": (made.ram_bytes, config.max_ram_bytes),
    }
    return [flag for flag, (is_, limit) in found.items() if limit and is_ and is_ > limit]


def error_share(predicted: float, measured: float) -> float:
    """Return by how much a prediction was wrong, as a share of what was measured, signed."""
    return float(np.round(predicted / measured - 1, 5))
