"""The flags of `python -m sqzkit.compare` and the record they make. Light."""

import dataclasses

from absl import flags

from sqzkit.data.source import DataSource
from sqzkit.paper.config import FULL, MODELS, QUICK, ROWS, CompareConfig
from sqzkit.programs import data_flags

_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", None, "Folder of the comparison; one there goes on where it was."
)
_QUICK = flags.DEFINE_boolean("quick", False, "Train everything just long enough for a table.")
_ROWS = flags.DEFINE_list("rows", list(ROWS), "Rows of the table; what they need is made, too.")
_MODEL_DIR = flags.DEFINE_string(
    "model_dir", None, "Run of a trained SqueezeNet to take, with its data; default: train one."
)
_EVOLVED_DIR = flags.DEFINE_string(
    "evolved_dir", None, "Run of an evolved network to take; default: evolve one."
)
_MODEL = flags.DEFINE_enum("model", "v1_1", MODELS, "The SqueezeNet to train.")
_SVD_ENERGY = flags.DEFINE_float(
    "svd_energy", None, "Share of the energy that fc6 and fc7 keep; default: by --svd_ratio."
)
_SVD_RATIO = flags.DEFINE_float("svd_ratio", 5.0, "How much smaller SVD is to make AlexNet.")
_SEED = flags.DEFINE_integer("seed", 1, "Seed of weights, order, augmentation and inheritance.")
_DATA = data_flags.define()
_EFFORT = {
    field.name: flags.DEFINE_integer(
        field.name, None, f"Default: {getattr(FULL, field.name)}; {getattr(QUICK, field.name)} "
        "with --quick (docs/comparing.md)."
    )
    for field in dataclasses.fields(FULL)
    if field.name != "environment"
}  # fmt: skip
_ENVIRONMENT = flags.DEFINE_float(
    "environment",
    None,
    f"Share of channels that survives a generation; default: {FULL.environment}; "
    f"{QUICK.environment} with --quick.",
)


def compare_config_from_flags() -> CompareConfig:
    """Return the configuration; raise `UsageError` if a flag has no legal value."""
    given = {name: flag.value for name, flag in {**_EFFORT, "environment": _ENVIRONMENT}.items()}
    changes = {name: value for name, value in given.items() if value is not None}
    return CompareConfig(
        output_dir=_OUTPUT_DIR.value or "",
        data=DataSource(**{name: flag.value for name, flag in _DATA.items()}),
        rows=tuple(_ROWS.value),
        model_dir=_MODEL_DIR.value,
        evolved_dir=_EVOLVED_DIR.value,
        model=_MODEL.value,
        effort=dataclasses.replace(QUICK if _QUICK.value else FULL, **changes),
        svd_energy=_SVD_ENERGY.value,
        svd_ratio=_SVD_RATIO.value,
        seed=_SEED.value,
    )
