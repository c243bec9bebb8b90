"""Write a clustered run as Song Han's `.net` file.

python -m sqzkit.net --model_dir=runs/mine --output_file=mine.net
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from sqzkit.base import files
from sqzkit.programs import cli

_MODEL_DIR = flags.DEFINE_string("model_dir", None, "The run folder.", required=True)
_OUTPUT_FILE = flags.DEFINE_string("output_file", None, "The .net file to write.", required=True)
_STAGE = flags.DEFINE_string("stage", None, "Whose weights to take; default: the last stage's.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace the output if it exists.")


def main(argv: Sequence[str]) -> None:
    """Write the file and say how large it is."""
    cli.reject_arguments(argv)
    output = Path(_OUTPUT_FILE.value)
    files.refuse_existing(output, _OVERWRITE.value)
    from sqzkit.compression.han_export import export_net

    content = export_net(_MODEL_DIR.value, _STAGE.value)
    files.write_bytes(output, content)
    print(f"{output}: {len(content):,} bytes, every weight read back")


if __name__ == "__main__":
    cli.run(main)
