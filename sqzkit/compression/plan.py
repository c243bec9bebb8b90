"""What the chain shall do: stages, their order and their options, checked before any work.

    train -> prune -> dense -> cluster -> quantize

Each stage after `train` is optional; `dense` (the last step of
dense-sparse-dense training, Han et al. 2017) undoes the mask of `prune`.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from sqzkit.base.errors import UsageError
from sqzkit.compression import layer_table
from sqzkit.compression.layer_table import LayerTable

STAGES = ("train", "prune", "dense", "cluster", "quantize")
CODEBOOKS = ("linear", "kmeans++", "density", "uniform", "lloyd")
PRUNE_SCHEDULES = ("gradual", "once")
SCAN, LAMP = "scan", "lamp"
MAXIMUM_CLUSTERS = 255  # an int8 kernel of TensorFlow Lite holds -127..127
EPOCHS = {"prune": 40, "dense": 4, "cluster": 8, "quantize": 6}
RATES = {"prune": 1e-3, "dense": 1e-4, "cluster": 3e-4, "quantize": 1e-4}


@dataclasses.dataclass(frozen=True)
class CompressionConfig:
    """Every option of the chain after training.

    Attributes:
      stages: what to run, a subsequence of `STAGES`.
      target_sparsity: share of zeros by layer (`layer_table`), 0 <= s < 1, or
        S over all layers together: "lamp:S" shared out by the weights (`lamp`),
        "scan:S" by a sensitivity scan.
      number_of_clusters: distinct values by layer, zero included; 3..255, and
        0 leaves a layer as it is.
      codebook: how they are initialised ("linear", "kmeans++", "density"), or
        "uniform": steps of equal size, which entropy coders prefer; or "lloyd":
        k-means before the training, which then moves the values alone.
      prune_schedule: "gradual" over the first part of the training, or "once"
        before it (Han et al. 2015).
      epochs, learning_rate: by stage name; the rate falls to 0 as a cosine.
      distillation: share of the loss that is the trained network's answers
        instead of the labels, 0..1.
      scan_examples: images the sensitivity scan looks at.
    """

    stages: tuple[str, ...] = STAGES
    target_sparsity: str = "lamp:0.92"
    number_of_clusters: str = "16"
    codebook: str = "linear"
    prune_schedule: str = "gradual"
    epochs: Mapping[str, int] = dataclasses.field(default_factory=lambda: dict(EPOCHS))
    learning_rate: Mapping[str, float] = dataclasses.field(default_factory=lambda: dict(RATES))
    distillation: float = 0.5
    scan_examples: int = 512

    def __post_init__(self) -> None:
        check_stages(self.stages)
        self.sparsity_table()
        self.cluster_table()
        if self.codebook not in CODEBOOKS:
            raise UsageError(f"--codebook {self.codebook!r}: must be one of {', '.join(CODEBOOKS)}")
        if self.prune_schedule not in PRUNE_SCHEDULES:
            raise UsageError(
                f"--prune_schedule {self.prune_schedule!r}: must be one of "
                f"{', '.join(PRUNE_SCHEDULES)}"
            )
        for stage in STAGES[1:]:
            if self.epochs[stage] < 1:
                raise UsageError(f"--{stage}_epochs {self.epochs[stage]}: must be 1 or more")
            if not 0 < self.learning_rate[stage] < 1:
                rate = self.learning_rate[stage]
                raise UsageError(f"--{stage}_learning_rate {rate}: must be between 0 and 1")
        if not 0 <= self.distillation <= 1:
            raise UsageError(f"--distillation {self.distillation}: must be 0..1")
        if self.scan_examples < 1:
            raise UsageError(f"--scan_examples {self.scan_examples}: must be 1 or more")

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

    def to_json(self) -> dict[str, Any]:
        """Return the configuration as JSON-ready values."""
        return dataclasses.asdict(self)


def check_stages(stages: Sequence[str]) -> None:
    """Raise `UsageError` unless `stages` is a subsequence of `STAGES` that makes sense."""
    if not stages:
        raise UsageError(f"--stages: name at least one of {', '.join(STAGES)}")
    for stage in stages:
        if stage not in STAGES:
            raise UsageError(f"--stages {stage!r}: must be one of {', '.join(STAGES)}")
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
    done = [stage for stage in finished if stage in STAGES]
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
    if value == 0 or 2 <= value <= MAXIMUM_CLUSTERS:
        return None
    return f"2..{MAXIMUM_CLUSTERS} distinct values, or 0 to leave the layer as it is"
