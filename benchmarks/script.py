"""Run a script of this repository that defines its flags with absl, as the programs are run."""

import sys
from collections.abc import Callable, Sequence

from absl import flags

from sqzkit.base.errors import UsageError
from sqzkit.programs import cli


def run(main: Callable[[Sequence[str]], None]) -> None:
    """Parse absl's flags, run `main` with what is left of argv, and end the process."""
    cli.guard(lambda: main(_parsed()))


def reject_arguments(argv: Sequence[str]) -> None:
    """Raise `UsageError` if anything but flags was given."""
    if len(argv) > 1:
        raise UsageError(f"unexpected argument {argv[1]!r}: this script takes flags only")


def _parsed() -> list[str]:
    flags.FLAGS.set_gnu_getopt(True)
    if {"-h", "--help"} & {*sys.argv[1:]}:
        print(sys.modules["__main__"].__doc__, flags.FLAGS.main_module_help(), sep="\n")
        sys.exit()
    try:
        return list(flags.FLAGS(sys.argv))
    except flags.Error as error:
        raise UsageError(f"{error} (see --help)") from None
