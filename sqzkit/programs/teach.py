"""Teach a converted model new classes from a few photographs, without training.

    sqzkit teach --model=squeezenet.sqz --data_dir=photographs
    sqzkit teach merge one.head other.head --output_file=both.head

docs/teaching.md says how it works and what it reaches.
"""

from typing import Any

from sqzkit.base import assembly
from sqzkit.base.errors import UsageError
from sqzkit.programs import cli
from sqzkit.teaching.config import MergeConfig, TeachConfig


def main(given: dict[str, Any], arguments: list[str]) -> None:
    """Teach, or merge heads if the arguments say so."""
    values = {name: value for name, value in given.items() if value is not None}
    if not arguments:
        if "output_file" in values:
            raise UsageError("--output_file: only merge takes it; name --output_dir")
        config = assembly.build(TeachConfig, values)
        from sqzkit.teaching import teach

        print(teach.summary(teach.teach_folder(config)))
        return
    command, *paths = arguments
    if command != "merge":
        raise UsageError(f"unexpected argument {command!r}: only merge HEAD... is known (--help)")
    merging = assembly.build(MergeConfig, values)
    from sqzkit.teaching import teach

    head = teach.merge(paths, merging)
    print(f"{sum(head.counts)} photographs of {len(head.labels)} classes")
    print(f"wrote {merging.output_file}")


PROGRAM = cli.Program(
    "teach",
    main,
    (TeachConfig, MergeConfig),
    arguments="[merge HEAD...]",
    if_interrupted=cli.BEGINS_ANEW,
)

if __name__ == "__main__":
    cli.run(PROGRAM)
