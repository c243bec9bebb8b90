"""Where the images come from: a record that can be stored and opened again."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from sqzkit.base import records
from sqzkit.base.errors import UsageError

FLIPS = ("auto", "on", "off")


@dataclasses.dataclass(frozen=True)
class DataSource:
    """A folder of photographs, a TFDS data set, or (neither) the embedded digits.

    Attributes:
      data_dir: folder of photographs (see `sqzkit.data.folder`).
      tfds_name: name of a TFDS image-classification data set, such as "cifar10".
      tfds_data_dir: where TFDS keeps its data sets; None is TFDS's own default.
      tfds_download: whether TFDS may fetch what is not there.
      seed: decides which examples go where when a split is cut, 0 or more.
      validation_share: share of the training part cut off for validation where
        the source has no validation split, above 0 and below 1.
      test_share: the same for the test split.
      max_broken_share: share of photographs that may be unreadable, 0..1.
      flip: whether a mirrored image keeps its meaning: "on", "off", or "auto"
        (off for digits and letters that we know of, else on).
    """

    data_dir: str | None = None
    tfds_name: str | None = None
    tfds_data_dir: str | None = None
    tfds_download: bool = False
    seed: int = 0
    validation_share: float = 0.1
    test_share: float = 0.2
    max_broken_share: float = 0.05
    flip: str = "auto"

    def __post_init__(self) -> None:
        if self.data_dir is not None and self.tfds_name is not None:
            raise UsageError(
                f"--data_dir {self.data_dir} and --tfds_name {self.tfds_name}: give one of the two"
            )
        for flag in ("data_dir", "tfds_name"):
            if getattr(self, flag) == "":
                raise UsageError(f"--{flag} is empty: give a value or leave the flag out")
        if self.tfds_data_dir is not None and self.tfds_name is None:
            raise UsageError(
                f"--tfds_data_dir {self.tfds_data_dir} without --tfds_name: "
                "name the data set, for example --tfds_name=cifar10"
            )
        if self.seed < 0:
            raise UsageError(f"--seed {self.seed}: must be 0 or more")
        for flag in ("validation_share", "test_share"):
            if not 0 < getattr(self, flag) < 1:
                raise UsageError(f"--{flag} {getattr(self, flag)}: must be above 0 and below 1")
        if self.validation_share + self.test_share >= 1:
            raise UsageError(
                f"--validation_share {self.validation_share} and --test_share {self.test_share}: "
                "must leave something to train on"
            )
        if not 0 <= self.max_broken_share <= 1:
            raise UsageError(f"--max_broken_share {self.max_broken_share}: must be 0..1")
        if self.flip not in FLIPS:
            raise UsageError(f"--flip {self.flip!r}: must be one of {', '.join(FLIPS)}")

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON-ready values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "DataSource":
        """Return the record `to_json` gave; raise `RunError` if it is none."""
        return records.build(cls, record, "a data source record", partial=True)

    def flips(self, by_default: bool) -> bool:
        """Return whether to mirror, given what "auto" means for this data set."""
        return by_default if self.flip == "auto" else self.flip == "on"
