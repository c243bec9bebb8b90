"""What int8 optimization is asked for: one plain record, checked when it is built."""

import dataclasses
from typing import Literal

from sqzkit.base.errors import UsageError
from sqzkit.base.settings import Settings, setting

Target = Literal["accuracy", "size"]
MIN_BUDGET = 1000


@dataclasses.dataclass(frozen=True)
class OptimizeConfig(Settings):
    """How to trade archive bytes for accuracy.

    A budget decides on the price of a bit. Without one the target's own price is taken, or, where
    labelled photographs judge, where the search for the smallest file begins.
    """

    optimize_for: Target = setting(
        "size",
        help="Choose int8 weights by their bytes in the .sqz and by how much they change the "
        "answers on the representative photographs: 'size' takes the fewest bytes, 'accuracy'"
        " about those of plain rounding. The file is per_tensor.",
    )
    archive_budget_bytes: int | None = setting(
        None, minimum=MIN_BUDGET, unit="bytes", help="With --optimize_for: limit of the .sqz file."
    )
    update_budget_bytes: int | None = setting(
        None,
        minimum=1,
        unit="bytes",
        help="With --optimize_for and --base: limit of the .update.sqz file.",
    )
    seed: int = setting(0, minimum=0, hidden=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.archive_budget_bytes and self.update_budget_bytes:
            raise UsageError(
                f"--archive_budget_bytes={self.archive_budget_bytes} and --update_budget_bytes="
                f"{self.update_budget_bytes}: give one of the two"
            )
