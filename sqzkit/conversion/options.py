"""What a conversion is asked to make: plain records, checked when they are built."""

import dataclasses
from typing import Any

from sqzkit.base.errors import UsageError
from sqzkit.tflite.metadata import Description

QUANTIZATIONS = ("none", "float16", "dynamic", "int8", "int16x8")
GRANULARITIES = ("per_tensor", "per_channel")
INPUT_TYPES = ("float32", "int8", "uint8")
CALIBRATION_STEPS = 200


@dataclasses.dataclass(frozen=True)
class ConversionOptions:
    """How to convert.

    Attributes:
      quantization: "none" (float32), "float16" (weights), "dynamic" (int8
        weights, float32 arithmetic around them), "int8" or "int16x8" (int8
        weights, int16 activations).
      granularity: one int8 scale "per_channel" of a kernel, or one "per_tensor",
        which keeps the distinct values of a clustered layer few.
      inference_input_type: "float32", or for int8 also "int8" and "uint8"; the
        output has the same type. None: int8 for int8, else float32.
      description: what the file says about itself.
    """

    quantization: str = "int8"
    granularity: str = "per_channel"
    inference_input_type: str | None = None
    description: Description = dataclasses.field(default_factory=Description)

    def __post_init__(self) -> None:
        _require("quantization", self.quantization, QUANTIZATIONS)
        _require("granularity", self.granularity, GRANULARITIES)
        if self.inference_input_type is None:
            default = "int8" if self.quantization == "int8" else "float32"
            object.__setattr__(self, "inference_input_type", default)
        _require("inference_input_type", str(self.inference_input_type), INPUT_TYPES)
        if self.quantization != "int8" and self.inference_input_type != "float32":
            raise UsageError(
                f"--inference_input_type={self.inference_input_type} needs --quantization=int8; "
                f"--quantization={self.quantization} takes float32"
            )

    @property
    def needs_calibration(self) -> bool:
        """Whether representative images are needed."""
        return self.quantization in ("int8", "int16x8")

    @property
    def has_integer_kernels(self) -> bool:
        """Whether the file has int8 kernels, so that `granularity` means something."""
        return self.quantization in ("dynamic", "int8", "int16x8")

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON-ready values."""
        return dataclasses.asdict(self)


def _require(name: str, value: str, legal: tuple[str, ...]) -> None:
    if value not in legal:
        raise UsageError(f"--{name}={value}: must be one of {', '.join(legal)}")
