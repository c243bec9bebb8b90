"""Convert a trained classifier to TensorFlow Lite, verified, with its metadata.

    python convert.py --model_dir=runs/digits --archive
    python convert.py --weights=NAME --output_file=FILE --representative_dataset_dir=DIR

docs/conversion.md says what the file holds and how it was checked.
"""

import sys
from collections.abc import Sequence

from absl import flags as absl_flags

from sqzkit import cli
from sqzkit.quiet import quiet
from sqzkit.tflite import flags, outputs

absl_flags.adopt_module_key_flags(flags)


def main(argv: Sequence[str]) -> None:
    """Convert as the flags say."""
    cli.reject_arguments(argv)
    config = flags.config_from_flags()
    outputs.refuse_early(config)
    # TensorFlow is loaded here, so that --help and wrong flags answer at once.
    cli.load_tensorflow()
    with quiet():
        from sqzkit.tflite import program

    print(program.report(program.convert(config)))
    if config.model_dir:
        from sqzkit.report.page import write_report
        from sqzkit.run_folder import RunFolder

        folder = RunFolder.existing(config.model_dir)
        folder.add_command(sys.argv)
        print(f"report: {write_report(folder)}")


if __name__ == "__main__":
    cli.run(main)
