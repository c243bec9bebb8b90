"""Bring a model up to the newest version that a server has, by the fewest bytes.

sqzkit fetch https://example.org/site --output=model.tflite --key=public.pem

The server is any https server with a folder that `sqzkit publish` wrote.
"""

import dataclasses
from typing import Any

from sqzkit.base import assembly
from sqzkit.base.errors import UsageError
from sqzkit.base.settings import Settings, setting
from sqzkit.programs import cli


@dataclasses.dataclass(frozen=True)
class FetchSettings(Settings):
    """The flags of `sqzkit fetch`."""

    output: str = setting(path=True, help="File to write, or to bring up to date.")
    key: str | None = setting(
        None, path=True, help="Public key of P-256, a PEM file: take only what it signed."
    )
    ca_file: str | None = setting(
        None,
        path=True,
        exists=True,
        help="PEM file of certificates to trust.",
        default_text="those of the system",
    )
    overwrite: bool = setting(
        False, help="Replace the output file also if it is not one of the releases."
    )


def main(given: dict[str, Any], arguments: list[str]) -> None:
    """Fetch the newest release, and say how."""
    asked = assembly.build(FetchSettings, given)
    if len(arguments) != 1:
        raise UsageError("give the https address of one folder, and --output=FILE (--help)")
    from sqzkit.serving import fetching  # brings numba

    done = fetching.fetch(arguments[0], **dataclasses.asdict(asked))
    if done.archives:
        print(f"{done.path}: release {done.release}, {done.size:,} bytes fetched")
        print(f"by way of {', '.join(done.archives)}")
    else:
        print(f"{done.path}: release {done.release}, as before")


PROGRAM = cli.Program("fetch", main, (FetchSettings,), arguments="URL", if_interrupted=cli.RESUMES)

if __name__ == "__main__":
    cli.run(PROGRAM)
