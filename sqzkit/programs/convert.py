"""Convert a trained classifier to TensorFlow Lite, verified, with its metadata.

    sqzkit convert --model_dir=runs/mine --archive
    sqzkit convert --weights=NAME --output_file=FILE --representative_dataset_dir=DIR

docs/conversion.md describes what the file holds and how it is checked.
"""

from sqzkit import api
from sqzkit.conversion.config import ConversionConfig
from sqzkit.programs import cli

PROGRAM = cli.Program(
    "convert",
    lambda given, _: api.convert(**given),
    (ConversionConfig,),
    if_interrupted=cli.BEGINS_ANEW,
)

if __name__ == "__main__":
    cli.run(PROGRAM)
