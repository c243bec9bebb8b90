"""What `python -m sqzkit.evolve` is told to do; light, so that flags may import it."""

import dataclasses
from typing import Any

from sqzkit.base.errors import UsageError


@dataclasses.dataclass(frozen=True)
class EvolveConfig:
    """One evolution.

    Attributes:
      model_dir: run folder of the ancestor, trained and dense.
      output_dir: where generations and lineage go.
      generations: how many, 1 or more.
      population: offspring a generation, of which the fittest lives, 1 or more.
      environment: R, the share of channels that survives a generation on
        average, above 0 and at most 1. Parameters fall by about its square.
      train_epochs: how long each offspring is trained, 1 or more.
      final_epochs: how long the last generation is trained on, as a run of its
        own named "final"; 0 leaves it out.
      base_learning_rate: highest rate of each training, above 0.
      distillation: share of the loss that is agreement with the ancestor's
        answers, 0..1; the rest is agreement with the labels.
      seed: decides which channels are inherited, order and augmentation.
    """

    model_dir: str
    output_dir: str
    generations: int = 15
    population: int = 2
    environment: float = 0.92
    train_epochs: int = 3
    final_epochs: int = 80
    base_learning_rate: float = 2e-3
    distillation: float = 0.5
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("model_dir", "output_dir"):
            if not getattr(self, name):
                raise UsageError(f"--{name} is missing: name a folder")
        for name in ("generations", "population", "train_epochs"):
            if getattr(self, name) < 1:
                raise UsageError(f"--{name} {getattr(self, name)}: must be 1 or more")
        for name in ("final_epochs", "seed"):
            if getattr(self, name) < 0:
                raise UsageError(f"--{name} {getattr(self, name)}: must be 0 or more")
        if not 0 < self.environment <= 1:
            raise UsageError(
                f"--environment {self.environment}: must be above 0 and at most 1 "
                "(the share of channels that survives a generation)"
            )
        if not 0 < self.base_learning_rate:
            raise UsageError(f"--base_learning_rate {self.base_learning_rate}: must be above 0")
        if not 0 <= self.distillation <= 1:
            raise UsageError(f"--distillation {self.distillation}: must be 0..1")

    def to_json(self) -> dict[str, Any]:
        """Return the configuration as JSON-ready values."""
        return dataclasses.asdict(self)

    def identity(self) -> dict[str, Any]:
        """Return what must stay the same for an evolution to go on: all but its length."""
        record = self.to_json()
        for name in ("output_dir", "generations", "final_epochs"):
            del record[name]
        return record
