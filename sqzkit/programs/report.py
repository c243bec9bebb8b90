"""Write the report page of a run again.

sqzkit report --model_dir=runs/mine
"""

import dataclasses
from typing import Any

from sqzkit import api
from sqzkit.base import assembly
from sqzkit.base.settings import Settings, setting
from sqzkit.programs import cli


@dataclasses.dataclass(frozen=True)
class ReportSettings(Settings):
    """The flags of `sqzkit report`."""

    model_dir: str = setting(path=True, help="The run folder.")
    retrained: str | None = setting(
        None,
        path=True,
        help="Of a run that was trained with --base: the folder of one on the same photographs "
        "that was trained without, to compare with.",
    )


def main(given: dict[str, Any], arguments: list[str]) -> None:
    """Write the page and print where it is."""
    asked = assembly.build(ReportSettings, given)
    print(api.write_report(asked.model_dir, asked.retrained))


PROGRAM = cli.Program("report", main, (ReportSettings,))

if __name__ == "__main__":
    cli.run(PROGRAM)
