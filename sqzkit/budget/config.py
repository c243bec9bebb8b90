"""What `sqzkit fit` is told to do; light, so that flags may import it."""

import dataclasses
from typing import Any

from sqzkit.base import assembly
from sqzkit.base.settings import Settings, like, nested, setting
from sqzkit.data.source import DataSource
from sqzkit.training.config import TrainingConfig


@dataclasses.dataclass(frozen=True)
class FitConfig(Settings):
    """One fit: the budget, and what may be spent on the search."""

    max_archive_bytes: int = setting(
        minimum=1, group="Budget", unit="bytes", help="Limit of the .sqz file."
    )
    max_latency_ms: float | None = setting(
        None,
        above=0,
        unit="milliseconds",
        help="Limit of one inference on one thread of this machine.",
        default_text="no limit",
    )
    max_ram_bytes: int | None = setting(
        None,
        minimum=1,
        unit="bytes",
        help="Limit of the memory in which TensorFlow Lite's own kernels compute an inference, "
        "without the weights.",
        default_text="no limit",
    )
    hours: float = setting(1.0, above=0, help="Time that is planned for the whole search.")
    output_dir: str = setting(
        "fit", path=True, group="Search", help="Folder of the fit. An unfinished one is resumed."
    )
    networks: int = setting(4, minimum=1, help="Networks to try for a few epochs each.")
    finalists: int = setting(2, minimum=1, help="Networks to train and compress to the end.")
    weights: str | None = like(TrainingConfig, "weights")
    weights_dir: str | None = like(TrainingConfig, "weights_dir")
    image_size: int | None = setting(
        None,
        minimum=32,
        maximum=1024,
        unit="pixels",
        help="Side of the network's input.",
        default_text="32 for tiny images, else 64; 96 and 160 with --weights",
    )
    seed: int = setting(1, minimum=0, help="Seed of weights, order and augmentation.")
    data: DataSource = nested(factory=DataSource)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.data.refuse_inside("--output_dir", self.output_dir)

    def identity(self) -> dict[str, Any]:
        """Return what must stay the same for a fit to be resumed: all but its place."""
        record = self.to_json()
        del record["output_dir"]
        return record

    def command(self) -> str:
        """Return the command line that gives this configuration."""
        return assembly.command("fit", assembly.flat(type(self)), assembly.given(self))
