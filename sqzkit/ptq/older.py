"""An older version of a file: its scales, and with them the int8 codes of weights that stayed.

An update costs little where the new file has the old one's codes. A weight that did not move has
the same code if its kernel has the same scale, and a bias if its layer's input has, too. So all old
scales are kept that still serve; what moved is rounded on the old grid.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from sqzkit.base.errors import FormatError, InvariantError, UsageError
from sqzkit.preprocessing import folding
from sqzkit.preprocessing.record import Preprocessing
from sqzkit.ptq.equalization import readers
from sqzkit.ptq.file import match
from sqzkit.ptq.graph import Array, Graph, Weights
from sqzkit.ptq.layers import Older, Rounded
from sqzkit.ptq.rounding import MAX_LEVEL
from sqzkit.ptq.simulation import Range
from sqzkit.tflite import metadata
from sqzkit.tflite.flatbuffer import Convolution, TFLiteFile

_NEAR = 0.501  # steps from the old code within which a weight has not moved
_MAX_BIAS = 2**31 - 1
FACTOR_SLACK = 0.01  # of a weight: how exactly `equalized` finds a factor again


def has_one_scale(content: bytes) -> bool:
    """Return whether an int8 file's kernels have one scale each; also False if it is not one."""
    try:
        kernels = [kernel for _, kernel in TFLiteFile(content).kernels()]
    except FormatError:
        return False
    return bool(kernels) and all(
        kernel.dtype == "int8" and kernel.scales.size == 1 for kernel in kernels
    )


class OlderFile:
    """The int8 file of an older version of a network.

    Args:
      content: the file.
      graph: the new version's network, which may have other classes.
      weights: its weights, whose shapes are compared.
      labels: the new version's class names.

    Raises:
      UsageError: the file is of another network, or not int8.
    """

    def __init__(
        self, content: bytes, graph: Graph, weights: Weights, labels: tuple[str, ...]
    ) -> None:
        self.graph, self.file = graph, TFLiteFile(content)
        try:
            self._tensors = match(self.file, graph)
        except (InvariantError, KeyError) as error:
            raise UsageError(f"the file of --base is of another network ({error})") from None
        self._places = {item.output: item for item in self.file.convolutions()}
        found = metadata.read(self.file)
        self._first, self._head = (graph.convolutions()[i].name for i in (0, -1))
        self._rows = {item.name: self._outputs(item.name) for item in graph.convolutions()}
        if found and len(found.labels) == self._place(self._head).kernel.shape[0]:
            known = {label: number for number, label in enumerate(found.labels)}
            self._rows[self._head] = np.array([known.get(label, -1) for label in labels])
        for name, (kernel, _) in weights.items():
            place = self._place(name)
            if place.kernel.dtype != "int8" or place.bias is None or not place.kernel.scales.size:
                raise UsageError(f"layer {name} of --base is not int8 with a bias")
            outputs = place.kernel.shape[0] if name == self._head else kernel.shape[3]
            if place.kernel.shape != (outputs, *kernel.shape[:3]):
                raise UsageError(f"layer {name} of --base has another shape")

    @property
    def ranges(self) -> dict[str, Range]:
        """The activation scales of sites without negative values."""
        found = {}
        for item in self.graph.operations:
            tensor = self.file.tensors[self._tensors[item.name]]
            if tensor.zero_points.tolist() == [-128]:
                found[item.site] = Range(float(tensor.scales[0]))
        return found

    def known(self, name: str) -> Array:
        """Return which outputs of a convolution the older file has, bool [O]."""
        return np.asarray(self._rows[name] >= 0)

    def codes(self, name: str) -> Array:
        """Return the old kernel, int8 HWIO; zeros for outputs that it does not have."""
        kernel = self.file.data(self._place(name).kernel)[self._rows[name]]
        kernel = np.where(self.known(name)[:, None, None, None], kernel, np.int8(0))
        return np.ascontiguousarray(kernel.transpose(1, 2, 3, 0))

    def steps(self, name: str, kernel: Array) -> Array:
        """Return the scale of each output, float64 [O]: the old one, where it serves.

        It does not where clipping would add more error than rounding does.
        """
        scales = self._place(name).kernel.scales.astype(np.float64)
        largest = np.maximum(np.abs(kernel).max(axis=(0, 1, 2)), 1e-12) / MAX_LEVEL
        if scales.size == 1:
            clipped = np.maximum(np.abs(kernel) - MAX_LEVEL * scales[0], 0)
            serves = (clipped**2).mean() <= scales[0] ** 2 / 12
            return np.full(largest.shape, scales[0] if serves else largest.max())
        steps = np.where(self.known(name), scales[self._rows[name]], largest)
        clipped = np.maximum(np.abs(kernel) - MAX_LEVEL * steps, 0)
        steps = np.where((clipped**2).mean(axis=(0, 1, 2)) <= steps**2 / 12, steps, largest)
        return np.asarray(steps)

    def layers(self, weights: Weights) -> dict[str, Older]:
        """Return what a file with one scale for each kernel has of every layer.

        Raises:
          UsageError: it has scales by channel.
        """
        found = {}
        for name, (kernel, _) in weights.items():
            if self._place(name).kernel.scales.size > 1:
                raise UsageError(
                    f"the kernel of {name} in --base has a scale for each channel; --optimize_for "
                    "needs a file with one scale a kernel (--granularity=per_tensor): leave "
                    "--optimize_for out, or give such a file"
                )
            step = float(np.float32(self.steps(name, kernel)[0]))
            place, rows = self._place(name).bias, self._rows[name]
            assert place is not None
            bias = self.file.data(place)[rows] * place.scales.astype(np.float64)
            found[name] = Older(self.codes(name), step, bias, self.known(name))
        return found

    def nearest(
        self, weights: Weights, preprocessing: Preprocessing, slack: float = 0.0
    ) -> dict[str, Rounded]:
        """Return every convolution on the old scales, each weight at its nearest code.

        A weight keeps the old code if that is nearest within a share `slack` of itself. With one
        scale a kernel, the first bias makes up for the rounding of its kernel, as in conversion.
        """
        layers = {}
        for name, (kernel, bias) in weights.items():
            steps = np.float32(self.steps(name, kernel)).astype(np.float64)
            exact = kernel / steps
            old = self.codes(name)
            near = _NEAR + slack * np.abs(old.astype(np.float64))
            stays = (np.abs(exact - old) <= near) & self.known(name)
            codes = np.where(stays, old, np.clip(np.rint(exact), -MAX_LEVEL, MAX_LEVEL))
            layers[name] = Rounded(codes.astype(np.int8), steps, bias)
        if self._place(self._first).kernel.scales.size == 1:
            first, kernel = layers[self._first], weights[self._first][0]
            shift = folding.rounding_shift(kernel, first.kernel * first.step, preprocessing)
            layers[self._first] = dataclasses.replace(first, bias=first.bias + shift)
        return layers

    def equalized(self, weights: Weights) -> Weights:
        """Return weights with the old file's factors between layers, found by least squares.

        A channel's factor is that at which its weights are most like the old ones.
        """
        kernels = {name: kernel.astype(np.float64) for name, (kernel, _) in weights.items()}
        biases = {name: bias for name, (_, bias) in weights.items()}
        for item in self.graph.convolutions():
            consumers = readers(self.graph, item.name)
            if consumers is None:
                continue
            own = kernels[item.name]
            old = self.codes(item.name) * self.steps(item.name, own)
            energy = (own * old).sum(axis=(0, 1, 2))
            with np.errstate(divide="ignore", invalid="ignore"):
                factor = (old * old).sum(axis=(0, 1, 2)) / energy
            factor = np.where((energy > 0) & np.isfinite(factor) & (factor > 0), factor, 1.0)
            kernels[item.name] = own * factor
            biases[item.name] = (biases[item.name] * factor).astype(np.float32)
            for consumer, offset in consumers:
                kernels[consumer][:, :, offset : offset + factor.size] /= factor[:, None]
        return {name: (kernels[name].astype(np.float32), biases[name]) for name in weights}

    def write(self, content: bytes, layers: Mapping[str, Rounded]) -> bytes:
        """Return the new version's file with these weights and all old scales that serve.

        Args:
          content: of the new version, converted as the older one was.
          layers: by convolution.

        Raises:
          UsageError: the file is not laid out as the older one.
        """
        file = TFLiteFile(content)
        tensors = match(file, self.graph)
        scales = self._activation_scales(file, tensors)
        values: dict[int, Array] = {}
        places = {item.output: item for item in file.convolutions()}
        for item in self.graph.convolutions():
            place, layer = places[tensors[item.name]], layers[item.name]
            count = place.kernel.scales.size
            if place.bias is None or count != self._count(item.name, layer.bias.size):
                raise UsageError(
                    f"the kernel of {item.name} has {count} scales now; convert with the old "
                    "--granularity"
                )
            steps = np.broadcast_to(np.float32(layer.step), layer.bias.shape)[:count]
            units = steps * np.float32(scales.get(place.input, file.tensors[place.input].scales))
            values[place.kernel.index] = np.ascontiguousarray(layer.kernel.transpose(3, 0, 1, 2))
            units, values[place.bias.index] = self._biases(item.name, layer.bias, units)
            scales[place.kernel.index], scales[place.bias.index] = steps, units
        stored = {index: file.data(file.tensors[index]) for index in values}
        changed = {i: new for i, new in values.items() if not np.array_equal(new, stored[i])}
        return file.replace(changed, scales)

    def _count(self, name: str, outputs: int) -> int:
        """Return how many scales the kernel of that many outputs must have."""
        return 1 if self._place(name).kernel.scales.size == 1 else outputs

    def _biases(self, name: str, bias: Array, units: Array) -> tuple[Array, Array]:
        """Return scales and codes of a bias: the old ones where rounding alone tells them apart."""
        place, rows, known = self._place(name).bias, self._rows[name], self.known(name)
        assert place is not None
        before = place.scales if place.scales.size == 1 else np.where(known, place.scales[rows], 0)
        units = np.where(np.isclose(before, units, 1e-6, 0), before, units)
        codes = np.clip(np.rint(bias.astype(np.float64) / units), -_MAX_BIAS, _MAX_BIAS)
        old = self.file.data(place)[rows]
        same = known & (before == units) & (np.abs(codes - old) <= 1)
        return units, np.where(same, old, codes).astype(np.int32)

    def _activation_scales(self, file: TFLiteFile, tensors: Mapping[str, int]) -> dict[int, Array]:
        scales: dict[int, Array] = {}
        for name, index in tensors.items():
            new, old = file.tensors[index], self.file.tensors[self._tensors[name]]
            if new.scales.size == 1 and np.array_equal(new.zero_points, old.zero_points):
                scales[index] = old.scales
        return scales

    def _place(self, name: str) -> Convolution:
        return self._places[self._tensors[name]]

    def _outputs(self, name: str) -> Array:
        """Return the old file's outputs in their order, -1 for what it has fewer of."""
        outputs = np.arange(self.graph.channels[name])
        return np.where(outputs < self._place(name).kernel.shape[0], outputs, -1)
