"""What one stage of training is told to do; light, so that flags may import it."""

import dataclasses
from typing import Literal

from sqzkit.base.errors import UsageError
from sqzkit.base.settings import Settings, setting

Schedule = Literal["constant", "linear", "cosine", "step"]
Optimizer = Literal["sgd", "adam", "adamw"]
Augmentation = Literal["none", "light", "standard"]
Keep = Literal["best", "last"]
ClassWeights = Literal["balanced"]
Moves = Literal["head", "biases", "share", "all"]
TEMPERATURE = 2.0  # of distillation


@dataclasses.dataclass(frozen=True)
class TeacherOptions(Settings):
    """Whose answers are learnt beside the labels (Hinton et al., 2015), and to what photographs.

    Attributes:
      file: of the teacher, or its run folder; None: there is no teacher.
      weight: of photographs that have a label; of the others only the answer counts.
    """

    file: str | None = setting(
        None,
        flag="teacher",
        path=True,
        group="Teacher",
        help="Trained classifier whose answers are learnt beside the labels: a run folder, a "
        ".tflite, .sqz, .keras or .h5 file, or a SqueezeNet as .onnx, .pth, .caffemodel or .net.",
        default_text="the labels alone",
    )
    preprocessing: str | None = setting(
        None,
        flag="teacher_preprocessing",
        help="How it takes photographs, where its file does not say: a name, or a "
        "preprocessing.json (docs/preprocessing.md).",
    )
    labels_file: str | None = setting(
        None,
        flag="teacher_labels",
        path=True,
        help="Its class names, one a line, where its file does not have them.",
        default_text="the data's classes in order, if there are as many",
    )
    weight: float = setting(
        0.5,
        flag="teacher_weight",
        minimum=0,
        maximum=1,
        help="Share of the loss that compares with its answers instead of the labels.",
    )
    temperature: float = setting(
        TEMPERATURE,
        flag="teacher_temperature",
        above=0,
        help="Divides the logits of both before they are compared.",
    )
    unlabelled_dir: str | None = setting(
        None,
        path=True,
        help="Folder of more photographs, whose class nobody said: --teacher's answers are learnt.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.file:
            return
        if self.unlabelled_dir:
            raise UsageError(
                f"--unlabelled_dir {self.unlabelled_dir}: without --teacher nobody says what these "
                "photographs show; train without them first, then give that run as --teacher of a "
                "new one"
            )
        for flag, value in (("preprocessing", self.preprocessing), ("labels", self.labels_file)):
            if value:
                raise UsageError(f"--teacher_{flag} {value}: says something of --teacher; give it")


@dataclasses.dataclass(frozen=True)
class BaseOptions(Settings):
    """The older run to start from, and how much of it may change (docs/updates.md).

    Attributes:
      file: the run folder; None: training starts from elsewhere.
    """

    file: str | None = setting(
        None,
        flag="base",
        path=True,
        group="Update of an older run",
        help="Run folder of the version that users have. Start from its weights, network and "
        "preprocessing, and leave most weights exactly as they are, so that an update is small.",
        default_text="no older version",
    )
    moves: Moves = setting(
        "head",
        flag="base_moves",
        help="What may change: the last layer; all biases too; a share of the weights too; or "
        "all weights.",
    )
    share: float = setting(
        0.002,
        flag="base_share",
        above=0,
        maximum=1,
        help="With --base_moves=share: share of the weights that may change, where the gradient "
        "is largest.",
    )
    pull: float = setting(
        0.1,
        flag="base_pull",
        minimum=0,
        below=1,
        help="Pull of each weight towards its old value, which it keeps unless its gradient's "
        "mean is larger than this share of the gradient's size.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        default = {field.name: field.default for field in dataclasses.fields(self)}
        for name in ("moves", "share", "pull"):
            if self.file is None and getattr(self, name) != default[name]:
                raise UsageError(
                    f"--base_{name} {getattr(self, name)}: says something of --base; give it"
                )


@dataclasses.dataclass(frozen=True)
class FitOptions(Settings):
    """Everything that decides the weights a stage ends with.

    Attributes:
      lr_schedule: "linear" and "cosine" fall to 0; "step" falls to a tenth at one half
        and again at three quarters of the steps.
      weight_decay: SGD adds it to the gradient, as Caffe and the paper do; AdamW and Adam
        shrink the kernel by rate * decay (Loshchilov and Hutter, 2019).
      keep: "best" ends with the latest epoch within a standard error of the highest
        validation accuracy, "last" with the last one.
      best_from_epoch: epochs before this one (from 0) are never the best; pruning sets it
        to the epoch at which the final sparsity is reached.
      early_stopping_patience: counts epochs without a higher validation accuracy or a
        lower loss.
    """

    epochs: int = setting(flag="train_epochs", minimum=1, help="Passes over the training split.")
    batch_size: int = setting(
        32, flag="train_batch_size", minimum=1, help="Examples in a step, over all replicas."
    )
    base_learning_rate: float = setting(1e-3, above=0, help="Highest learning rate.")
    lr_schedule: Schedule = setting("cosine", help="How the learning rate falls.")
    warmup_epochs: float = setting(
        0.0, minimum=0, help="Epochs in which the learning rate rises linearly from 0."
    )
    optimizer: Optimizer = setting("adamw", help="How weights follow gradients.")
    momentum: float = setting(0.9, minimum=0, below=1, help="Momentum of --optimizer=sgd.")
    weight_decay: float = setting(0.0, minimum=0, help="Weight decay of the kernels.")
    label_smoothing: float = setting(
        0.0, minimum=0, below=1, help="Share of the target that is spread over all classes."
    )
    class_weights: ClassWeights | None = setting(
        None,
        default_text="each image weighs the same",
        help="'balanced': each class weighs the same in the loss, however many images it has.",
    )
    augmentation: Augmentation = setting(
        "none", help="Random changes of training images; 'light' shifts and flips."
    )
    seed: int = setting(1, minimum=0, help="Seed of weights, order, augmentation and dropout.")
    keep: Keep = setting("best")
    best_from_epoch: int = setting(0, minimum=0)
    early_stopping_patience: int = setting(
        0, minimum=0, unit="epochs", help="Stop after this many without a better one; 0: never."
    )
    watchdog_epochs: int = setting(
        5, minimum=0, unit="epochs", help="Fail after this many at chance; 0: never."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.warmup_epochs > self.epochs:
            raise UsageError(
                f"--warmup_epochs {self.warmup_epochs}: must be 0..{self.epochs} (--train_epochs)"
            )
