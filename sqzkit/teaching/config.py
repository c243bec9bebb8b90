"""What `sqzkit teach` is told to do."""

import dataclasses
import os

from sqzkit.base.errors import UsageError
from sqzkit.base.settings import Settings, like, setting
from sqzkit.data.source import DataSource
from sqzkit.teaching.head_file import SUFFIX


@dataclasses.dataclass(frozen=True)
class TeachConfig(Settings):
    """Which model to teach, on which photographs."""

    model: str = setting(
        path=True, exists=True, help="The .tflite or .sqz file whose features to use."
    )
    data_dir: str = setting(path=True, help="Folder of photographs, one folder for each class.")
    output_dir: str = setting("taught", path=True, help="Folder for head, model and report.")
    head: str | None = setting(
        None,
        path=True,
        exists=True,
        help="A .head file to teach further, instead of beginning anew.",
    )
    preprocessing: str | None = setting(
        None,
        help="Instead of what the model says: a preprocessing.json, or default (-1..1), unit "
        "(0..1), raw (0..255), caffe, torchvision.",
    )
    sums_only: bool = setting(
        False, help="Keep no features of single photographs in the head, only sums of them."
    )
    max_broken_share: float = like(DataSource, "max_broken_share")
    seed: int = setting(0, minimum=0, help="Seed of the photographs drawn for the report.")
    overwrite: bool = setting(False, help="Replace outputs that exist.")

    def __post_init__(self) -> None:
        super().__post_init__()
        DataSource(data_dir=self.data_dir).refuse_inside("--output_dir", self.output_dir)


@dataclasses.dataclass(frozen=True)
class MergeConfig(Settings):
    """Where `sqzkit teach merge` writes the merged head."""

    output_file: str = setting(path=True, help="The .head file that merging writes.")
    sums_only: bool = like(TeachConfig, "sums_only")
    overwrite: bool = like(TeachConfig, "overwrite")

    def __post_init__(self) -> None:
        super().__post_init__()
        if os.path.splitext(self.output_file)[1] != SUFFIX:
            raise UsageError(f"--output_file {self.output_file}: must end in {SUFFIX}")
