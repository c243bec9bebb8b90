"""Publish a new version of a model in a folder that any web server can serve.

sqzkit publish model.tflite --folder=site               writes site/1.sqz and site/index.json
sqzkit publish better.tflite --folder=site              adds site/2.sqz and site/1-2.sqz
sqzkit publish better.tflite --folder=site --key=private.pem --valid_days=30

`sqzkit fetch` brings a file up to the newest version.
"""

import dataclasses
from typing import Any

from sqzkit.base import assembly
from sqzkit.base.errors import UsageError
from sqzkit.base.settings import Settings, setting
from sqzkit.programs import cli


@dataclasses.dataclass(frozen=True)
class PublishSettings(Settings):
    """The flags of `sqzkit publish`."""

    folder: str = setting(path=True, help="Folder of the releases, made if it is missing.")
    key: str | None = setting(
        None, path=True, help="Private key of P-256, a PEM file: sign archives and index."
    )
    updates: int = setting(
        3, minimum=0, maximum=100, help="Write updates from this many of the last releases."
    )
    release: int | None = setting(
        None,
        minimum=0,
        help="Number of this release, larger than all before.",
        default_text="the next",
    )
    valid_days: int | None = setting(
        None,
        minimum=1,
        maximum=10_000,
        help="Readers refuse the index after this many days: publish again before.",
        default_text="for ever",
    )


def main(given: dict[str, Any], arguments: list[str]) -> None:
    """Add the release, and say what it costs readers."""
    asked = assembly.build(PublishSettings, given)
    if len(arguments) != 1:
        raise UsageError("give one file, and --folder=FOLDER (--help)")
    from sqzkit.serving import publishing  # brings numba

    done = publishing.publish(arguments[0], **dataclasses.asdict(asked))
    print(f"{done.index}: release {done.release}{'' if done.written else ', as before'}")
    for archive in done.archives:
        start = "whole" if archive.base is None else f"from release {archive.base}"
        print(f"{archive.name:>16} {archive.size:>12,} bytes, {start}")


PROGRAM = cli.Program("publish", main, (PublishSettings,), arguments="FILE")

if __name__ == "__main__":
    cli.run(PROGRAM)
