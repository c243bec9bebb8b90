"""Write a clustered run as a `.net` file of Song Han's Deep Compression.

sqzkit net --model_dir=runs/mine --output_file=mine.net
"""

import dataclasses
from typing import Any

from sqzkit.base import assembly, files, quiet
from sqzkit.base.settings import Settings, setting
from sqzkit.programs import cli


@dataclasses.dataclass(frozen=True)
class NetSettings(Settings):
    """The flags of `sqzkit net`."""

    model_dir: str = setting(path=True, help="The run folder.")
    output_file: str = setting(path=True, help="The .net file to write.")
    stage: str | None = setting(
        None, help="Stage whose weights to take.", default_text="the last finished stage"
    )
    overwrite: bool = setting(False, help="Replace the output file if it exists.")


def main(given: dict[str, Any], arguments: list[str]) -> None:
    """Write the file and print its size."""
    asked = assembly.build(NetSettings, given)
    files.refuse_existing(asked.output_file, asked.overwrite)
    quiet.load_tensorflow()
    from sqzkit.compression.han_export import export_net

    content = export_net(asked.model_dir, asked.stage)
    files.write_bytes(asked.output_file, content)
    print(f"{asked.output_file}: {len(content):,} bytes, every weight read back")


PROGRAM = cli.Program("net", main, (NetSettings,))

if __name__ == "__main__":
    cli.run(PROGRAM)
