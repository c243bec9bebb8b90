"""The ladder: the networks that a budget may choose from, widest first."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

from sqzkit.base.errors import UsageError
from sqzkit.budget.config import FitConfig
from sqzkit.data.dataset import ImageDataset
from sqzkit.exploration.space import Candidate
from sqzkit.models import published, squeezenet, transfer
from sqzkit.models.spec import SqueezeNetSpec
from sqzkit.preprocessing import Preprocessing, default
from sqzkit.training import scratch

# Eighths of v1.1's filters, SR, Fire modules. Narrow networks get a wider squeeze: at SR 0.125
# theirs would have two filters. Where bytes are few, four modules make the graph itself smaller.
# Neighbours differ by a factor of about two, so that some network needs few zeros.
SCRATCH = (
    *(("v1_2", 8, 0.125, 8), ("v1_1", 8, 0.125, 8), ("v1_2", 6, 0.125, 8), ("v1_2", 4, 0.25, 8)),
    *(("v1_2", 3, 0.25, 8), ("v1_2", 2, 0.25, 8), ("v1_2", 1.5, 0.25, 8), ("v1_2", 1, 0.25, 8)),
    *(("v1_2", 2, 0.25, 4), ("v1_2", 1.5, 0.25, 4), ("v1_2", 1, 0.25, 4), ("v1_2", 2, 0.25, 2)),
    *(("v1_2", 1.5, 0.25, 2), ("v1_2", 1, 0.25, 2)),
)
TRANSFER_SIZES = (160, 96)  # pixels
SHORT_POOLS = {4: "conv1+fire3", 2: "conv1+fire2"}


@dataclasses.dataclass(frozen=True)
class Network:
    """One network of the ladder.

    Attributes:
      name: of its folder and in tables, such as "v1_2_w4_sr0.25_64px".
      spec: the network.
      preprocessing: of its input.
      candidate: the same as a point of exploration's space; None for `weights`.
      begin: gives a model the pretrained weights; None: it begins with random ones.
    """

    name: str
    spec: SqueezeNetSpec
    preprocessing: Preprocessing
    candidate: Candidate | None = None
    begin: Callable[[Any], None] | None = None

    @property
    def side(self) -> int:
        """Side of the input, pixels."""
        return self.preprocessing.image_size

    @functools.cached_property
    def multiply_accumulates(self) -> int:
        """Multiplications of one inference's convolutions."""
        return sum(size * size * weights for size, weights in _layers(self.spec, self.side))

    @functools.cached_property
    def depth(self) -> int:
        """Layers with weights, one behind the other."""
        return sum(1 for _ in _layers(self.spec, self.side))

    @functools.cached_property
    def kernel_weights(self) -> int:
        """Weights of all kernels."""
        return sum(weights for _, weights in _layers(self.spec, self.side))


def ladder(config: FitConfig, dataset: ImageDataset) -> list[Network]:
    """Return the networks in the order in which they are tried: those that can hold most first."""
    found = list(_transferred(config, dataset)) if config.weights else []
    side = config.image_size or scratch.image_size(dataset)
    for model, width, ratio, modules in SCRATCH:
        values: dict[str, Any] = {
            **{"model": model, "conv1_filters": round(8 * width), "squeeze_ratio": ratio},
            **dict.fromkeys(("base_e", "incr_e"), round(16 * width)),
            **{"fire_modules": modules, "image_size": side},
        }
        if modules in SHORT_POOLS:
            values["pool_after"] = SHORT_POOLS[modules]
        spec = Candidate(tuple(values.items())).spec(dataset.num_classes)
        pooled = squeezenet.pool_less(spec, side)
        values["pool_after"] = "+".join(pooled.pool_after)
        depth = f"_{modules}fires" if modules in SHORT_POOLS else ""
        name = f"{model}_w{width:g}_sr{ratio:g}{depth}_{side}px"
        candidate = Candidate(tuple(values.items()))
        found.append(Network(name, pooled, default(side), candidate))
    return found


def _transferred(config: FitConfig, dataset: ImageDataset) -> Iterator[Network]:
    pretrained = published.find(str(config.weights), None)
    spec = transfer.transfer_spec(pretrained, dataset.labels)
    for side in (config.image_size,) if config.image_size else TRANSFER_SIZES:
        squeezenet.feature_map_sizes(spec, side)
        begin = functools.partial(
            transfer.load_pretrained,
            pretrained=pretrained,
            weights_dir=config.weights_dir,
            labels=dataset.labels,
        )
        rule = pretrained.preprocessing_at(side)
        yield Network(f"transfer_{side}px", spec, rule, begin=begin)


def _layers(spec: SqueezeNetSpec, side: int) -> Iterator[tuple[int, int]]:
    """Yield side of the output and number of weights of every kernel."""
    sizes = squeezenet.feature_map_sizes(spec, side)
    channels = spec.conv1_filters
    yield sizes["conv1"], 3 * spec.conv1_kernel**2 * channels
    last = sizes.get("pool1", sizes["conv1"])
    for module in spec.modules():
        size, squeezed = sizes[module.name], module.squeeze1x1
        expanded = squeezed * (module.expand1x1 + 9 * module.expand3x3)
        yield size, channels * squeezed + expanded
        channels, last = module.filters, sizes.get(squeezenet.pool_name(module.name), size)
    yield last, channels * spec.classes


def refuse_few(dataset: ImageDataset) -> None:
    """Raise `UsageError` if a class lacks a photograph to train on or to choose by."""
    for split in ("train", "validation"):
        photographs = dataset.split(split).num_examples
        if photographs < dataset.num_classes:
            raise UsageError(
                f"{dataset.name}: {photographs} photographs for {split} and {dataset.num_classes} "
                "classes; networks are chosen by their answers, so give each class more "
                "photographs (10 or more)"
            )
