"""Make the SqueezeNet paper's table 2 on your photographs: docs/comparing.md.

sqzkit compare --output_dir=runs/table --data_dir=photographs --quick
"""

from typing import Any

from sqzkit import api
from sqzkit.paper.config import CompareConfig
from sqzkit.programs import cli


def main(given: dict[str, Any], arguments: list[str]) -> None:
    """Compare as the flags say."""
    api.compare(**given)


PROGRAM = cli.Program("compare", main, (CompareConfig,), if_interrupted=cli.RESUMES)

if __name__ == "__main__":
    cli.run(PROGRAM)
