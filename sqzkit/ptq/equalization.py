"""Scale channels between layers so that one step per tensor suits all of them.

ReLU, maximum pooling and concatenation commute with positive factors, so an
output channel may be divided by any factor if whoever reads it multiplies by
it: the network computes the same (Nagel et al., "Data-Free Quantization
Through Weight Equalization and Bias Correction", 2019, section 4.1). Channels
are brought to equal ranges here, which uses the 256 levels of the shared
activation scale for all of them. It costs no byte in the file.
"""

from collections.abc import Mapping

import numpy as np

from sqzkit.ptq.graph import Array, Graph, Weights

MAX_FACTOR = 8.0


def equalize(
    graph: Graph, weights: Weights, ranges: Mapping[str, Array], strength: float = 1.0
) -> Weights:
    """Return weights of the same function whose channels have more equal ranges.

    `ranges` are float32 [O], the largest output of each channel, by convolution. A `strength` of 0
    changes nothing; 1 makes them equal, up to a factor of `MAX_FACTOR` for channels that hardly
    ever fire.
    """
    kernels = {name: kernel.copy() for name, (kernel, _) in weights.items()}
    biases = {name: bias.copy() for name, (_, bias) in weights.items()}
    groups = site_members(graph)
    for names in groups:
        found = [readers(graph, name) for name in names]
        if any(item is None for item in found):
            continue
        largest = max(float(ranges[name].max()) for name in names)
        for name, consumers in zip(names, found, strict=True):
            share = np.clip(ranges[name] / largest, 1 / MAX_FACTOR, 1.0) ** strength
            kernels[name] /= share
            biases[name] /= share
            for consumer, offset in consumers or ():
                kernels[consumer][:, :, offset : offset + share.size] *= share[:, None]
    return {name: (kernels[name], biases[name]) for name in weights}


def site_members(graph: Graph) -> list[list[str]]:
    """Return the convolutions whose outputs share an activation scale, by site."""
    members: dict[str, list[str]] = {}
    for item in graph.convolutions():
        members.setdefault(item.site, []).append(item.name)
    return list(members.values())


def readers(graph: Graph, name: str) -> list[tuple[str, int]] | None:
    """Return which convolutions read a convolution's output, and from which channel on.

    None where anything else reads it (an addition, the final mean) or it is
    not rectified: such channels cannot be scaled.
    """
    channels = {item.name: graph.channels[item.name] for item in graph.operations}
    if not all(item.relu for item in graph.convolutions() if item.name == name):
        return None
    found: list[tuple[str, int]] = []
    pending = [(name, 0)]
    while pending:
        source, offset = pending.pop()
        consumers = graph.consumers(source)
        if not consumers:
            return None
        for item in consumers:
            if item.kind == "conv":
                found.append((item.name, offset))
            elif item.kind == "max":
                pending.append((item.name, offset))
            elif item.kind == "concat":
                before = item.inputs[: item.inputs.index(source)]
                pending.append((item.name, offset + sum(channels[other] for other in before)))
            else:
                return None
    return found
