"""The stages of the chain as things to train: model, options, and what must hold after."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from sqzkit.base.keras import keras
from sqzkit.compression import clustering, pruning, quantization
from sqzkit.compression import kernels as reading
from sqzkit.compression.plan import CompressionConfig
from sqzkit.models import channel_order, registry
from sqzkit.training.options import FitOptions

Kernels = dict[str, np.ndarray]
Grids = clustering.Grids
Strip = Callable[[keras.Model], dict[str, list[np.ndarray]]]


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stage, ready to be trained.

    Attributes:
      model: what is trained: the network in TF-MOT's wrappers.
      spec: JSON record of the plain network.
      strip: takes the trained weights out of `model`, by plain layer name.
      check: raises `InvariantError` unless the kernels are what was asked for.
      extras: records to be kept with the stage, JSON-ready.
      ordered: whether channels change places at the end so that the coder needs fewer bytes.
    """

    model: keras.Model
    spec: dict[str, Any]
    options: FitOptions
    strip: Strip
    check: Callable[[Kernels], None]
    extras: dict[str, Any] = dataclasses.field(default_factory=dict)
    ordered: bool = False

    def export(self, trained: keras.Model) -> keras.Model:
        """Return the plain network with the trained weights, checked."""
        plain = registry.build_from_json(self.spec, trained.input_shape[1])
        reading.write_weights(plain, self.strip(trained))
        if self.ordered:
            channel_order.order_channels(plain)
        self.check(reading.read_kernels(plain))
        return plain


@dataclasses.dataclass(frozen=True)
class Start:
    """What a stage starts from.

    Attributes:
      model, spec: plain network with the weights of the stage before, and its JSON record.
      fit: the options of training, on which those of the stages are based.
      steps_per_epoch: batches an epoch.
    """

    model: keras.Model
    spec: dict[str, Any]
    fit: FitOptions
    steps_per_epoch: int
    config: CompressionConfig

    def options(self, stage: str, **changes: Any) -> FitOptions:
        """Return how `stage` is trained: AdamW along a cosine, unless changed."""
        values = {
            "epochs": self.config.epochs(stage, self.steps_per_epoch),
            "base_learning_rate": self.config.learning_rate(stage),
            "lr_schedule": "cosine",
            "warmup_epochs": 0.0,
            "optimizer": "adamw",
            "early_stopping_patience": 0,
            "watchdog_epochs": 0,
            **changes,
        }
        return dataclasses.replace(self.fit, **values)


def lower_dropout(model: keras.Model, kept: float) -> None:
    """Lower the dropout of a network of which only the share `kept` (0..1) of the weights is left.

    A sparse network fits less, so it needs less to hold it back: the rate
    falls with the square root of the connections (Han et al. 2015, section
    3.2, equation 2).
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate *= math.sqrt(kept)


def prune(start: Start, targets: dict[str, float]) -> Stage:
    """Prepare pruning to `targets`, the share of zeros by layer: gradual, or at once."""
    epochs = start.config.epochs("prune", start.steps_per_epoch)
    steps = epochs * start.steps_per_epoch
    sizes = {name: kernel.size for name, kernel in reading.read_kernels(start.model).items()}
    zeros = sum(sizes[name] * target for name, target in targets.items())
    lower_dropout(start.model, 1 - zeros / sum(sizes.values()))
    if start.config.prune_schedule == "once":
        wrapped, strip = pruning.wrap_pruned(start.model, targets), quantization.strip
        first_whole = 0
    else:
        end = max((pruning.schedule(t, steps).end_step for t in targets.values() if t), default=1)
        first_whole = min(epochs - 1, math.ceil(end / start.steps_per_epoch) - 1)
        wrapped = pruning.wrap(start.model, targets, steps)
        strip = functools.partial(pruning.strip, targets=targets)
    options = start.options("prune", best_from_epoch=first_whole)

    def check(kernels: Kernels) -> None:
        reading.check_sparsity(kernels, targets)

    extras = {"sparsity": targets}
    return Stage(wrapped, start.spec, options, strip, check, extras, ordered=True)


def dense(start: Start) -> Stage:
    """Prepare the last step of dense-sparse-dense training: no mask, a small rate."""
    options = start.options("dense")
    return Stage(start.model, start.spec, options, reading.read_weights, lambda _: None)


def cluster(start: Start) -> Stage:
    """Prepare weight sharing; what is zero stays zero. Raises `UsageError` as `clustering` does."""
    before = reading.read_kernels(start.model)
    lower_dropout(start.model, 1 - reading.overall_sparsity(before))
    clusters = start.config.cluster_table().resolve(list(before))
    grids: Grids = {}
    strip = quantization.strip
    if start.config.codebook == clustering.UNIFORM:
        grids = clustering.fit_grids(start.model, clusters)
        wrapped = quantization.wrap_float(start.model, grids)
    elif start.config.codebook == clustering.LLOYD:
        wrapped = clustering.wrap_lloyd(start.model, clusters)
    else:
        wrapped = clustering.wrap(start.model, clusters, start.config.codebook)
        strip = clustering.strip

    def check(kernels: Kernels) -> None:
        reading.check_zeros_kept(before, kernels)
        reading.check_clusters(kernels, clusters)

    options = start.options("cluster", weight_decay=0.0)
    extras = {"clusters": clusters, "grids": grids}
    return Stage(wrapped, start.spec, options, strip, check, extras)


def quantize(start: Start, clusters: dict[str, int], grids: Grids) -> Stage:
    """Prepare training under int8 rounding; zeros and shared values are kept.

    The network has no batch normalization; `clusters` and `grids` are what the stage
    "cluster" asked for, empty if there was none or the codebooks are free.
    """
    before = reading.read_kernels(start.model)
    lower_dropout(start.model, 1 - reading.overall_sparsity(before))
    shared = {name: kernel for name, kernel in before.items() if name not in grids}

    def check(kernels: Kernels) -> None:
        reading.check_zeros_kept(before, kernels)
        reading.check_clusters(kernels, clusters)
        reading.check_sharing_kept(shared, kernels)

    options = start.options("quantize", weight_decay=0.0)
    wrapped = quantization.wrap(start.model, grids)
    return Stage(wrapped, start.spec, options, quantization.strip, check)
