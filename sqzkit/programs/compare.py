"""Make the SqueezeNet paper's table 2 on your photographs: docs/comparing.md.

sqzkit compare --output_dir=runs/table --data_dir=photographs --quick
"""

from sqzkit import api
from sqzkit.paper.config import CompareConfig
from sqzkit.programs import cli

PROGRAM = cli.Program(
    "compare", lambda given, _: api.compare(**given), (CompareConfig,), if_interrupted=cli.RESUMES
)

if __name__ == "__main__":
    cli.run(PROGRAM)
