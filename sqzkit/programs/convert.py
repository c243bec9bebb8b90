"""Convert a trained classifier to TensorFlow Lite, verified, with its metadata.

    python convert.py --model_dir=runs/digits --archive
    python convert.py --weights=NAME --output_file=FILE --representative_dataset_dir=DIR

docs/conversion.md says what the file holds and how it was checked.
"""

import sys
from collections.abc import Sequence

from absl import flags as absl_flags

from sqzkit.base.quiet import quiet
from sqzkit.conversion import outputs
from sqzkit.programs import cli, convert_flags
from sqzkit.runs import lock
from sqzkit.runs.folder import RunFolder

absl_flags.adopt_module_key_flags(convert_flags)


def main(argv: Sequence[str]) -> None:
    """Convert as the flags say."""
    cli.reject_arguments(argv)
    config = convert_flags.config_from_flags()
    outputs.refuse_early(config)
    # TensorFlow is loaded here, so that --help and wrong flags answer at once.
    cli.load_tensorflow()
    with quiet():
        from sqzkit.conversion import convert

    if not config.model_dir:
        print(convert.report(convert.convert(config)))
        return
    from sqzkit.reporting.page import write_report

    folder = RunFolder.existing(config.model_dir)
    with lock.hold(config.model_dir):
        print(convert.report(convert.convert(config)))
        folder.add_command(sys.argv)
        print(f"report: {write_report(folder)}")


if __name__ == "__main__":
    cli.run(main)
