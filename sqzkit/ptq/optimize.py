"""Int8 with the accuracy of float at the fewest bytes, from unlabelled photographs.

The steps, each described in its own module: equalize the channels' ranges
(`equalization`); choose the activation scales with the least error and
measure what every output matters to the logits (`calibration`); round layer
by layer at one price for a bit (`layers`, `rounding`); where a budget is
given, search the price that meets it.
docs/optimization.md has what each step gains.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sqzkit.base.errors import RunError, UsageError
from sqzkit.coding import weights as coder
from sqzkit.models.inference import to_inference
from sqzkit.preprocessing import Preprocessing, folding
from sqzkit.ptq import calibration, rounding
from sqzkit.ptq import file as optimize_file
from sqzkit.ptq import layers as optimize_layers
from sqzkit.ptq.config import OptimizeConfig
from sqzkit.ptq.equalization import equalize
from sqzkit.ptq.graph import Array, Graph, Weights, read_model
from sqzkit.ptq.layers import Rounded
from sqzkit.ptq.older import OlderFile
from sqzkit.ptq.simulation import Range

Progress = Callable[[str], None]

MAX_PHOTOGRAPHS = 200  # of 256 pixels; fewer of larger ones: memory grows with their area
MIN_PHOTOGRAPHS = 8
# Expected squared error of the logits, as a share of their variance.
_ERROR_SHARES = {"accuracy": 4e-4, "size": 9e-4}
_SEARCHES = 5  # roundings of the whole network to meet a budget
_SLACK = 0.01  # of the budget that may stay unused
_GAIN = 0.1  # of the bytes that were to be gained: with less, a still lower price gains nothing
_PROHIBITIVE = 1e6  # times any useful price
_MAX_MOVE = 3.0  # in the logarithm of the price
_DISTINCT = 100  # integer steps between the template's biases
_NOMINAL = 0.01  # a weight that stands in where a kernel has none
_STRENGTH = 0.5  # of the equalization: between the activations' and the weights' optimum


@dataclasses.dataclass(frozen=True)
class OptimizedWeights:
    """An int8 network: everything in its `.tflite` that differs from plain conversion.

    Attributes:
      graph: the operations; the photograph is raw RGB 0..255.
      layers: int8 kernel HWIO, its scale, and the float bias, by convolution.
      ranges: activation scale by site (a maximum pooling or concatenation
        shares its inputs').
      price: squared logit error that one bit was worth.
      older: the file that is to be updated to this one, or None.
    """

    graph: Graph
    layers: dict[str, Rounded]
    ranges: dict[str, Range]
    price: float
    older: OlderFile | None = None

    @property
    def coded_bytes(self) -> int:
        """Bytes of all kernels in a `.sqz`, or in an update of the older file."""
        return coded_bytes(self.layers, self.older)

    def template(self, model: Any, preprocessing: Preprocessing) -> Any:
        """Return a Keras model whose conversion has a place for these weights.

        It computes about the same as the int8 network. Biases and kernels are
        made unequal, because the converter stores equal constants only once:
        kernels that lost their weights may be equal.
        """
        sites = {item.name: item.site for item in self.graph.operations}
        weights: Weights = {}
        taken: set[bytes] = set()
        for number, item in enumerate(self.graph.convolutions()):
            layer, source = self.layers[item.name], item.inputs[0]
            unit = layer.step * (self.ranges[sites[source]].step if source else 1.0)
            distinct = _DISTINCT * unit * np.sin(np.arange(layer.bias.size) + number)
            kernel = _unequal(layer.values, taken)
            weights[item.name] = kernel, layer.bias + distinct.astype(np.float32)
        return _with_weights(to_inference(model), self.graph, weights, preprocessing)

    def write(self, content: bytes) -> bytes:
        """Return the converted `template` with exactly these weights and scales."""
        if self.older:
            return self.older.write(content, self.layers)
        return optimize_file.write(content, self.graph, self.layers, self.ranges)


class Optimizer:
    """A network measured on photographs: what rounding at any price needs, computed once.

    Args:
      model: flat functional Keras model, of any SqueezeNet.
      preprocessing: what it expects of its input.
      photographs: uint8 [N, S, S, 3], RGB, unlabelled, like those it is for;
        at least 8, better 50 or more.
      config: the target, and whose budget `best` meets.
      progress: is told, in words, what is done.
      older: a file to be updated, and the class names now; its scales are kept, and bits are those
        of an update.

    Attributes:
      price: of a bit, at which the error is what the target allows.

    Raises:
      UsageError: too few photographs, of another size, or a model with layers
        that are not understood.
    """

    def __init__(
        self,
        model: Any,
        preprocessing: Preprocessing,
        photographs: Array,
        config: OptimizeConfig,
        progress: Progress = lambda text: None,
        older: tuple[bytes, tuple[str, ...]] | None = None,
    ) -> None:
        images = _choose(photographs, preprocessing, config)
        self.graph, exact = read_model(to_inference(model), preprocessing)
        self._older = OlderFile(older[0], self.graph, exact, older[1]) if older else None
        self.weights = _equalized(self.graph, exact, images, self._older)
        measured = calibration.calibrate(self.graph, self.weights, images, config.seed)
        self._before = None
        if self._older:
            self._before = self._older.layers(self.weights)
            ranges = {**measured.ranges, **self._older.ranges}
            measured = dataclasses.replace(measured, ranges=ranges)
        self._measured, self._config, self._progress = measured, config, progress
        count = len(self.graph.convolutions())
        progress(f"measured {count} convolutions on {len(images)} photographs")
        share = _ERROR_SHARES[config.optimize_for]
        self.price = _price(self.weights, measured.logit_variance, share)

    def at(self, price: float) -> OptimizedWeights:
        """Return the network rounded at a price."""
        layers = optimize_layers.round_network(
            self.graph, self.weights, self._measured, price, self._config.seed, self._before
        )
        return OptimizedWeights(self.graph, layers, self._measured.ranges, price, self._older)

    def best(self, budget: int, size: Callable[[OptimizedWeights], int]) -> OptimizedWeights:
        """Return the network at the price that meets a budget.

        The budget is in bytes of the archive, or the update; `size` makes it and returns them.
        Raises `RunError` if it cannot be met.
        """

        def measured(found: OptimizedWeights) -> int:
            found_bytes = size(found)
            self._progress(f"price {found.price:.2e}: {found_bytes:,} bytes")
            return found_bytes

        of_update = self._config.update_budget_bytes
        flag = "--update_budget_bytes" if of_update else "--archive_budget_bytes"
        return search_price(self.at, measured, self.price, budget, flag)


def _equalized(graph: Graph, exact: Weights, images: Array, base: OlderFile | None) -> Weights:
    if base:
        return base.equalized(exact)
    return equalize(graph, exact, calibration.channel_ranges(graph, exact, images), _STRENGTH)


def equalized(model: Any, preprocessing: Preprocessing, photographs: Array) -> Any:
    """Return a Keras model of the same function whose channels have more equal ranges.

    An int8 file has one scale for all channels of a result. Arguments are as for `Optimizer`.
    """
    prepared = to_inference(model)
    graph, exact = read_model(prepared, preprocessing)
    ranges = calibration.channel_ranges(graph, exact, photographs)
    weights = equalize(graph, exact, ranges, _STRENGTH)
    return _with_weights(prepared, graph, weights, preprocessing)


def _with_weights(prepared: Any, graph: Graph, weights: Weights, record: Preprocessing) -> Any:
    for item in graph.convolutions():
        both = weights[item.name]
        if not item.inputs[0]:
            both = folding.unfold(*both, record)
        prepared.get_layer(item.name).set_weights(both)
    return prepared


def _unequal(kernel: Array, taken: set[bytes]) -> Array:
    """Return a kernel, HWIO, that is converted to other bytes than zeros and those `taken`.

    One that would not be gets other weights, one after the other. Its bytes are added.
    """
    unit = float(np.abs(kernel).max()) or _NOMINAL
    for place in range(kernel.size + 1):
        codes = np.rint(kernel.transpose(3, 0, 1, 2) / unit * rounding.MAX_LEVEL).astype(np.int8)
        if codes.any() and codes.tobytes() not in taken:
            break
        index = place % kernel.size
        kernel.flat[index] = unit if kernel.flat[index] < unit else -unit
    taken.add(codes.tobytes())
    return kernel


def _price(weights: Weights, logit_variance: float, share: float) -> float:
    """Return the price of a bit at which the expected error is `share` of the variance.

    At a price p each of N weights adds p / ln 2 to the squared error, whatever
    its layer (rate-distortion theory for fine steps).
    """
    nonzero = sum(int((kernel != 0).sum()) for kernel, _ in weights.values())
    return max(share * logit_variance * float(np.log(2)) / max(nonzero, 1), 1e-30)


def search_price(
    at: Callable[[float], OptimizedWeights],
    size: Callable[[OptimizedWeights], int],
    price: float,
    budget: int,
    flag: str = "--archive_budget_bytes",
) -> OptimizedWeights:
    """Return the network whose archive, or update, has the most bytes within a budget.

    `at` rounds the network at a price, `size` returns the bytes of what it gives; `price` is where
    to begin. Bytes fall about linearly with its logarithm, so a few secants do. Raises `RunError`,
    which names `flag`, if no price within reach meets the budget.
    """
    tried: list[_Tried] = []
    for _ in range(_SEARCHES):
        tried.append(_Tried.of(at(price), size))
        if tried[-1].size > budget:
            _refuse_overhead(tried[-1], budget, flag)
        if 0 <= budget - tried[-1].size <= _SLACK * budget or _is_saturated(tried, budget):
            break
        price = _next_price(tried, budget * (1 - _SLACK / 2))
    fitting = [item for item in tried if item.size <= budget]
    if not fitting and tried[-1].found.older:  # with the old codes wherever that is possible
        tried.append(_Tried.of(at(price * _PROHIBITIVE), size))
        fitting = [item for item in tried[-1:] if item.size <= budget]
    if not fitting:
        least = min(item.size for item in tried)
        raise RunError(
            f"{flag}={budget}: the smallest that was reached has {least:,} bytes; allow more, or "
            "prune and cluster the model first"
        )
    return max(fitting, key=lambda item: (item.size, -item.log_price)).found


def _refuse_overhead(tried: "_Tried", budget: int, flag: str) -> None:
    overhead = tried.size - tried.found.coded_bytes
    if overhead >= budget:
        raise RunError(
            f"{flag}={budget}: all but the kernels takes {overhead:,} bytes already; allow more"
        )


def _is_saturated(tried: Sequence["_Tried"], budget: int) -> bool:
    """Return whether a lower price took hardly more bytes: then all steps are the finest."""
    if len(tried) < 2 or tried[-1].log_price > tried[-2].log_price:
        return False
    return tried[-1].size - tried[-2].size < _GAIN * (budget - tried[-2].size)


def coded_bytes(layers: Mapping[str, Rounded], older: OlderFile | None = None) -> int:
    """Return the bytes of all kernels in a `.sqz`, or in an update of the older file."""
    before = [older.codes(name).transpose(3, 0, 1, 2) for name in layers] if older else []
    kernels = [layer.kernel.transpose(3, 0, 1, 2) for layer in layers.values()]
    return len(coder.encode(kernels, before))


@dataclasses.dataclass(frozen=True)
class _Tried:
    """A network rounded at a price, and the bytes of its archive or update."""

    found: OptimizedWeights
    size: int

    @classmethod
    def of(cls, found: OptimizedWeights, size: Callable[[OptimizedWeights], int]) -> "_Tried":
        return cls(found, size(found))

    @property
    def log_price(self) -> float:
        return float(np.log(self.found.price))


def _next_price(tried: Sequence[_Tried], wanted: float) -> float:
    """Return where the line through two trials meets `wanted` bytes.

    They are the nearest on either side of it, or the last two.
    """
    last, before = tried[-1], tried[-2] if len(tried) > 1 else None
    above = [item for item in tried if item.size > wanted]
    below = [item for item in tried if item.size <= wanted]
    if above and below:
        before, last = sorted(
            (min(above, key=lambda item: item.size), max(below, key=lambda item: item.size)),
            key=lambda item: abs(item.size - wanted),
            reverse=True,
        )
    # Halving all steps is a quarter of the price and one bit more per weight.
    nonzero = sum(int((layer.kernel != 0).sum()) for layer in last.found.layers.values())
    slope = -max(nonzero, 1) / 8 / np.log(4)
    if before and before.found.price != last.found.price:
        measured = (last.size - before.size) / (last.log_price - before.log_price)
        slope = min(measured, slope / 4)
    change = np.clip((wanted - last.size) / slope, -_MAX_MOVE, _MAX_MOVE)
    return float(last.found.price * np.exp(change))


def _choose(photographs: Array, preprocessing: Preprocessing, config: OptimizeConfig) -> Array:
    """Return as many of the photographs as memory suits, drawn from all."""
    side = preprocessing.image_size
    if photographs.dtype != np.uint8 or photographs.shape[1:] != (side, side, 3):
        raise UsageError(
            f"photographs {photographs.dtype} {list(photographs.shape)}: must be uint8 "
            f"[N, {side}, {side}, 3]"
        )
    if len(photographs) < MIN_PHOTOGRAPHS:
        raise UsageError(
            f"{len(photographs)} photographs: --optimize_for needs {MIN_PHOTOGRAPHS} or more, "
            "better 100; give --representative_dataset_dir"
        )
    most = max(MIN_PHOTOGRAPHS, MAX_PHOTOGRAPHS * 256**2 // max(side, 256) ** 2)
    count = min(len(photographs), most)
    chosen = np.random.default_rng(config.seed).permutation(len(photographs))[:count]
    return photographs[np.sort(chosen)]
