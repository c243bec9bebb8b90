"""Breed smaller networks from a trained one: docs/evolve.md.

sqzkit evolve --model_dir=runs/mine --output_dir=runs/bred
"""

from typing import Any

from sqzkit import api
from sqzkit.evolution.config import EvolveConfig
from sqzkit.programs import cli


def main(given: dict[str, Any], arguments: list[str]) -> None:
    """Evolve as the flags say."""
    api.evolve(given.pop("model_dir"), **given)


PROGRAM = cli.Program("evolve", main, (EvolveConfig,), if_interrupted=cli.RESUMES)

if __name__ == "__main__":
    cli.run(PROGRAM)
