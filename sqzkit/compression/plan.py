"""What the chain shall do: stages, their order and their options, checked before any work.

    train -> prune -> dense -> cluster -> quantize

Each stage after `train` is optional; `dense` (the last step of
dense-sparse-dense training, Han et al. 2017) undoes the mask of `prune`.
"""

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Any, Literal, get_args

from sqzkit.base.errors import UsageError
from sqzkit.base.settings import Settings, setting
from sqzkit.compression import layer_table
from sqzkit.compression.layer_table import LayerTable

StageName = Literal["train", "prune", "dense", "cluster", "quantize"]
Codebook = Literal["linear", "kmeans++", "density", "uniform", "lloyd"]
PruneSchedule = Literal["gradual", "once"]
STAGES: tuple[StageName, ...] = get_args(StageName)
NEEDS_FLOAT32 = ("prune", "cluster", "quantize")
SCAN, LAMP = "scan", "lamp"
MAX_CLUSTERS = 255  # an int8 kernel of TensorFlow Lite holds -127..127


EPOCHS: dict[str, int] = {"prune": 40, "dense": 4, "cluster": 8, "quantize": 6}
FULL_EPOCH = 38  # steps; where an epoch has fewer, there are more epochs
MAX_LONGER = 4  # times as many: of a handful of images nothing more is to be learnt


def _epochs(stage: StageName) -> Any:
    return setting(
        None,
        minimum=1,
        help=f"Epochs of the stage {stage}.",
        default_text=f"{EPOCHS[stage]}; more, up to {MAX_LONGER} times, where an epoch has fewer "
        f"than {FULL_EPOCH} steps",
    )


def _rate(default: float, stage: StageName) -> Any:
    return setting(
        default, above=0, below=1, help=f"First learning rate of the stage {stage}; it falls to 0."
    )


@dataclasses.dataclass(frozen=True)
class CompressionConfig(Settings):
    """Every option of the chain after training.

    Attributes:
      target_sparsity: by layer (`layer_table`), 0 <= s < 1; or over all layers together.
      number_of_clusters: by layer; 2..255, or 0 to leave a layer as it is.
      codebook: "uniform" steps suit entropy coders; with "lloyd" (k-means before the
        training) the training moves the values alone.
      prune_schedule: "once" is Han et al. 2015.
    """

    stages: tuple[StageName, ...] = setting(
        ("train",),
        group="Compression",
        help="Stages to run, in this order. Finished stages are kept.",
    )
    target_sparsity: str = setting(
        "lamp:0.92",
        help="Share of zeros after the stage prune: one number; a table by layer "
        "('0.6,fire*/expand3x3=0.9,conv10=0.8'); or one number over all layers together, "
        "divided by the size of the weights ('lamp:0.9') or by a sensitivity scan "
        "('scan:0.8').",
    )
    number_of_clusters: str = setting(
        "16",
        help="Distinct values of a kernel after the stage cluster, zero included: one number, or a"
        " table by layer ('16,conv1=64'); 0 leaves a layer as it is.",
    )
    codebook: Codebook = setting(
        "linear",
        help="How shared values are initialized; 'uniform' keeps equal steps between them, 'lloyd'"
        " fixes before training which weights share a value.",
    )
    prune_schedule: PruneSchedule = setting(
        "gradual", help="Prune during the first part of the stage, or at once before it."
    )
    prune_epochs: int | None = _epochs("prune")
    dense_epochs: int | None = _epochs("dense")
    cluster_epochs: int | None = _epochs("cluster")
    quantize_epochs: int | None = _epochs("quantize")
    prune_learning_rate: float = _rate(1e-3, "prune")
    dense_learning_rate: float = _rate(1e-4, "dense")
    cluster_learning_rate: float = _rate(3e-4, "cluster")
    quantize_learning_rate: float = _rate(1e-4, "quantize")
    distillation: float = setting(
        0.5,
        minimum=0,
        maximum=1,
        help="Share of the stages' loss that compares with the trained network's answers instead "
        "of the labels.",
    )
    scan_examples: int = setting(
        512, minimum=1, help="Training images on which a sensitivity scan measures the loss."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_stages(self.stages)
        self.sparsity_table()
        self.cluster_table()

    def asked_epochs(self, stage: str) -> int | None:
        """Return the epochs that were asked for of a stage after "train", or None."""
        epochs: int | None = getattr(self, f"{stage}_epochs")
        return epochs

    def epochs(self, stage: str, steps_per_epoch: int) -> int:
        """Return the epochs of a stage after "train".

        Of few images, masks and codebooks need as many steps as of many to be learnt around.
        """
        longer = min(MAX_LONGER, max(1.0, FULL_EPOCH / steps_per_epoch))
        return self.asked_epochs(stage) or math.ceil(EPOCHS[stage] * longer)

    def learning_rate(self, stage: str) -> float:
        """Return the first learning rate of a stage after "train"."""
        return float(getattr(self, f"{stage}_learning_rate"))

    @property
    def sharing(self) -> str | None:
        """How one sparsity is shared out over the layers: "scan", "lamp", or None: a table."""
        word = self.target_sparsity.partition(":")[0]
        return word if word in (SCAN, LAMP) else None

    def sparsity_table(self) -> LayerTable[float]:
        """Return the sparsity by layer; where it is shared out, the one for all together."""
        text = self.target_sparsity
        if self.sharing:
            text = text.partition(":")[2]
            if "=" in text or "," in text or not text:
                raise UsageError(
                    f"--target_sparsity {self.target_sparsity!r}: takes one number for all "
                    f"layers together, as in {self.sharing}:0.8"
                )
        return layer_table.parse(text, "--target_sparsity", float, _sparsity_fault)

    def cluster_table(self) -> LayerTable[int]:
        """Return the number of clusters by layer."""
        return layer_table.parse(
            self.number_of_clusters, "--number_of_clusters", int, _clusters_fault
        )

    def stage_record(self, stage: str) -> dict[str, Any]:
        """Return what the chain adds to the options that decide `stage`, as JSON values."""
        record: dict[str, Any] = {"distillation": self.distillation}
        if stage == "prune":
            record["target_sparsity"] = self.target_sparsity
            if self.sharing == SCAN:
                record["scan_examples"] = self.scan_examples
            if self.prune_schedule != "gradual":  # runs of before the option lack the field
                record["prune_schedule"] = self.prune_schedule
        if stage == "cluster":
            record |= {"number_of_clusters": self.number_of_clusters, "codebook": self.codebook}
        return record


def check_stages(stages: Sequence[str]) -> None:
    """Raise `UsageError` unless `stages` is a subsequence of `STAGES` that makes sense."""
    if not stages:
        raise UsageError(f"--stages: name at least one of {', '.join(STAGES)}")
    for before, after in itertools.pairwise(stages):
        if STAGES.index(before) >= STAGES.index(after):
            raise UsageError(
                f"--stages {','.join(stages)}: {after!r} cannot follow {before!r}; "
                f"the order is {', '.join(STAGES)}"
            )


def refuse_strategy(stages: Sequence[str], strategy: str) -> None:
    """Raise `UsageError` if one of `stages` cannot run under `--distribution_strategy`."""
    compressing = [stage for stage in stages if stage != "train"]
    if strategy == "parameter_server" and compressing:
        raise UsageError(
            f"--stages {compressing[0]!r} with --distribution_strategy=parameter_server: masks, "
            "codebooks and ranges are read off weights that all replicas share, and asynchronous "
            "workers never share them; train so with --stages=train, then run the other stages "
            "on the same --model_dir without that flag"
        )


def refuse_half_precision(stages: Sequence[str], dtype: str) -> None:
    """Raise `UsageError` if one of `stages` cannot run under `--mixed_precision_dtype`.

    TF-MOT's wrappers read weights as layers do. In bfloat16, pruning wrote the rounded ones back in
    each step, which lost all small changes, and clustering with k-means' start failed.
    """
    compressing = [stage for stage in stages if stage in NEEDS_FLOAT32]
    if dtype != "float32" and compressing:
        raise UsageError(
            f"--mixed_precision_dtype {dtype}: the stage {compressing[0]!r} needs float32, because "
            "masks, codebooks and ranges are made of exact weights; train so with --stages=train, "
            "then run the other stages on the same --model_dir without that flag"
        )


def stages_to_run(wanted: Sequence[str], finished: Sequence[str]) -> list[str]:
    """Return which of the `wanted` stages are still to be run, in order.

    Args:
      wanted: stages asked for, checked by `check_stages`.
      finished: stages of the run folder that are finished, in order; names
        that are not the chain's are passed over.

    Raises:
      UsageError: a later stage is already finished, or one that is needed is
        neither finished nor asked for.
    """
    todo = [stage for stage in wanted if stage not in finished]
    # Transfer learning has a stage "head" before "train": no business of the chain.
    done: list[str] = [stage for stage in finished if stage in STAGES]
    for stage in todo:
        later = [name for name in done if STAGES.index(name) > STAGES.index(stage)]
        if later:
            raise UsageError(
                f"--stages {stage!r}: this run folder has already finished {later[0]!r}, which "
                "comes after it; start from another --model_dir"
            )
        if stage != "train" and "train" not in done:
            raise UsageError(
                f"--stages {stage!r}: nothing is trained in this run folder; "
                f"use --stages=train,{stage}"
            )
        if stage == "dense" and "prune" not in done:
            raise UsageError("--stages 'dense': retrains what 'prune' left; run prune before it")
        done.append(stage)
    return todo


def _sparsity_fault(value: float) -> str | None:
    return None if 0 <= value < 1 else "0 or more and less than 1 (the share of zeros)"


def _clusters_fault(value: int) -> str | None:
    if value == 0 or 2 <= value <= MAX_CLUSTERS:
        return None
    return f"2..{MAX_CLUSTERS} distinct values, or 0 to leave the layer as it is"
