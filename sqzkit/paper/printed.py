"""What the papers print: SqueezeNet's table 2, and what pruning left of each layer.

Iandola et al. 2016 (SqueezeNet), tables 1 and 2; Han et al. 2015, table 4
(AlexNet's layers); Han et al. 2016 (Deep Compression), section 5.1: 256 shared
values for convolutions and 32 for dense layers.
"""

import dataclasses
import fnmatch
from collections.abc import Mapping, Sequence

# Share of weights that pruning left. AlexNet's towers "a" and "b" share a line.
ALEXNET_DENSITY: Mapping[str, float] = {
    "conv1/*": 0.84,
    "conv2/*": 0.38,
    "conv3/*": 0.35,
    "conv4/*": 0.37,
    "conv5/*": 0.37,
    "fc6": 0.09,
    "fc7": 0.09,
    "fc8": 0.25,
}
SQUEEZENET_DENSITY: Mapping[str, float] = {
    "*/expand3x3": 0.33,
    "fire9/expand3x3": 0.3,
    "fire6/expand1x1": 0.5,
    "fire8/expand1x1": 0.5,
    "fire7/squeeze1x1": 0.5,
    "fire9/squeeze1x1": 0.5,
    "conv10": 0.2,
}
# One of 256 codes is zero's; int8 kernels hold 255 values anyway.
ALEXNET_VALUES: Mapping[str, int] = {"conv*": 255, "fc*": 32}


@dataclasses.dataclass(frozen=True)
class PaperRow:
    """One line of table 2: megabytes and ratio to AlexNet as printed, ImageNet accuracies in %."""

    megabytes: float
    ratio: float
    top1: float
    top5: float


PAPER: Mapping[str, PaperRow] = {
    "alexnet": PaperRow(240, 1, 57.2, 80.3),
    "svd": PaperRow(48, 5, 56.0, 79.4),
    "pruned": PaperRow(27, 9, 57.2, 80.3),
    "alexnet_dc": PaperRow(6.9, 35, 57.2, 80.3),
    "squeezenet": PaperRow(4.8, 50, 57.5, 80.3),
    "squeezenet_dc8": PaperRow(0.66, 363, 57.5, 80.3),
    "squeezenet_dc6": PaperRow(0.47, 510, 57.5, 80.3),
}


def sparsity_table(densities: Mapping[str, float], layers: Sequence[str]) -> str:
    """Return `--target_sparsity` for a network, such as "0,fire2/expand3x3=0.67"."""
    return values_table({name: 1 - density for name, density in densities.items()}, layers)


def values_table(values: Mapping[str, float], layers: Sequence[str]) -> str:
    """Return a network's table of the layers that a pattern matches; the last that does wins."""
    found: dict[str, float] = {}
    for pattern, value in values.items():
        found.update(dict.fromkeys(fnmatch.filter(layers, pattern), value))
    return ",".join(["0", *(f"{name}={value:g}" for name, value in found.items())])
