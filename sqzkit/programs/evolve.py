"""Breed smaller networks from a trained one: `python -m sqzkit.evolve`; see docs/evolve.md."""

from collections.abc import Sequence

from absl import flags

from sqzkit.programs import cli, evolve_flags

flags.adopt_module_key_flags(evolve_flags)


def main(argv: Sequence[str]) -> None:
    """Read the flags and evolve."""
    cli.reject_arguments(argv)
    config = evolve_flags.evolve_config_from_flags()
    # TensorFlow is loaded only now, so that --help and wrong flags answer at once.
    cli.load_tensorflow()
    from sqzkit.evolution.evolution import evolve

    evolve(config)


if __name__ == "__main__":
    cli.run(main)
