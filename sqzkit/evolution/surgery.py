"""Cut a SqueezeNet to a chosen set of filters: a smaller dense network, not a sparse one.

Channels that must be kept or removed together form one group: the filters of a squeeze layer, the
output of conv1, or the output of a Fire module. With an identity bypass a module's input and
output are added, so they are one group. Layers that read a group lose the same input channels, so
that any choice of filters gives a valid network.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from sqzkit.base.errors import RunError
from sqzkit.base.keras import keras
from sqzkit.models import squeezenet
from sqzkit.models.spec import FireModule, SqueezeNetSpec

IMAGE_CHANNELS = 3
Kept = Mapping[str, np.ndarray]  # by group: bool [channels], True where the channel stays


@dataclasses.dataclass(frozen=True)
class Convolution:
    """Which channels one convolution reads and writes.

    Attributes:
      name: its layer.
      inputs: the group it reads; None for the image.
      outputs: the group it writes; None for conv10, which keeps all classes.
      first, filters: the slice of `outputs` it writes.
    """

    name: str
    inputs: str | None
    outputs: str | None
    first: int
    filters: int

    def kept_inputs(self, kept: Kept) -> np.ndarray:
        """Return which input channels stay, bool [inputs]."""
        return np.ones(IMAGE_CHANNELS, bool) if self.inputs is None else kept[self.inputs]

    def kept_filters(self, kept: Kept) -> np.ndarray:
        """Return which filters stay, bool [filters]."""
        if self.outputs is None:
            return np.ones(self.filters, bool)
        return kept[self.outputs][self.first : self.first + self.filters]


def convolutions(spec: SqueezeNetSpec) -> list[Convolution]:
    """Return all convolutions in network order, with the groups they read and write."""
    result = [Convolution("conv1", None, "conv1", 0, spec.conv1_filters)]
    source = "conv1"
    for module in spec.modules():
        name, squeeze = module.name, f"{module.name}/squeeze1x1"
        outputs = source if module.bypass == "identity" else name
        result.append(Convolution(squeeze, source, squeeze, 0, module.squeeze1x1))
        result.append(Convolution(f"{name}/expand1x1", squeeze, outputs, 0, module.expand1x1))
        result.append(
            Convolution(f"{name}/expand3x3", squeeze, outputs, module.expand1x1, module.expand3x3)
        )
        if module.bypass == "conv1x1":
            result.append(Convolution(f"{name}/bypass1x1", source, outputs, 0, module.filters))
        source = outputs
    result.append(Convolution("conv10", source, None, 0, spec.classes))
    return [convolution for convolution in result if convolution.filters]


def group_sizes(spec: SqueezeNetSpec) -> dict[str, int]:
    """Return the number of channels of every group that may be cut."""
    sizes: dict[str, int] = {}
    for convolution in convolutions(spec):
        if convolution.outputs is not None:
            end = convolution.first + convolution.filters
            sizes[convolution.outputs] = max(sizes.get(convolution.outputs, 0), end)
    return sizes


def group_parts(spec: SqueezeNetSpec) -> dict[str, list[int]]:
    """Return, for each group of `group_sizes`, the channels of its parts, in order.

    A part is what no convolution writes only half of: the 1x1 and the 3x3 filters of a module.
    """
    bounds: dict[str, set[int]] = {}
    for convolution in convolutions(spec):
        if convolution.outputs is not None:
            end = convolution.first + convolution.filters
            bounds.setdefault(convolution.outputs, {0}).update((convolution.first, end))
    return {name: np.diff(sorted(ends)).tolist() for name, ends in bounds.items()}


def cut_spec(spec: SqueezeNetSpec, kept: Kept) -> SqueezeNetSpec:
    """Return the specification of the smaller network.

    `kept` is bool [channels] for each of `group_sizes(spec)`. Raises `RunError` if a group is
    missing, has another size, or keeps no channel.
    """
    sizes = group_sizes(spec)
    if set(kept) != set(sizes):
        names = ", ".join(sorted(set(kept) ^ set(sizes)))
        raise RunError(f"{names}: the groups to cut are not those of the network")
    for name, size in sizes.items():
        if kept[name].shape != (size,) or not kept[name].any():
            raise RunError(
                f"{name}: needs one truth value for each of its {size} channels, and one true"
            )
    left = {
        convolution.name: int(np.count_nonzero(convolution.kept_filters(kept)))
        for convolution in convolutions(spec)
        if convolution.outputs is not None
    }
    modules = tuple(
        FireModule(
            name=module.name,
            squeeze1x1=left[f"{module.name}/squeeze1x1"],
            expand1x1=left.get(f"{module.name}/expand1x1", 0),
            expand3x3=left.get(f"{module.name}/expand3x3", 0),
            bypass=module.bypass,
        )
        for module in spec.modules()
    )
    return dataclasses.replace(spec, conv1_filters=left["conv1"], overrides=modules)


def cut(model: keras.Model, spec: SqueezeNetSpec, kept: Kept) -> tuple[SqueezeNetSpec, keras.Model]:
    """Return the smaller network, with the weights it inherits.

    Its output is that of `model` with every removed channel set to zero. The model, made by
    `squeezenet.build(spec, ...)`, is left as it is; `kept` and errors are those of `cut_spec`.
    """
    smaller_spec = cut_spec(spec, kept)
    activation = "softmax" if isinstance(model.layers[-1], keras.layers.Softmax) else None
    smaller = squeezenet.build(smaller_spec, model.input_shape[1], activation)
    names = {layer.name for layer in smaller.layers}
    for convolution in convolutions(spec):
        if convolution.name not in names:
            continue  # all its filters are removed
        filters = convolution.kept_filters(kept)
        kernel, *bias = model.get_layer(convolution.name).get_weights()
        kernel = kernel[:, :, convolution.kept_inputs(kept)][..., filters]
        smaller.get_layer(convolution.name).set_weights([kernel, *(b[filters] for b in bias)])
        normalization = f"{convolution.name}/bn"
        if normalization in names:
            values = model.get_layer(normalization).get_weights()
            smaller.get_layer(normalization).set_weights([value[filters] for value in values])
    return smaller_spec, smaller
