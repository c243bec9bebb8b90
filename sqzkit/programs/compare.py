"""The SqueezeNet paper's table 2 on your data: `python -m sqzkit.compare`; docs/comparing.md."""

from collections.abc import Sequence

from absl import flags

from sqzkit.programs import cli, compare_flags

flags.adopt_module_key_flags(compare_flags)


def main(argv: Sequence[str]) -> None:
    """Read the flags and compare."""
    cli.reject_arguments(argv)
    config = compare_flags.compare_config_from_flags()
    # TensorFlow is loaded only now, so that --help and wrong flags answer at once.
    cli.load_tensorflow()
    from sqzkit.paper.loop import compare

    compare(config)


if __name__ == "__main__":
    cli.run(main)
