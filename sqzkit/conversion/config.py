"""What convert.py is told to do, checked before anything is loaded."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from sqzkit.base import assembly
from sqzkit.base.errors import UsageError
from sqzkit.base.settings import Settings, nested, setting
from sqzkit.conversion.options import CALIBRATION_STEPS, ConversionOptions
from sqzkit.models.spec import ModelName
from sqzkit.ptq.config import OptimizeConfig


@dataclasses.dataclass(frozen=True)
class ConversionConfig(Settings):
    """What to convert, how to check it, and where to write it.

    Attributes:
      granularity_given: whether `options.granularity` was asked for; if not, a run with
        clustered kernels is converted per tensor.
      optimize: how to choose int8 weights for a small archive; None: plain rounding.
    """

    options: ConversionOptions = nested(factory=ConversionOptions)
    model_dir: str | None = setting(
        None,
        path=True,
        group="What to convert (one of these)",
        help="Run folder, made by training.",
    )
    stage: str | None = setting(
        None, help="Stage of the run.", default_text="the last finished stage"
    )
    data_dir: str | None = setting(
        None,
        path=True,
        help="Where the photographs of the run are now, if they were moved.",
        default_text="as the run recorded",
    )
    weights: str | None = setting(
        None,
        help="ImageNet weights: a name (docs/networks.md) such as v1_1_onnx, or a file "
        "(.caffemodel, .onnx, .pth, .net).",
    )
    weights_dir: str | None = setting(
        None, path=True, help="Folder in which published weights may already be."
    )
    model: ModelName | None = setting(
        None,
        help="Network of a file of --weights.",
        default_text="v1_0 or v1_1 by its first kernel, and what its graph tells",
    )
    image_size: int | None = setting(
        None,
        minimum=32,
        maximum=1024,
        unit="pixels",
        help="With --weights: side of the network's square input.",
        default_text="that it was trained with",
    )
    keras_model_file: str | None = setting(
        None, path=True, help="A .keras or .h5 classifier, saved by Keras 2 or 3."
    )
    preprocessing: str | None = setting(
        None,
        help="Of a Keras file or a file of --weights: a preprocessing.json file, or default "
        "(-1..1), unit (0..1), raw (0..255), caffe or torchvision.",
    )
    labels_file: str | None = setting(
        None, path=True, help="Of such a file: class names, one a line, in class order."
    )
    granularity_given: bool = False
    optimize: OptimizeConfig | None = nested(None)
    representative_dataset_dir: str | None = setting(
        None,
        path=True,
        group="Calibration and verification",
        help="Photographs (any folder) to calibrate on.",
        default_text="the run's own training split",
    )
    calibration_steps: int = setting(
        CALIBRATION_STEPS, minimum=2, help="Maximum number of photographs to calibrate on."
    )
    verify: bool = setting(
        True, help="Compare with the float model on the test split before writing."
    )
    max_accuracy_drop: float = setting(
        0.5,
        minimum=0,
        maximum=100,
        unit="percentage points",
        help="Write no file that loses more top-1 accuracy than this. A loss of at most 10 "
        "points that chance explains (one-sided sign test on the photographs that only one of "
        "both answers correctly: p above 0.05) is reported, not refused.",
    )
    seed: int = setting(0, minimum=0, help="Seed of the choice of representative photographs.")
    output_file: str | None = setting(
        None,
        path=True,
        group="Output",
        help="The .tflite file to write.",
        default_text="in the run folder's conversions/",
    )
    teachable: bool = setting(
        False,
        help="Name the features and the class map as further outputs of the graph, from which "
        "an app can teach new classes. sqzkit teach does not need this.",
    )
    archive: bool = setting(False, help="Write the .sqz archive beside the file too.")
    base: str | None = setting(
        None,
        path=True,
        help="With --archive: an older version of the file, or its archive. Keep its int8 scales "
        "while they serve, and write an update too: an archive of what differs (.update.sqz).",
        default_text="no update",
    )
    overwrite: bool = setting(False, help="Replace output files that exist.")

    @classmethod
    def from_settings(cls, values: Mapping[str, Any]) -> "ConversionConfig":
        """Return the record of flat settings (see `settings.build`)."""
        for flag in ("archive_budget_bytes", "update_budget_bytes"):
            if flag in values and "optimize_for" not in values:
                raise UsageError(f"--{flag} needs --optimize_for=size or accuracy")
        config = assembly.assemble(cls, values, granularity_given="granularity" in values)
        if config.optimize is None:
            return config
        optimize = dataclasses.replace(config.optimize, seed=config.seed)
        return dataclasses.replace(config, optimize=optimize)

    def __post_init__(self) -> None:
        super().__post_init__()
        sources = ("model_dir", "weights", "keras_model_file")
        given = [f"--{name}" for name in sources if getattr(self, name) is not None]
        if len(given) != 1:
            raise UsageError(
                f"give exactly one of --model_dir, --weights, --keras_model_file "
                f"(now: {', '.join(given) or 'none'})"
            )
        if self.stage is not None and self.model_dir is None:
            raise UsageError(f"--stage={self.stage}: only a run folder (--model_dir) has stages")
        if self.data_dir is not None and self.model_dir is None:
            raise UsageError(
                f"--data_dir={self.data_dir}: only a run (--model_dir) has data of its own; for "
                "other models give --representative_dataset_dir"
            )
        if self.model is not None and self.weights is None:
            raise UsageError(f"--model={self.model}: only a file of --weights may need it")
        if self.image_size is not None and self.weights is None:
            raise UsageError(
                f"--image_size={self.image_size}: only the size of --weights can be chosen; a run "
                "or a Keras file has its own"
            )
        if self.keras_model_file is not None and not (self.preprocessing and self.labels_file):
            raise UsageError("--keras_model_file needs --preprocessing and --labels_file too")
        if self.model_dir is None and self.output_file is None:
            raise UsageError(f"{given[0]} needs --output_file: only a run folder has a place")
        if self.output_file is not None and not self.output_file.endswith(".tflite"):
            raise UsageError(f"--output_file {self.output_file}: must end in .tflite")
        if self.base is not None and not self.archive:
            raise UsageError(f"--base={self.base}: only an archive has updates; add --archive")
        if self.optimize is not None:
            self._check_optimize()

    def _check_optimize(self) -> None:
        if self.optimize and self.optimize.update_budget_bytes and self.base is None:
            raise UsageError(
                f"--update_budget_bytes={self.optimize.update_budget_bytes}: only an update of "
                "something has a size; give --base"
            )
        if self.options.quantization != "int8":
            raise UsageError(
                f"--optimize_for needs --quantization=int8, not {self.options.quantization}"
            )
        if self.granularity_given and self.options.granularity != "per_tensor":
            raise UsageError(
                f"--granularity={self.options.granularity} with --optimize_for: only files with "
                "one scale a kernel (per_tensor) are optimized; leave one of the two flags out"
            )
