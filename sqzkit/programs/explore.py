"""Find a SqueezeNet for your photographs: docs/explore.md.

    sqzkit explore --study_dir=runs/study --data_dir=photographs

Start it again, or on other machines with one --storage, and they share the study.
"""

from typing import Any

from sqzkit import api
from sqzkit.exploration.config import ExploreConfig
from sqzkit.programs import cli


def main(given: dict[str, Any], arguments: list[str]) -> None:
    """Explore as the flags say."""
    api.explore(**given)


PROGRAM = cli.Program("explore", main, (ExploreConfig,), if_interrupted=cli.RESUMES)

if __name__ == "__main__":
    cli.run(PROGRAM)
