"""Find a SqueezeNet for your photographs: `python -m sqzkit.explore --study_dir=DIR`.

Start it again, or on other machines with one --storage, and they share the study.
"""

from collections.abc import Sequence

from absl import flags

from sqzkit.programs import cli, explore_flags

flags.adopt_module_key_flags(explore_flags)


def main(argv: Sequence[str]) -> None:
    """Explore as the flags say."""
    cli.reject_arguments(argv)
    config = explore_flags.explore_config_from_flags()
    cli.load_tensorflow()
    from sqzkit.exploration.loop import explore

    explore(config)


if __name__ == "__main__":
    cli.run(main)
