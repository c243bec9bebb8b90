"""What `python -m sqzkit.evolve` is told to do; light, so that flags may import it."""

import dataclasses
from typing import Any

from sqzkit.base import assembly
from sqzkit.base.settings import Settings, setting


@dataclasses.dataclass(frozen=True)
class EvolveConfig(Settings):
    """One evolution. Parameters fall by about the square of `environment` in a generation.

    The fittest lives on; after the last generation it is trained further as the run "final".
    """

    model_dir: str = setting(path=True, help="Run folder of the ancestor, made by training.")
    output_dir: str = setting(
        path=True, help="Folder of the evolution. An unfinished one in it is resumed."
    )
    generations: int = setting(15, minimum=1, help="Generations to breed.")
    population: int = setting(2, minimum=1, help="Offspring of a generation; the fittest lives.")
    environment: float = setting(
        0.92, above=0, maximum=1, help="R: share of channels that survives a generation."
    )
    channel_multiple: int = setting(
        1,
        minimum=1,
        help="Let the numbers of filters be multiples of this; phones compute 16 at a time.",
    )
    train_epochs: int = setting(3, minimum=1, help="Epochs for which each offspring is trained.")
    final_epochs: int = setting(
        80, minimum=0, help="Further epochs of the last generation; 0: none."
    )
    base_learning_rate: float = setting(2e-3, above=0, help="Highest learning rate.")
    distillation: float = setting(
        0.5,
        minimum=0,
        maximum=1,
        help="Share of the loss that compares with the ancestor's answers instead of the labels.",
    )
    seed: int = setting(1, minimum=0, help="Seed of inheritance, order and augmentation.")

    def identity(self) -> dict[str, Any]:
        """Return what must stay the same for an evolution to go on: all but its length."""
        record = self.to_json()
        for name in ("output_dir", "generations", "final_epochs"):
            del record[name]
        if self.channel_multiple == 1:
            del record["channel_multiple"]  # evolutions of earlier versions go on
        return record

    def command(self) -> str:
        """Return the command line that gives this configuration."""
        return assembly.command("evolve", assembly.flat(type(self)), assembly.given(self))
