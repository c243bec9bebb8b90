"""What an AlexNet is: the record of the network SqueezeNet is compared with."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from sqzkit.base import records
from sqzkit.base.errors import UsageError
from sqzkit.models.spec import MOST_CLASSES, NORMALIZATIONS

MINIMUM_SIZE = 39  # below, nothing is left after pool5
MOST_UNITS = 1 << 14


@dataclasses.dataclass(frozen=True)
class AlexNetSpec:
    """AlexNet (Krizhevsky et al., 2012): 60,965,224 parameters at 1,000 classes.

    Attributes:
      classes: outputs of fc8, at least 2.
      normalization: "none" (the original's weights) or "batch" (after each
        layer but fc8). Local response normalization is left out: it has no
        parameters, and VGG's authors found that it does not help.
      dropout: share dropped after fc6 and fc7, in [0, 1).
      fc_units: units of fc6 and fc7, at least 1.
      fc6_rank, fc7_rank: 0, or the rank of the layer's factors, as Denton et
        al. (2014) cut dense layers by singular values.
    """

    classes: int
    normalization: str = "none"
    dropout: float = 0.5
    fc_units: int = 4096
    fc6_rank: int = 0
    fc7_rank: int = 0

    def __post_init__(self) -> None:
        if not 2 <= self.classes <= MOST_CLASSES:
            raise UsageError(
                f"classes {self.classes}: a classifier needs 2 or more, {MOST_CLASSES} at most"
            )
        if self.normalization not in NORMALIZATIONS:
            raise UsageError(
                f"normalization {self.normalization!r}: must be one of {', '.join(NORMALIZATIONS)}"
            )
        if not 0 <= self.dropout < 1:
            raise UsageError(f"dropout {self.dropout}: must be in [0, 1)")
        if not 1 <= self.fc_units <= MOST_UNITS:
            raise UsageError(f"fc_units {self.fc_units}: must be 1..{MOST_UNITS}")
        for name in ("fc6_rank", "fc7_rank"):
            if not 0 <= getattr(self, name) <= MOST_UNITS:
                raise UsageError(
                    f"{name} {getattr(self, name)}: must be 0 (not cut) to {MOST_UNITS}"
                )

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON-ready values."""
        return {"architecture": "alexnet", **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "AlexNetSpec":
        """Return the record `to_json` gave; raise `RunError` if it is none."""
        values = {key: value for key, value in record.items() if key != "architecture"}
        return records.build(cls, values, "an AlexNet specification")
