"""What an AlexNet is: the record of the network SqueezeNet is compared with."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from sqzkit.errors import RunError, UsageError
from sqzkit.models.spec import NORMALIZATIONS

MINIMUM_SIZE = 39  # below, nothing is left after pool5


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
        if self.classes < 2:
            raise UsageError(f"classes {self.classes}: a classifier needs 2 or more")
        if self.normalization not in NORMALIZATIONS:
            raise UsageError(
                f"normalization {self.normalization!r}: must be one of {', '.join(NORMALIZATIONS)}"
            )
        if not 0 <= self.dropout < 1:
            raise UsageError(f"dropout {self.dropout}: must be in [0, 1)")
        if self.fc_units < 1:
            raise UsageError(f"fc_units {self.fc_units}: must be 1 or more")
        for name in ("fc6_rank", "fc7_rank"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name} {getattr(self, name)}: must be 0 (not cut) or more")

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON-ready values."""
        return {"architecture": "alexnet", **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "AlexNetSpec":
        """Return the record `to_json` gave; raise `RunError` if it is none."""
        try:
            return cls(**{key: value for key, value in record.items() if key != "architecture"})
        except (TypeError, UsageError) as error:
            raise RunError(f"not an AlexNet specification: {error}") from error
