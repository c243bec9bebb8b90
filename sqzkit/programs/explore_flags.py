"""The flags of `python -m sqzkit.explore` and the record they make. Light."""

import dataclasses

from absl import flags

from sqzkit.data.source import DataSource
from sqzkit.exploration import objectives, space
from sqzkit.exploration.config import SAMPLERS, ExploreConfig
from sqzkit.programs import data_flags
from sqzkit.training.config import TrainingConfig

_STUDY_DIR = flags.DEFINE_string("study_dir", None, "Folder of the study; a study there goes on.")
_STORAGE = flags.DEFINE_string(
    "storage", None, "Database URL that several machines share; default: a file in --study_dir."
)
_STUDY_NAME = flags.DEFINE_string("study_name", "explore", "Name of the study in --storage.")
_PRESET = flags.DEFINE_enum(
    "preset",
    "default",
    list(space.PRESETS),
    "Space to start from; the others are the paper's sweeps (figure 3) and its table 3.",
)
_OBJECTIVES = flags.DEFINE_list(
    "objectives", ["accuracy", "parameters"], f"One to three of {', '.join(objectives.OBJECTIVES)}."
)
_SAMPLER = flags.DEFINE_enum(
    "sampler", None, SAMPLERS, "How networks are chosen; default: tpe, and grid for the sweeps."
)
_TRIALS = flags.DEFINE_integer("trials", None, "Networks to finish in all; default: 30, or all.")
_STOP_BAD = flags.DEFINE_boolean("stop_bad", True, "Stop trials that are beaten by their like.")
_WINNER_DROP = flags.DEFINE_float(
    "winner_drop", 0.01, "The winner is the cheapest network at most so much below the best."
)
_THREADS = flags.DEFINE_integer("threads", 0, "TensorFlow's threads in this process; 0: all cores.")
_DATA = data_flags.define()
_TRAINING = {
    "train_epochs": flags.DEFINE_integer("train_epochs", 8, "Passes over the training split."),
    "train_batch_size": flags.DEFINE_integer("train_batch_size", 32, "Examples a step."),
    "base_learning_rate": flags.DEFINE_float("base_learning_rate", 2e-3, "Highest rate."),
    "augmentation": flags.DEFINE_string("augmentation", "light", "none, light or standard."),
    "seed": flags.DEFINE_integer("seed", 1, "Seed of weights, order, augmentation and sampler."),
}
_SPACE = {
    name: flags.DEFINE_string(name, None, f"Values of {name}: a,b,c or lowest:highest:step.")
    for name in (*space.INTEGERS, *space.REALS)
} | {
    "model": flags.DEFINE_string("model", None, "Networks to start from: v1_0,v1_1."),
    "bypass": flags.DEFINE_string("bypass", None, "Bypasses: none,simple,complex."),
    "pool_after": flags.DEFINE_string(
        "pool_after", None, "Positions of the poolings: conv1+fire3+fire5,fire3+fire5+fire8."
    ),
}


def explore_config_from_flags() -> ExploreConfig:
    """Return the configuration; raise `UsageError` if a flag has no legal value."""
    given = {name: flag.value for name, flag in _SPACE.items() if flag.value is not None}
    networks = space.from_texts({**space.PRESETS[_PRESET.value], **given})
    sweep = _PRESET.value != "default"
    sampler = _SAMPLER.value or ("grid" if sweep else "tpe")
    whole = networks.size if sampler == "grid" else 30
    training = TrainingConfig(
        model_dir="unused", **{name: flag.value for name, flag in _TRAINING.items()}
    )
    config = ExploreConfig(
        study_dir=_STUDY_DIR.value or "",
        storage=_STORAGE.value,
        study_name=_STUDY_NAME.value,
        data=DataSource(**{name: flag.value for name, flag in _DATA.items()}),
        space=networks,
        objectives=tuple(_OBJECTIVES.value),
        sampler=sampler,
        trials=whole if _TRIALS.value is None else _TRIALS.value,
        stop_bad=_STOP_BAD.value and not sweep,
        winner_drop=_WINNER_DROP.value,
        preset=_PRESET.value,
        training=training,
        threads=_THREADS.value,
    )
    return dataclasses.replace(config, trials=min(config.trials, networks.size))
