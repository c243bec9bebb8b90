"""What convert.py is told to do, checked before anything is loaded."""

import dataclasses
from typing import Any

from sqzkit.base.errors import UsageError
from sqzkit.conversion.options import CALIBRATION_STEPS, ConversionOptions
from sqzkit.ptq.config import OptimizeConfig

MAX_ACCURACY_DROP = 0.5


@dataclasses.dataclass(frozen=True)
class ConversionConfig:
    """The flags of convert.py.

    Attributes:
      options: how to convert.
      granularity_given: whether `options.granularity` was asked for; if not, a
        run with clustered kernels is converted per tensor.
      model_dir, weights, keras_model_file: what; exactly one of them.
      stage: of the run; None: the last finished.
      weights_dir: where published weights may lie already.
      preprocessing, labels_file: of a Keras file.
      output_file: None for the run folder's `conversions/`.
      representative_dataset_dir: photographs to calibrate on; None: the run's own.
      calibration_steps: at most so many of them, 2 or more.
      verify: whether to compare accuracies and refuse a drop.
      max_accuracy_drop: percentage points of top-1, 0..100.
      archive: whether to write a `.sqz` beside the file.
      overwrite: whether outputs may be replaced.
      seed: of the choice of representative photographs.
      optimize: how to choose int8 weights for a small archive; None: plain rounding.
    """

    options: ConversionOptions = dataclasses.field(default_factory=ConversionOptions)
    granularity_given: bool = False
    model_dir: str | None = None
    stage: str | None = None
    weights: str | None = None
    weights_dir: str | None = None
    keras_model_file: str | None = None
    preprocessing: str | None = None
    labels_file: str | None = None
    output_file: str | None = None
    representative_dataset_dir: str | None = None
    calibration_steps: int = CALIBRATION_STEPS
    verify: bool = True
    max_accuracy_drop: float = MAX_ACCURACY_DROP
    archive: bool = False
    overwrite: bool = False
    seed: int = 0
    optimize: OptimizeConfig | None = None

    def __post_init__(self) -> None:
        sources = ("model_dir", "weights", "keras_model_file")
        given = [f"--{name}" for name in sources if getattr(self, name) is not None]
        if len(given) != 1:
            raise UsageError(
                f"give exactly one of --model_dir, --weights, --keras_model_file "
                f"(now: {', '.join(given) or 'none'})"
            )
        if self.stage is not None and self.model_dir is None:
            raise UsageError(f"--stage={self.stage}: only a run folder (--model_dir) has stages")
        if self.keras_model_file is not None and not (self.preprocessing and self.labels_file):
            raise UsageError("--keras_model_file needs --preprocessing and --labels_file too")
        if self.model_dir is None and self.output_file is None:
            raise UsageError(f"{given[0]} needs --output_file: only a run folder has a place")
        if self.output_file is not None and not self.output_file.endswith(".tflite"):
            raise UsageError(f"--output_file {self.output_file}: must end in .tflite")
        if self.calibration_steps < 2:
            raise UsageError(f"--calibration_steps={self.calibration_steps}: must be 2 or more")
        if not 0 <= self.max_accuracy_drop <= 100:
            raise UsageError(f"--max_accuracy_drop={self.max_accuracy_drop}: must be 0..100")
        if self.seed < 0:
            raise UsageError(f"--seed={self.seed}: must be 0 or more")
        if self.optimize is not None:
            self._check_optimize()

    def _check_optimize(self) -> None:
        if self.options.quantization != "int8":
            raise UsageError(
                f"--optimize_for needs --quantization=int8, not {self.options.quantization}"
            )
        if self.granularity_given and self.options.granularity != "per_tensor":
            raise UsageError(
                f"--granularity={self.options.granularity} with --optimize_for: only files with "
                "one scale a kernel (per_tensor) are optimized; leave one of the two flags out"
            )

    def to_json(self) -> dict[str, Any]:
        """Return the flags as JSON-ready values."""
        return dataclasses.asdict(self)
