"""Everything `train.py` can be told, as one frozen record. Light: no TensorFlow."""

import dataclasses
from typing import Any

from sqzkit.base.errors import UsageError
from sqzkit.data.source import DataSource
from sqzkit.models import spec as specs
from sqzkit.training.options import FitOptions

MODES = ("train", "eval", "train_and_eval")
STRATEGIES = ("off", "one_device", "mirrored", "multi_worker_mirrored", "tpu", "parameter_server")
DTYPES = ("float32", "float16", "bfloat16")
DEFAULT_MODEL = "v1_1"
DIGITS_SIZE = 32
PHOTOGRAPH_SIZE = 64
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


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """One run. `None` in a field of the network means the named model's own value.

    Attributes:
      model_dir: the run folder.
      mode: "train", "eval" or "train_and_eval".
      data: where the images come from.
      cache_dir: folder for decoded images that do not fit in memory, or None:
        they are decoded again every epoch then.
      model: "v1_0", "v1_1" (what None means) or "tiny".
      bypass, base_e, incr_e, pct3x3, freq, squeeze_ratio, fire_modules,
        pool_after, normalization, dropout: fields of `SqueezeNetSpec`.
      conv10_relu: whether conv10 is rectified, as the paper's is. Off, because
        from scratch classes whose logit falls below zero never learn again.
      weights: name of a published set to start from, or None.
      weights_dir: folder looked at before it is fetched.
      image_size: pixels, or None: 32 for images of at most that size, else 64.
      train_epochs, train_steps: one of the two; steps are rounded to epochs.
      train_batch_size ... watchdog_epochs: see `FitOptions`.
      head_epochs, head_learning_rate: transfer learning trains the new head
        alone first, with Adam, so that its random start does not spoil the rest.
      mixed_precision_dtype: "float32", "float16" or "bfloat16".
      distribution_strategy: one of `STRATEGIES`.
      deterministic: the same seed gives the same weights, bit for bit, on one
        CPU; and a killed run those of an undisturbed one.
      tensorboard: whether to write logs for TensorBoard.
      preset: which preset the values come from.
    """

    model_dir: str
    mode: str = "train_and_eval"
    data: DataSource = dataclasses.field(default_factory=DataSource)
    cache_dir: str | None = None
    model: str | None = None
    bypass: str | None = None
    base_e: int | None = None
    incr_e: int | None = None
    pct3x3: float | None = None
    freq: int | None = None
    squeeze_ratio: float | None = None
    fire_modules: int | None = None
    pool_after: tuple[str, ...] | None = None
    normalization: str | None = None
    dropout: float | None = None
    conv10_relu: bool = False
    weights: str | None = None
    weights_dir: str | None = None
    image_size: int | None = None
    train_batch_size: int = 32
    train_epochs: int = 30
    train_steps: int | None = None
    base_learning_rate: float = 2e-3
    lr_schedule: str = "cosine"
    warmup_epochs: float = 1.0
    optimizer: str = "adamw"
    momentum: float = 0.9
    weight_decay: float = 0.01
    label_smoothing: float = 0.0
    augmentation: str = "light"
    seed: int = 1
    early_stopping_patience: int = 0
    watchdog_epochs: int = 5
    head_epochs: int = 0
    head_learning_rate: float = 3e-3
    mixed_precision_dtype: str = "float32"
    distribution_strategy: str = "off"
    deterministic: bool = True
    tensorboard: bool = False
    preset: str = "default"

    def __post_init__(self) -> None:
        if not self.model_dir:
            raise UsageError("--model_dir is empty: name the folder of the run")
        if self.cache_dir == "":
            raise UsageError("--cache_dir is empty: name a folder or leave the flag out")
        _one_of("mode", self.mode, MODES)
        _one_of("distribution_strategy", self.distribution_strategy, STRATEGIES)
        _one_of("mixed_precision_dtype", self.mixed_precision_dtype, DTYPES)
        if self.head_epochs < 0:
            raise UsageError(f"--head_epochs {self.head_epochs}: must be 0 or more")
        if not 0 < self.head_learning_rate:
            raise UsageError(f"--head_learning_rate {self.head_learning_rate}: must be above 0")
        if self.seed < 0:
            raise UsageError(f"--seed {self.seed}: must be 0 or more")
        if self.train_steps is not None and self.train_steps < 1:
            raise UsageError(f"--train_steps {self.train_steps}: must be 1 or more")
        self.fit_options(self.train_epochs)
        if self.weights is None:
            self.spec(2)
        else:
            self._check_transfer()

    def _check_transfer(self) -> None:
        fixed = {"model", *NETWORK_FIELDS} - {"dropout"}
        changed = sorted(name for name in fixed if getattr(self, name) is not None)
        if changed:
            raise UsageError(
                f"--{changed[0]} {getattr(self, changed[0])}: --weights={self.weights} fixes "
                "the network; leave one of the two out"
            )

    def network_changes(self) -> dict[str, Any]:
        """Return the fields of the network that differ from the named model's."""
        return {
            name: getattr(self, name) for name in NETWORK_FIELDS if getattr(self, name) is not None
        }

    def spec(self, classes: int) -> specs.SqueezeNetSpec:
        """Return the network to train from scratch for so many classes."""
        changes = self.network_changes()
        return specs.named(
            self.model or DEFAULT_MODEL, classes, conv10_relu=self.conv10_relu, **changes
        )

    def fit_options(self, epochs: int) -> FitOptions:
        """Return how the stage "train" is fitted over so many epochs."""
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

    def to_json(self) -> dict[str, Any]:
        """Return the configuration as JSON-ready values."""
        return dataclasses.asdict(self)


def _one_of(flag: str, value: str, legal: tuple[str, ...]) -> None:
    if value not in legal:
        raise UsageError(f"--{flag} {value!r}: must be one of {', '.join(legal)}")
