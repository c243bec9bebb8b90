"""Breed smaller networks from a trained one: docs/evolve.md.

sqzkit evolve --model_dir=runs/mine --output_dir=runs/bred
"""

from sqzkit import api
from sqzkit.evolution.config import EvolveConfig
from sqzkit.programs import cli

PROGRAM = cli.Program(
    "evolve",
    lambda given, _: api.evolve(given.pop("model_dir"), **given),
    (EvolveConfig,),
    if_interrupted=cli.RESUMES,
)

if __name__ == "__main__":
    cli.run(PROGRAM)
