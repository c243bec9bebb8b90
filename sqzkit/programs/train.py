"""Train an image classifier for phones, and compress it.

    sqzkit train --model_dir=runs/mine --data_dir=photographs
    sqzkit train --model_dir=runs/mine --stages=train,prune,cluster,quantize

docs/training.md describes the flags, docs/compression.md those of the stages.
"""

from typing import Any

from sqzkit import api
from sqzkit.compression.plan import CompressionConfig
from sqzkit.programs import cli
from sqzkit.training.config import TrainingConfig


def main(given: dict[str, Any], arguments: list[str]) -> None:
    """Train as the flags say."""
    run = api.train(**given)
    if run.report:
        print(f"report: {run.report}")


PROGRAM = cli.Program(
    "train", main, (TrainingConfig, CompressionConfig), if_interrupted=cli.RESUMES
)

if __name__ == "__main__":
    cli.run(PROGRAM)
