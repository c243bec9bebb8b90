"""What a conversion is asked to make: plain records, checked when they are built."""

import dataclasses
from typing import Literal

from sqzkit.base.errors import UsageError
from sqzkit.base.settings import Settings, setting
from sqzkit.tflite.metadata import Description

Quantization = Literal["none", "float16", "dynamic", "int8", "int16x8"]
Granularity = Literal["per_tensor", "per_channel"]
InputType = Literal["float32", "int8", "uint8"]
CALIBRATION_STEPS = 200


@dataclasses.dataclass(frozen=True)
class ConversionOptions(Settings):
    """How to convert.

    Attributes:
      quantization: "float16" stores weights so; "dynamic" has int8 weights and float32
        arithmetic around them; "int16x8" int8 weights and int16 activations.
      granularity: "per_tensor" keeps the distinct values of a clustered layer few.
      description: what the file says about itself.
    """

    quantization: Quantization = setting(
        "int8", group="Number format", help="Number format of weights and activations."
    )
    granularity: Granularity = setting(
        "per_channel",
        help="One int8 scale for each channel of a kernel (more accurate) or for the whole kernel "
        "(smaller archive, keeps codebooks).",
        default_text="per_channel; per_tensor for a clustered run",
    )
    inference_input_type: InputType | None = setting(
        None,
        help="Type of input and output. MediaPipe needs uint8.",
        default_text="int8 for int8, else float32",
    )
    description: Description = dataclasses.field(default_factory=Description)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.inference_input_type is None:
            default = "int8" if self.quantization == "int8" else "float32"
            object.__setattr__(self, "inference_input_type", default)
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
