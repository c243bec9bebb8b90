"""The programs that are disturbed: what to call, from where they start, what they work on."""

import dataclasses
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
NETWORK = ("--model=tiny", "--fire_modules=1", "--pool_after=conv1", "--image_size=32")
TRAINING = ("--train_epochs=4", "--train_batch_size=16", "--dropout=0.3")
STAGES = ("--prune_epochs=3", "--dense_epochs=3", "--cluster_epochs=3", "--quantize_epochs=2")


@dataclasses.dataclass(frozen=True)
class Program:
    """One program on little data.

    Attributes:
      name: what to call it.
      call: an entry file or a module, and its flags; DATA stands for the photographs.
      starts_from: name of the program whose undisturbed result is its input, or None.
      needs_data: whether it reads the photographs.
    """

    name: str
    call: tuple[str, ...]
    starts_from: str | None = None
    needs_data: bool = True

    def arguments(self, data: Path) -> list[str]:
        """Return the command line after `python`."""
        target, *flags = (part.replace("DATA", str(data)) for part in self.call)
        return [str(REPOSITORY / target) if target.endswith(".py") else target, *flags]


def _stages(*stages: str) -> tuple[str, ...]:
    named = f"--stages={','.join(stages)}"
    flags = ("--model_dir=run", "--data_dir=DATA", *NETWORK, *TRAINING, *STAGES, named)
    return ("train.py", *flags)


_CONVERT = ("--model_dir=run", "--archive", "--calibration_steps=20", "--max_accuracy_drop=100")
_SPACE = (
    *("--model=tiny", "--base_e=8,16,24", "--incr_e=8", "--pct3x3=0.5", "--squeeze_ratio=0.5"),
    *("--bypass=none", "--pool_after=conv1+fire3"),
)
_EXPLORE = (
    *("--study_dir=study", "--data_dir=DATA", *_SPACE, "--sampler=grid", "--train_epochs=2"),
    *("--train_batch_size=16", "--objectives=accuracy,sqz_bytes", "--nostop_bad"),
)
_EVOLVE = (
    *("--model_dir=run", "--output_dir=evolution", "--generations=2", "--population=2"),
    *("--environment=0.8", "--train_epochs=1", "--final_epochs=2"),
)

PROGRAMS = {
    program.name: program
    for program in (
        Program("train", _stages("train")),
        Program("prune", _stages("train", "prune"), "train"),
        Program("dense", _stages("train", "prune", "dense"), "prune"),
        Program("cluster", _stages("train", "prune", "cluster"), "prune"),
        Program("quantize", _stages("train", "prune", "cluster", "quantize"), "cluster"),
        Program("convert", ("convert.py", *_CONVERT), "cluster"),
        Program(
            "pack",
            ("sqzkit.sqz", "pack", "run/conversions/int8_per_tensor.tflite", "--output=run/a.sqz"),
            "convert",
            needs_data=False,
        ),
        Program("explore", ("sqzkit.explore", *_EXPLORE)),
        Program("evolve", ("sqzkit.evolve", *_EVOLVE), "train"),
    )
}
