"""The flags of `python -m sqzkit.evolve` and the record they make. Light."""

from absl import flags

from sqzkit.evolution.config import EvolveConfig

_MODEL_DIR = flags.DEFINE_string("model_dir", None, "Run folder of the ancestor, by train.py.")
_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", None, "Folder of the evolution; one there goes on where it was."
)
_FIELDS = {
    "generations": flags.DEFINE_integer("generations", 15, "Generations to breed."),
    "population": flags.DEFINE_integer("population", 2, "Offspring a generation; one lives."),
    "environment": flags.DEFINE_float(
        "environment", 0.92, "R: share of channels that survives a generation, above 0 up to 1."
    ),
    "train_epochs": flags.DEFINE_integer("train_epochs", 3, "Training of each offspring."),
    "final_epochs": flags.DEFINE_integer(
        "final_epochs", 80, "Further training of the last generation; 0: none."
    ),
    "base_learning_rate": flags.DEFINE_float("base_learning_rate", 2e-3, "Highest rate."),
    "distillation": flags.DEFINE_float(
        "distillation", 0.5, "Share of the loss that is agreement with the ancestor, 0..1."
    ),
    "seed": flags.DEFINE_integer("seed", 1, "Seed of inheritance, order and augmentation."),
}


def evolve_config_from_flags() -> EvolveConfig:
    """Return the configuration; raise `UsageError` if a flag has no legal value."""
    fields = {name: flag.value for name, flag in _FIELDS.items()}
    return EvolveConfig(_MODEL_DIR.value or "", _OUTPUT_DIR.value or "", **fields)
