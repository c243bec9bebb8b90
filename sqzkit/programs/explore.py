"""Find a SqueezeNet for your photographs: docs/explore.md.

    sqzkit explore --study_dir=runs/study --data_dir=photographs

Start it again, or on other machines with one --storage, and they share the study.
"""

from sqzkit import api
from sqzkit.exploration.config import ExploreConfig
from sqzkit.programs import cli

PROGRAM = cli.Program(
    "explore", lambda given, _: api.explore(**given), (ExploreConfig,), if_interrupted=cli.RESUMES
)

if __name__ == "__main__":
    cli.run(PROGRAM)
