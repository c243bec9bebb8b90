"""The console command `sqzkit`: one subcommand for each program."""

import importlib
import sys
from collections.abc import Sequence

COMMANDS = {
    "train": "Train an image classifier for phones, and compress it.",
    "convert": "Convert it to TensorFlow Lite, verified, and pack it.",
    "classify": "Print what is on photographs.",
    "teach": "Teach a converted model new classes, from a few photographs.",
    "report": "Write the report page of a run again.",
    "benchmark": "Time converted models on this machine.",
    "sqz": "Pack models into .sqz archives, and unpack them.",
    "publish": "Publish a new version of a model in a folder for web servers.",
    "fetch": "Bring a model up to the newest version that was published.",
    "explore": "Find a SqueezeNet for your photographs.",
    "evolve": "Breed smaller networks from a trained one.",
    "fit": "Find the best archive within a budget.",
    "compare": "Make the SqueezeNet paper's table 2 on your photographs.",
    "samples": "Write test images of a run as PNG files.",
    "net": "Write a clustered run as a .net file of Deep Compression.",
}
_HELP = ("-h", "--help", "help")


def overview() -> str:
    """Return the text of `sqzkit --help`."""
    lines = [f"  {name:12}{text}" for name, text in COMMANDS.items()]
    return (
        "usage: sqzkit COMMAND [flags]\n\n"
        "Train, compress and ship SqueezeNet image classifiers on phones.\n\n"
        + "\n".join(lines)
        + "\n\n`sqzkit COMMAND --help` lists the flags of a command.\n"
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Run the subcommand that the command line (None: `sys.argv`) names."""
    argv = sys.argv if argv is None else argv
    if len(argv) < 2 or argv[1] in _HELP:
        sys.stdout.write(overview())
        sys.exit(0 if len(argv) > 1 else 2)
    if argv[1] == "--version":
        import sqzkit

        print(sqzkit.__version__)
        sys.exit(0)
    name = argv[1]
    if name not in COMMANDS:
        from sqzkit.base import assembly

        print(
            f"error: {name[:40]!r} is not a command of sqzkit{assembly.nearest(name, COMMANDS)}\n"
            f"The commands are {', '.join(COMMANDS)}.",
            file=sys.stderr,
        )
        sys.exit(2)
    try:
        from sqzkit.programs import cli

        program: cli.Program = importlib.import_module(f"sqzkit.programs.{name}").PROGRAM
    except KeyboardInterrupt:  # before the program takes the signal itself
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    cli.run(program, argv[1:])


if __name__ == "__main__":
    main()
