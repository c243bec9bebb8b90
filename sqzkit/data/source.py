"""Where the images come from: a record that can be stored and opened again."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from sqzkit.base import records
from sqzkit.base.errors import UsageError
from sqzkit.base.settings import Settings, setting

Flip = Literal["auto", "on", "off"]


@dataclasses.dataclass(frozen=True)
class DataSource(Settings):
    """A folder of photographs, a TFDS data set, or (neither) the embedded digits.

    Attributes:
      seed: decides which examples go where when a split is cut.
      validation_share, test_share: of the training part, where the source has no such split.
    """

    data_dir: str | None = setting(
        None,
        path=True,
        group="Data",
        help="Folder of photographs, one folder for each class.",
        default_text="embedded digits",
    )
    tfds_name: str | None = setting(
        None, help="TensorFlow Datasets (TFDS) image classification data set, such as cifar10."
    )
    tfds_data_dir: str | None = setting(
        None, path=True, help="Folder in which TFDS keeps data sets.", default_text="TFDS's own"
    )
    tfds_download: bool = setting(False, help="Let TFDS download a data set that is missing.")
    seed: int = setting(0, minimum=0, hidden=True)
    validation_share: float = setting(0.1, above=0, below=1, hidden=True)
    test_share: float = setting(0.2, above=0, below=1, hidden=True)
    max_broken_share: float = setting(
        0.05, minimum=0, maximum=1, help="Share of photographs that may be unreadable."
    )
    flip: Flip = setting(
        "auto", help="Whether a mirrored image keeps its meaning; auto: not for known digits."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data_dir is not None and self.tfds_name is not None:
            raise UsageError(
                f"--data_dir {self.data_dir} and --tfds_name {self.tfds_name}: give one of the two"
            )
        if self.tfds_data_dir is not None and self.tfds_name is None:
            raise UsageError(
                f"--tfds_data_dir {self.tfds_data_dir} without --tfds_name: "
                "name the data set, for example --tfds_name=cifar10"
            )
        if self.validation_share + self.test_share >= 1:
            raise UsageError(
                f"--validation_share {self.validation_share} and --test_share {self.test_share}: "
                "must leave something to train on"
            )

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "DataSource":
        """Return the record `to_json` gave; raise `RunError` if it is not one."""
        return records.build(cls, record, "a data source record", partial=True)

    def refuse_inside(self, flag: str, folder: str) -> None:
        """Raise `UsageError` for an output folder among the photographs, whose pictures it holds.

        One with a hidden name on the way is not read.
        """
        if self.data_dir is None:
            return
        top, inner = (Path(path).expanduser().resolve() for path in (self.data_dir, folder))
        if inner.is_relative_to(top):
            if not any(part.startswith(".") for part in inner.relative_to(top).parts):
                raise UsageError(
                    f"{flag} {folder}: lies in --data_dir {self.data_dir}, where its pictures "
                    "would be taken for photographs; name a place outside"
                )

    def flips(self, by_default: bool) -> bool:
        """Return whether to mirror, given what "auto" means for this data set."""
        return by_default if self.flip == "auto" else self.flip == "on"
