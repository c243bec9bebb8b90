"""What int8 optimization is asked for: one plain record, checked when it is built."""

import dataclasses
from typing import Any

from sqzkit.base.errors import UsageError

TARGETS = ("accuracy", "size")
SMALLEST_BUDGET = 1000


@dataclasses.dataclass(frozen=True)
class OptimizeConfig:
    """How to trade archive bytes for accuracy.

    Attributes:
      optimize_for: "accuracy" (about the bytes of plain rounding, nearer to the
        float model) or "size" (the fewest bytes that still agree with it).
      archive_budget_bytes: of the whole `.sqz`; None takes the target's own price
        for a bit. Either target searches the price that meets it.
      seed: of the chosen photographs and the sampled positions.
    """

    optimize_for: str = "size"
    archive_budget_bytes: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.optimize_for not in TARGETS:
            raise UsageError(
                f"--optimize_for={self.optimize_for}: must be one of {', '.join(TARGETS)}"
            )
        budget = self.archive_budget_bytes
        if budget is not None and budget < SMALLEST_BUDGET:
            raise UsageError(f"--archive_budget_bytes={budget}: must be {SMALLEST_BUDGET} or more")

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON-ready values."""
        return dataclasses.asdict(self)
