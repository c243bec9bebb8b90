"""What a network will take, before it is trained: archive bytes, memory and latency.

An untrained network has the graph, the activations and the operators of the trained one, so it
is converted and packed in its place. Only the bytes of the kernels depend on the training: they
are counted by the archive's own coder on kernels that are pruned and shared as the chain will do.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from sqzkit.base.keras import keras
from sqzkit.budget.memory import arena_bytes
from sqzkit.budget.networks import Network
from sqzkit.coding import sqz, weights
from sqzkit.compression import codebooks, sparsity
from sqzkit.compression import kernels as reading
from sqzkit.conversion.converter import convert_model
from sqzkit.conversion.options import ConversionOptions
from sqzkit.models import inference, registry
from sqzkit.models.spec import SqueezeNetSpec
from sqzkit.tflite.flatbuffer import TFLiteFile
from sqzkit.tflite.latency import measure

CLUSTERS = 16  # values of a kernel, as `--number_of_clusters` has it
SPARSITIES = (0.3, 0.5, 0.65, 0.78, 0.86, 0.92, 0.96)
DENSE = 0.0  # neither pruned nor shared: plain int8
LATENCY_RUNS, LATENCY_WARMUP, LATENCY_REPEATS = 50, 10, 3
LATENCY_MS = 500.0  # that the runs of a repeat take: of a small network 50 are over in 5 ms
_IMAGES = 8
_BIAS_SPREAD = 0.3  # of untrained biases, in standard deviations of the activations
# Of a channel's scale once its normalization is folded, in logarithms: 0.1 to 0.3 in networks that
# were trained for 2 to 30 epochs.
_SCALE_SPREAD = 0.2
_ORDERED = 0.965  # of the bytes are left once alike channels are neighbours (0.956 to 0.968)

Curve = tuple[tuple[float, int], ...]
Kernels = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a network will take.

    Attributes:
      graph_bytes: of the archive besides its kernels.
      kernels: bytes of the kernels by sparsity; 0 is plain int8.
      tflite_bytes: of the int8 `.tflite`.
      ram_bytes: of the activations.
      latency_ms: fastest inference on one thread of this machine; None if there is no limit.
    """

    graph_bytes: int
    kernels: Curve
    tflite_bytes: int
    ram_bytes: int
    latency_ms: float | None

    @property
    def least_bytes(self) -> int:
        """The smallest archive of this network that is aimed at."""
        return self.graph_bytes + self.kernels[-1][1]

    def archive_bytes(self, target: float) -> int:
        """Return the bytes of the archive at that sparsity."""
        if target == DENSE:
            return self.graph_bytes + self.kernels[0][1]
        shares, sizes = zip(*self.kernels[1:], strict=True)
        return self.graph_bytes + round(float(np.interp(target, shares, sizes)))

    def sparsity_for(self, archive_bytes: float) -> float | None:
        """Return the lowest sparsity whose archive is that small; None: there is none."""
        if self.archive_bytes(DENSE) <= archive_bytes:
            return DENSE
        if self.least_bytes > archive_bytes:
            return None
        shares, sizes = zip(*self.kernels[:0:-1], strict=True)
        return round(float(np.interp(archive_bytes - self.graph_bytes, sizes, shares)), 4)

    def with_kernels(self, kernels: Curve) -> "Prediction":
        """Return the prediction with kernels that were counted on trained weights."""
        return dataclasses.replace(self, kernels=kernels)


def predict(network: Network, labels: Sequence[str], seed: int, timed: bool) -> Prediction:
    """Return the prediction for an untrained network; `timed`: with its latency."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model = registry.build(network.spec, network.side)
    generator = np.random.default_rng(seed)
    if network.begin:
        network.begin(model)
    else:
        _spread_biases(model, generator)
    images = generator.integers(0, 256, (_IMAGES, network.side, network.side, 3), dtype=np.uint8)
    options = ConversionOptions(granularity="per_tensor")
    content = convert_model(model, network.preprocessing, tuple(labels), options, images)
    file = TFLiteFile(content)
    stored = [file.data(item.kernel) for item in file.convolutions()]
    _spread_scales(model, generator)
    return Prediction(
        graph_bytes=len(sqz.pack(content)) - len(weights.encode(stored)),
        kernels=kernel_curve(model, network.spec),
        tflite_bytes=len(content),
        ram_bytes=arena_bytes(file),
        latency_ms=latency(content) if timed else None,
    )


def latency(content: bytes) -> float:
    """Return the fastest inference of a file on one thread, ms: others may use the machine."""
    found = measure(content, 1, LATENCY_RUNS, LATENCY_WARMUP).minimum_ms
    runs = max(LATENCY_RUNS, round(LATENCY_MS / found))
    for _ in range(1, LATENCY_REPEATS):
        found = min(found, measure(content, 1, runs, LATENCY_WARMUP).minimum_ms)
    return round(found, 4)


def kernel_curve(model: keras.Model, spec: SqueezeNetSpec) -> Curve:
    """Return the coded bytes of a network's kernels by sparsity, after pruning and sharing."""
    targets = (DENSE, *SPARSITIES)
    kernels = folded = reading.read_kernels(model)
    if spec.normalization == "batch":
        folded = reading.read_kernels(inference.fold_batch_normalization(model, spec)[1])
    compressed = (_compressed(kernels, folded, target) for target in targets)
    sizes = [weights.rounded_size(found.values()) for found in compressed]
    sizes[1:] = [round(_ORDERED * size) for size in sizes[1:]]
    # A coder that adapts may take a few bytes more for less: the curve must fall to be inverted.
    falling = np.minimum.accumulate(sizes).tolist()
    return tuple(zip(targets, falling, strict=True))


def _compressed(kernels: Kernels, folded: Kernels, target: float) -> Kernels:
    """Return the kernels as the chain will leave them, from those before and after folding."""
    if target == DENSE:
        return folded
    found = {}
    for name, share in sparsity.share_out(kernels, target).items():
        kept = reading.prune_once(kernels[name], share) if share else kernels[name]
        # Folding scales channels, so zeros stay where they are.
        pruned = np.where(kept == 0, np.float32(0), folded[name])
        found[name] = codebooks.share(pruned, number_of_clusters=CLUSTERS)
    return found


def _spread_biases(model: keras.Model, generator: np.random.Generator) -> None:
    """Make the biases unequal, as training does: equal ones would pack to nothing."""
    for layer in model.layers:
        values = layer.get_weights()
        if isinstance(layer, keras.layers.BatchNormalization):
            drawn = generator.normal(0, _BIAS_SPREAD, (2, values[1].size))
            layer.set_weights([values[0], drawn[0], drawn[1], values[3]])
        elif isinstance(layer, keras.layers.Conv2D) and layer.use_bias:
            layer.set_weights([values[0], generator.normal(0, _BIAS_SPREAD, values[1].size)])


def _spread_scales(model: keras.Model, generator: np.random.Generator) -> None:
    """Make the variances of channels unequal, as training does.

    Equal ones would leave all channels of a folded kernel on one scale: its shared values would
    then pack into up to 17 % less.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            *others, variances = layer.get_weights()
            drawn = np.exp(generator.normal(0, 2 * _SCALE_SPREAD, variances.size))
            layer.set_weights([*others, drawn])
