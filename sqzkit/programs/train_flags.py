"""The flags of `train.py` and the record they make. Light: no TensorFlow."""

from typing import Any

from absl import flags

from sqzkit.base.errors import UsageError
from sqzkit.data.source import FLIPS, DataSource
from sqzkit.models.spec import BYPASSES, NAMED, NORMALIZATIONS
from sqzkit.training import config as configuration
from sqzkit.training import options
from sqzkit.training.config import TrainingConfig
from sqzkit.training.presets import PRESETS

_SOURCE_FLAGS = ("data_dir", "tfds_name", "tfds_data_dir", "max_broken_share", "flip")
_DIRECT_FLAGS: list[str] = []


def _integer(name: str, text: str) -> None:
    flags.DEFINE_integer(name, None, text)
    _DIRECT_FLAGS.append(name)


def _float(name: str, text: str) -> None:
    flags.DEFINE_float(name, None, text)
    _DIRECT_FLAGS.append(name)


def _enum(name: str, values: Any, text: str) -> None:
    flags.DEFINE_enum(name, None, list(values), text)
    _DIRECT_FLAGS.append(name)


def _string(name: str, text: str) -> None:
    flags.DEFINE_string(name, None, text)
    _DIRECT_FLAGS.append(name)


def _boolean(name: str, text: str) -> None:
    flags.DEFINE_boolean(name, None, text)
    _DIRECT_FLAGS.append(name)


flags.DEFINE_string("model_dir", None, "Folder of the run; an unfinished run there goes on.")
flags.DEFINE_enum(
    "mode",
    "train_and_eval",
    configuration.MODES,
    "'eval' measures the last finished stage on the test split and trains nothing.",
)
flags.DEFINE_enum(
    "preset",
    None,
    list(PRESETS),
    "Recipe whose values the other flags change; default: 'transfer' with --weights, "
    "else 'default'.",
)
flags.DEFINE_string("data_dir", None, "Folder of photographs; default: the embedded digits.")
flags.DEFINE_string("tfds_name", None, "TFDS image-classification data set, such as cifar10.")
flags.DEFINE_string("tfds_data_dir", None, "Where TFDS keeps its data sets.")
flags.DEFINE_boolean("tfds_download", False, "Let TFDS fetch a data set that is not there.")
flags.DEFINE_float("max_broken_share", None, "Share of photographs that may be unreadable, 0..1.")
flags.DEFINE_enum("flip", None, FLIPS, "Whether a mirrored image keeps its meaning.")
_string("cache_dir", "Folder for decoded images that do not fit in memory, kept between runs.")
_enum("model", NAMED, "The network; its fields can be changed by the flags below.")
_enum("bypass", BYPASSES, "Shortcuts around Fire modules (paper, section 6).")
_integer("base_e", "Expand filters of the first Fire module (paper, section 5.1).")
_integer("incr_e", "Expand filters added after every --freq Fire modules.")
_integer("freq", "Fire modules between additions.")
_float("pct3x3", "Share of expand filters that are 3x3, 0..1.")
_float("squeeze_ratio", "Squeeze filters by expand filters, above 0 up to 1.")
_integer("fire_modules", "Number of Fire modules.")
flags.DEFINE_list("pool_after", None, "Layers followed by a pooling, such as conv1,fire3,fire5.")
_enum("normalization", NORMALIZATIONS, "'batch' trains from scratch; 'none' is the paper's.")
_float("dropout", "Share dropped before conv10, [0, 1).")
_boolean("conv10_relu", "Rectify conv10, as the paper does; small data sets then lose classes.")
_string("weights", "Published ImageNet weights to start from, such as deep_compression.")
_string("weights_dir", "Folder that may hold their file; else it is fetched and cached.")
_integer("image_size", "Side of the network's input, pixels; default: by the data, 32 or 64.")
_integer("train_batch_size", "Examples a step, over all replicas.")
_integer("train_epochs", "Passes over the training split.")
_integer("train_steps", "Length of the training in steps instead (rounded to epochs).")
_float("base_learning_rate", "Highest learning rate.")
_enum("lr_schedule", options.SCHEDULES, "How the learning rate falls.")
_float("warmup_epochs", "Epochs of linear rise to the base rate.")
_enum("optimizer", options.OPTIMIZERS, "Optimizer.")
_float("momentum", "Momentum of SGD, [0, 1).")
_float("weight_decay", "Weight decay of the kernels.")
_float("label_smoothing", "Share of the target spread over all classes, [0, 1).")
_string("augmentation", "Augmentation preset: none, light (shift, flip) or standard.")
_integer("seed", "Seed of weights, order, augmentation and dropout.")
_integer("early_stopping_patience", "Stop after so many epochs without a better one; 0: never.")
_integer("watchdog_epochs", "Fail after so many epochs at chance; 0: never.")
_integer("head_epochs", "With --weights: epochs in which only the new head learns.")
_float("head_learning_rate", "Learning rate of these.")
_enum("mixed_precision_dtype", configuration.DTYPES, "What the layers compute in.")
_enum("distribution_strategy", configuration.STRATEGIES, "tf.distribute strategy.")
_boolean("deterministic", "Same seed, same weights, bit for bit.")
_boolean("tensorboard", "Write logs for TensorBoard into MODEL_DIR/tensorboard.")


def training_config_from_flags() -> TrainingConfig:
    """Return the configuration; raise `UsageError` if a flag has no legal value."""
    values = flags.FLAGS
    if not values.model_dir:
        raise UsageError("--model_dir is missing: name the folder of the run")
    name = values.preset or ("transfer" if values.weights else "default")
    given = {flag: values[flag].value for flag in _DIRECT_FLAGS}
    fields: dict[str, Any] = dict(PRESETS[name])
    if given["train_epochs"] is not None:
        if given["train_steps"] is not None:
            raise UsageError("--train_epochs and --train_steps: give one of the two")
        fields.pop("train_steps", None)
    fields.update({flag: value for flag, value in given.items() if value is not None})
    if values.pool_after is not None:
        fields["pool_after"] = tuple(values.pool_after)
    source = {flag: values[flag].value for flag in _SOURCE_FLAGS}
    source = {flag: value for flag, value in source.items() if value is not None}
    return TrainingConfig(
        model_dir=values.model_dir,
        mode=values.mode,
        data=DataSource(tfds_download=values.tfds_download, **source),
        preset=name,
        **fields,
    )
