"""`python -m sqzkit.report --model_dir=RUN`: write the run's report page."""

from collections.abc import Sequence

from absl import flags

from sqzkit.programs import cli
from sqzkit.runs.folder import RunFolder

_MODEL_DIR = flags.DEFINE_string("model_dir", None, "The run folder.", required=True)


def main(argv: Sequence[str]) -> None:
    """Write the page and say where it is."""
    from sqzkit.reporting.page import write_report

    cli.reject_arguments(argv)
    print(write_report(RunFolder.existing(_MODEL_DIR.value)))


if __name__ == "__main__":
    cli.run(main)
