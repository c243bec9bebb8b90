"""Share one sparsity out over the layers: by the weights (LAMP) or by a sensitivity scan.

Lee et al., "Layer-adaptive sparsity for the magnitude-based pruning", 2021: a
weight's score is its square over the sum of the squares of all weights of its
layer that are not smaller, itself included. The smallest scores of the whole
network go, so that each layer's output is distorted about equally. It needs no
photographs and no time, and never empties a layer: the largest weight of each
has score 1.

Han et al., "Learning both weights and connections", 2015, section 3.1: each
layer is pruned alone, without retraining, and the loss is measured. The scan's
proposal cuts every layer to the same rise of the loss.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping

import numpy as np

from sqzkit.base.errors import UsageError
from sqzkit.base.keras import keras
from sqzkit.compression import kernels as reading
from sqzkit.runs.folder import RunFolder

LAMP_MAX = 0.99
GRID = (0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
SCAN_MAX = 0.98
RECORD = "sensitivity"

Curves = dict[str, dict[float, float]]
Loss = Callable[[], float]


def share_out(kernels: Mapping[str, np.ndarray], target: float) -> dict[str, float]:
    """Return the sparsity by layer that gives `target` (0..0.99) over all layers together.

    Raises `UsageError` if it is out of range.
    """
    if not 0 <= target <= LAMP_MAX:
        raise UsageError(
            f"--target_sparsity lamp:{target}: shares out 0..{LAMP_MAX}; "
            "beyond that give a table by layer"
        )
    scored = {name: scores(kernel) for name, kernel in kernels.items()}
    ordered = np.sort(np.concatenate(list(scored.values())))
    threshold = ordered[min(int(target * ordered.size), ordered.size - 1)]
    return {name: round(float(np.mean(own < threshold)), 4) for name, own in scored.items()}


def scores(kernel: np.ndarray) -> np.ndarray:
    """Return the scores of a layer's weights, highest first: float64, 0..1."""
    squares = np.sort(np.abs(kernel.ravel()).astype(np.float64))[::-1] ** 2
    return np.asarray(squares / np.maximum(np.cumsum(squares), np.finfo(np.float64).tiny))


@dataclasses.dataclass(frozen=True)
class Scan:
    """What a scan measured.

    Attributes:
      base: loss of the network as it is.
      curves: loss by layer and sparsity; sparsity 0 is `base`.
      sizes: weights by layer.
    """

    base: float
    curves: Curves
    sizes: dict[str, int]

    def proposal(self, target: float) -> dict[str, float]:
        """Return the sparsity by layer that gives `target` over all layers together.

        Each layer gets the highest sparsity whose loss, pruned alone, rises by
        at most t, and t is the least that reaches the target.
        Raises:
          UsageError: `target` is more than a scan can propose.
        """
        if not 0 <= target <= SCAN_MAX:
            raise UsageError(
                f"--target_sparsity scan:{target}: a scan proposes 0..{SCAN_MAX}; "
                "beyond that give a table by layer"
            )
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            if self._overall(self._at(middle)) < target:
                low = middle
            else:
                high = middle
        return {name: round(value, 4) for name, value in self._at(high).items()}

    def _at(self, share: float) -> dict[str, float]:
        """Return the sparsity by layer for a rise of the loss, 0..1 of an exponential scale."""
        largest = max(max(curve.values()) for curve in self.curves.values()) - self.base
        rise = max(largest, 1e-6) * (math.expm1(8 * share) / math.expm1(8))
        return {name: self._bearable(name, self.base + rise, share) for name in self.curves}

    def _bearable(self, name: str, limit: float, share: float) -> float:
        points = [(0.0, self.base), *sorted(self.curves[name].items())]
        # Beyond the last measured point, assume that the loss keeps rising.
        points.append((SCAN_MAX, points[-1][1] + max(1e-6, points[-1][1] - self.base)))
        losses = np.maximum.accumulate([loss for _, loss in points])
        losses = losses + 1e-9 * np.arange(len(losses))
        bearable = float(np.interp(limit, losses, [sparsity for sparsity, _ in points]))
        return max(bearable, SCAN_MAX * share**8)

    def _overall(self, sparsities: Mapping[str, float]) -> float:
        size = sum(self.sizes.values())
        return sum(self.sizes[name] * value for name, value in sparsities.items()) / size


def scan(model: keras.Model, loss: Loss, folder: RunFolder, identity: Mapping[str, object]) -> Scan:
    """Measure each layer's curve; what a killed scan has measured is used again.

    Args:
      model: plain; its kernels are pruned one at a time and put back.
      loss: measures `model` on the scan's examples.
      folder: keeps `sensitivity.json`.
      identity: what the curves depend on (weights, examples); curves measured
        under another are thrown away.
    """
    record = folder.read_record(RECORD)
    if not record or record.get("identity") != dict(identity):
        record = {"identity": dict(identity), "base": loss(), "curves": {}}
        folder.write_record(RECORD, record)
    layers = reading.weighted_layers(model)
    for index, layer in enumerate(layers):
        if layer.name in record["curves"]:
            continue
        curve = _curve(layer, loss)
        record["curves"][layer.name] = [[sparsity, value] for sparsity, value in curve.items()]
        folder.write_record(RECORD, record)
        losses = " ".join(f"{value:.3f}" for value in curve.values())
        print(f"sensitivity {index + 1}/{len(layers)} {layer.name}: loss {losses}", flush=True)
    curves = {name: dict(map(tuple, points)) for name, points in record["curves"].items()}
    sizes = {layer.name: int(np.prod(layer.kernel.shape)) for layer in layers}
    return Scan(record["base"], curves, sizes)


def _curve(layer: keras.layers.Layer, loss: Loss) -> dict[float, float]:
    original = layer.kernel.numpy()
    try:
        curve = {}
        for sparsity in GRID:
            layer.kernel.assign(reading.prune_once(original, sparsity))
            curve[sparsity] = float(loss())
        return curve
    finally:
        layer.kernel.assign(original)
