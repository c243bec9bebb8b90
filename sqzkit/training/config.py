"""Everything `train.py` can be told, as one frozen record. Light: no TensorFlow."""

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sqzkit.base import assembly
from sqzkit.base.errors import UsageError
from sqzkit.base.settings import Settings, like, nested, setting
from sqzkit.data.source import DataSource
from sqzkit.models import spec as specs
from sqzkit.models.spec import Bypass, ModelName, Normalization, SqueezeNetSpec
from sqzkit.training.options import (
    Augmentation,
    BaseOptions,
    ClassWeights,
    FitOptions,
    Optimizer,
    Schedule,
    TeacherOptions,
)
from sqzkit.training.presets import PRESETS

if TYPE_CHECKING:
    from sqzkit.models.pretrained import Pretrained

Mode = Literal["train", "eval", "train_and_eval"]
StrategyName = Literal[
    "off", "one_device", "mirrored", "multi_worker_mirrored", "tpu", "parameter_server"
]
Dtype = Literal["float32", "float16", "bfloat16"]
PresetName = Literal["default", "transfer", "update", "paper", "cifar10", "imagenet"]
DEFAULT_MODEL: ModelName = "v1_2"
DIGITS_SIZE = 32
PHOTOGRAPH_SIZE = 64
MAX_EPOCHS = 24  # that --min_train_steps asks for
NETWORK_FIELDS = (
    "bypass",
    "base_e",
    "incr_e",
    "pct3x3",
    "freq",
    "squeeze_ratio",
    "fire_modules",
    "pool_after",
    "normalization",
    "dropout",
)
WEIGHTLESS_FIELDS = frozenset(("pool_after", "dropout"))  # that any published weights go with


@dataclasses.dataclass(frozen=True)
class TrainingConfig(Settings):
    """One run. `None` in a field of the network means the named model's own value.

    conv10 is not rectified by default, as the paper's is: from scratch, classes whose
    logit falls below zero would never learn again. A new head is fitted first, so that its
    random start does not spoil published weights.
    """

    model_dir: str = setting(
        path=True, group="Run", help="Folder of the run. An unfinished run in it is resumed."
    )
    mode: Mode = setting(
        "train_and_eval",
        help="'eval' measures the last finished stage on the test split and trains nothing.",
    )
    preset: PresetName = setting(
        "default",
        help="Recipe: defaults of the flags below.",
        default_text="default; transfer with --weights, update with --base",
    )
    data: DataSource = nested(factory=DataSource)
    cache_dir: str | None = setting(
        None, path=True, help="Folder that keeps decoded images that do not fit in memory."
    )
    model: ModelName | None = setting(
        None,
        group="Network",
        default_text=DEFAULT_MODEL,
        help="The network. The flags below change its fields; their defaults are the model's.",
    )
    bypass: Bypass | None = like(SqueezeNetSpec, "bypass", None)
    base_e: int | None = like(SqueezeNetSpec, "base_e", None)
    incr_e: int | None = like(SqueezeNetSpec, "incr_e", None)
    pct3x3: float | None = like(SqueezeNetSpec, "pct3x3", None)
    freq: int | None = like(SqueezeNetSpec, "freq", None)
    squeeze_ratio: float | None = like(SqueezeNetSpec, "squeeze_ratio", None)
    fire_modules: int | None = like(SqueezeNetSpec, "fire_modules", None)
    pool_after: tuple[str, ...] | None = like(SqueezeNetSpec, "pool_after", None)
    normalization: Normalization | None = like(SqueezeNetSpec, "normalization", None)
    dropout: float | None = like(SqueezeNetSpec, "dropout", None)
    conv10_relu: bool = like(SqueezeNetSpec, "conv10_relu", False)
    weights: str | None = setting(
        None,
        help="ImageNet weights to start from: a name (docs/networks.md) such as v1_1_onnx, or a "
        "file (.caffemodel, .onnx, .pth, .net).",
    )
    weights_dir: str | None = setting(
        None, path=True, help="Folder in which they may already be.", default_text="download them"
    )
    image_size: int | None = setting(
        None,
        minimum=1,
        unit="pixels",
        none_word="auto",
        help="Side of the network's input.",
        default_text="auto: with --weights the best of a few, else 64, or 32 for tiny images",
    )
    train_batch_size: int = like(FitOptions, "batch_size", flag="", group="Training")
    train_epochs: int = like(FitOptions, "epochs", 30, flag="")
    train_steps: int | None = setting(
        None, minimum=1, help="Length of the training in steps instead, rounded up to epochs."
    )
    min_train_steps: int = setting(
        0,
        minimum=0,
        help=f"Train for more epochs than --train_epochs, but not for more than {MAX_EPOCHS}, "
        "until this many steps are done.",
        default_text="0; 1,500 with --weights, unless --train_epochs is given",
    )
    train_minutes: float | None = setting(
        None,
        above=0,
        unit="minutes",
        help="Longest time for all of it: fewer epochs, as far as needed.",
        default_text="no limit",
    )
    base_learning_rate: float = like(FitOptions, "base_learning_rate", 2e-3)
    lr_schedule: Schedule = like(FitOptions, "lr_schedule")
    warmup_epochs: float = like(FitOptions, "warmup_epochs", 1.0)
    optimizer: Optimizer = like(FitOptions, "optimizer")
    momentum: float = like(FitOptions, "momentum")
    weight_decay: float = like(FitOptions, "weight_decay", 0.01)
    label_smoothing: float = like(FitOptions, "label_smoothing")
    class_weights: ClassWeights | None = like(FitOptions, "class_weights")
    augmentation: Augmentation = like(FitOptions, "augmentation", "light")
    seed: int = like(FitOptions, "seed")
    early_stopping_patience: int = like(FitOptions, "early_stopping_patience")
    watchdog_epochs: int = like(FitOptions, "watchdog_epochs")
    head_epochs: int = setting(
        0,
        minimum=0,
        help="With --weights: epochs in which only the new head learns, from a random start.",
        default_text="0: the head is fitted at once",
    )
    head_learning_rate: float = setting(3e-3, above=0, help="Learning rate of these epochs.")
    teacher: TeacherOptions = nested(factory=TeacherOptions)
    base: BaseOptions = nested(factory=BaseOptions)
    mixed_precision_dtype: Dtype = setting(
        "float32",
        group="Machine",
        help="Type that the layers compute in; prune, cluster and quantize need float32.",
    )
    distribution_strategy: StrategyName = setting(
        "off", help="Strategy of tf.distribute (docs/scaling.md)."
    )
    deterministic: bool = setting(True, help="The same seed gives the same weights, bit for bit.")
    tensorboard: bool = setting(
        False, help="Write logs for TensorBoard to tensorboard/ in --model_dir."
    )

    @classmethod
    def from_settings(cls, values: Mapping[str, Any]) -> "TrainingConfig":
        """Return the record of flat settings and their preset (see `settings.build`)."""
        if "train_epochs" in values and "train_steps" in values:
            raise UsageError("--train_epochs and --train_steps: give one of the two")
        usual = "update" if "base" in values else "default"
        name = values.get("preset", "transfer" if "weights" in values else usual)
        fields = dict(PRESETS.get(name, {}))  # an unknown name is refused below
        if "train_epochs" in values:
            fields.pop("train_steps", None)
        if "train_epochs" in values or "train_steps" in values:
            fields.pop("min_train_steps", None)
        return assembly.assemble(cls, {**fields, **values, "preset": name})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.data.refuse_inside("--model_dir", self.model_dir)
        self.fit_options(self.train_epochs)
        if self.train_minutes and self.distribution_strategy not in ("off", "one_device"):
            raise UsageError(
                f"--train_minutes {self.train_minutes:g}: steps on several devices cannot be timed "
                "beforehand; give --train_epochs, or --distribution_strategy=off"
            )
        if self.base.file:
            self._check_base()
        elif self.weights is None:
            self.spec(2)
        else:
            self._check_transfer()

    def _check_base(self) -> None:
        """Refuse what the older run decides."""
        fixed = ("weights", "model", *NETWORK_FIELDS, "image_size")
        changed = [name for name in fixed if getattr(self, name) is not None]
        if self.conv10_relu:
            changed.append("conv10_relu")
        if Path(str(self.base.file)).resolve() == Path(self.model_dir).resolve():
            raise UsageError(f"--base {self.base.file}: is --model_dir itself; name another one")
        if self.distribution_strategy not in ("off", "one_device"):
            raise UsageError(
                f"--distribution_strategy {self.distribution_strategy}: a run from a --base is "
                "trained on one device; give --distribution_strategy=off"
            )
        if changed:
            raise UsageError(
                f"--{changed[0]} {getattr(self, changed[0])}: --base fixes the network and its "
                "input; leave one of the two out"
            )

    def _check_transfer(self) -> None:
        if self.normalization == "batch":
            raise UsageError("--normalization batch: the network of --weights has none")
        if Path(str(self.weights)).suffix:
            return  # a file, whose network may have any fields
        fixed = {"model", *NETWORK_FIELDS} - WEIGHTLESS_FIELDS
        changed = sorted(name for name in fixed if getattr(self, name) is not None)
        if changed:
            raise UsageError(
                f"--{changed[0]} {getattr(self, changed[0])}: --weights={self.weights} fixes "
                "the network; leave one of the two out"
            )

    def pretrained(self) -> "Pretrained | None":
        """Return the weights to start from, or None.

        Raises:
          UsageError: `weights` is neither a name nor a file.
          RunError: the file is damaged, or is not of the network.
        """
        if not self.weights:
            return None
        from sqzkit.models import published  # reads files with libraries of `sqzkit[train]`

        changes = self.network_changes(frozenset(NETWORK_FIELDS) - WEIGHTLESS_FIELDS)
        return published.find(self.weights, self.model, changes)

    def network_changes(self, names: Collection[str] = NETWORK_FIELDS) -> dict[str, Any]:
        """Return those of the fields of the network that differ from the named model's."""
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def spec(self, classes: int, default: ModelName = DEFAULT_MODEL) -> specs.SqueezeNetSpec:
        """Return the network to train from scratch; `default` if the flags name none."""
        changes = self.network_changes()
        return specs.named(self.model or default, classes, conv10_relu=self.conv10_relu, **changes)

    def fit_options(self, epochs: int) -> FitOptions:
        """Return how the stage "train" is fitted over that many epochs."""
        return FitOptions(
            epochs=epochs,
            batch_size=self.train_batch_size,
            base_learning_rate=self.base_learning_rate,
            lr_schedule=self.lr_schedule,
            warmup_epochs=min(self.warmup_epochs, epochs),
            optimizer=self.optimizer,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            label_smoothing=self.label_smoothing,
            class_weights=self.class_weights,
            augmentation=self.augmentation,
            seed=self.seed,
            early_stopping_patience=self.early_stopping_patience,
            watchdog_epochs=self.watchdog_epochs,
        )

    def head_options(self) -> FitOptions:
        """Return how a new head alone is fitted."""
        return dataclasses.replace(
            self.fit_options(self.head_epochs),
            base_learning_rate=self.head_learning_rate,
            optimizer="adamw",
            lr_schedule="constant",
            warmup_epochs=0.0,
            keep="last",
        )
