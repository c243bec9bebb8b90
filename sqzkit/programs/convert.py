"""Convert a trained classifier to TensorFlow Lite, verified, with its metadata.

    sqzkit convert --model_dir=runs/mine --archive
    sqzkit convert --weights=NAME --output_file=FILE --representative_dataset_dir=DIR

docs/conversion.md describes what the file holds and how it is checked.
"""

from typing import Any

from sqzkit import api
from sqzkit.conversion.config import ConversionConfig
from sqzkit.programs import cli


def main(given: dict[str, Any], arguments: list[str]) -> None:
    """Convert as the flags say."""
    api.convert(given.pop("model_dir", None), **given)


PROGRAM = cli.Program("convert", main, (ConversionConfig,), if_interrupted=cli.BEGINS_ANEW)

if __name__ == "__main__":
    cli.run(PROGRAM)
