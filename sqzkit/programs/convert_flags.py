"""The flags of convert.py and the configuration they make; imports nothing heavy."""

from absl import flags

from sqzkit.base.errors import UsageError
from sqzkit.conversion.config import MAX_ACCURACY_DROP, ConversionConfig
from sqzkit.conversion.options import (
    CALIBRATION_STEPS,
    GRANULARITIES,
    INPUT_TYPES,
    QUANTIZATIONS,
    ConversionOptions,
)
from sqzkit.ptq.config import TARGETS, OptimizeConfig

_MODEL_DIR = flags.DEFINE_string("model_dir", None, "Convert this run folder of train.py.")
_STAGE = flags.DEFINE_string("stage", None, "Of the run; default: the last finished stage.")
_WEIGHTS = flags.DEFINE_string(
    "weights", None, "Convert published ImageNet weights, such as deep_compression."
)
_WEIGHTS_DIR = flags.DEFINE_string(
    "weights_dir", None, "Folder in which published weights may lie already."
)
_KERAS_MODEL_FILE = flags.DEFINE_string(
    "keras_model_file", None, "Convert this .keras or .h5 classifier (saved by Keras 2)."
)
_PREPROCESSING = flags.DEFINE_string(
    "preprocessing",
    None,
    "Of a Keras file: a preprocessing.json, or default (-1..1), unit (0..1), raw (0..255), caffe.",
)
_LABELS_FILE = flags.DEFINE_string(
    "labels_file", None, "Of a Keras file: class names, one a line, in class order."
)
_OUTPUT_FILE = flags.DEFINE_string(
    "output_file", None, "The .tflite to write; default: the run folder's conversions/."
)
_QUANTIZATION = flags.DEFINE_enum(
    "quantization", "int8", QUANTIZATIONS, "Number format of weights and activations."
)
_GRANULARITY = flags.DEFINE_enum(
    "granularity",
    None,
    GRANULARITIES,
    "One int8 scale a channel (more accurate) or a tensor (smaller archive, keeps codebooks). "
    "Default: per_channel; per_tensor for a clustered run.",
)
_INFERENCE_INPUT_TYPE = flags.DEFINE_enum(
    "inference_input_type",
    None,
    INPUT_TYPES,
    "Type of input and output; default int8 for int8, else float32. MediaPipe wants uint8.",
)
_REPRESENTATIVE_DATASET_DIR = flags.DEFINE_string(
    "representative_dataset_dir",
    None,
    "Photographs (any folder) to calibrate on; default: the run's own training split.",
)
_CALIBRATION_STEPS = flags.DEFINE_integer(
    "calibration_steps", CALIBRATION_STEPS, "At most so many photographs to calibrate on."
)
_VERIFY = flags.DEFINE_boolean(
    "verify", True, "Compare with the float model on the test split before writing."
)
_MAX_ACCURACY_DROP = flags.DEFINE_float(
    "max_accuracy_drop", MAX_ACCURACY_DROP, "Write no file that loses more points of top-1."
)
_ARCHIVE = flags.DEFINE_boolean("archive", False, "Write the .sqz archive beside the file too.")
_OVERWRITE = flags.DEFINE_boolean("overwrite", False, "Replace outputs that exist.")
_OPTIMIZE_FOR = flags.DEFINE_enum(
    "optimize_for",
    None,
    TARGETS,
    "Choose int8 weights by what they cost in the .sqz and change in the answers, on the "
    "representative photographs: 'accuracy' (bytes of plain rounding) or 'size' (the fewest). "
    "Gives a per_tensor file; per_channel files are not optimized.",
)
_ARCHIVE_BUDGET_BYTES = flags.DEFINE_integer(
    "archive_budget_bytes", None, "With --optimize_for: the most the .sqz may take."
)
_SEED = flags.DEFINE_integer("seed", 0, "Of the choice of representative photographs.")


def config_from_flags() -> ConversionConfig:
    """Return the configuration; raise `UsageError` if the flags contradict each other."""
    options = ConversionOptions(
        quantization=_QUANTIZATION.value,
        granularity=_GRANULARITY.value or GRANULARITIES[1],
        inference_input_type=_INFERENCE_INPUT_TYPE.value,
    )
    plain = {
        holder.name: holder.value
        for holder in (
            _MODEL_DIR,
            _STAGE,
            _WEIGHTS,
            _WEIGHTS_DIR,
            _KERAS_MODEL_FILE,
            _PREPROCESSING,
            _LABELS_FILE,
            _OUTPUT_FILE,
            _REPRESENTATIVE_DATASET_DIR,
            _CALIBRATION_STEPS,
            _VERIFY,
            _MAX_ACCURACY_DROP,
            _ARCHIVE,
            _OVERWRITE,
            _SEED,
        )
    }
    given = _GRANULARITY.value is not None
    return ConversionConfig(
        options=options, granularity_given=given, optimize=_optimize_config(), **plain
    )


def _optimize_config() -> OptimizeConfig | None:
    if _OPTIMIZE_FOR.value is None:
        if _ARCHIVE_BUDGET_BYTES.value is not None:
            raise UsageError("--archive_budget_bytes needs --optimize_for=size or accuracy")
        return None
    return OptimizeConfig(_OPTIMIZE_FOR.value, _ARCHIVE_BUDGET_BYTES.value, seed=_SEED.value)
