"""Find the best archive within a budget: docs/fit.md.

sqzkit fit --data_dir=photographs --max_archive_bytes=50000
"""

from sqzkit.budget.config import FitConfig
from sqzkit.budget.fit import fit
from sqzkit.programs import cli

PROGRAM = cli.Program(
    "fit",
    lambda given, _: fit(**given),
    (FitConfig,),
    if_interrupted=cli.RESUMES,
)

if __name__ == "__main__":
    cli.run(PROGRAM)
