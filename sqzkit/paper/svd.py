"""AlexNet's dense layers cut by their singular values.

Denton et al., "Exploiting Linear Structure Within Convolutional Networks",
2014, section 3.2: W [in, out] is replaced by the product of two matrices of
rank r, its best approximation of that rank. Its energy is the sum of the
squared singular values; a rank keeps a share of it.
"""

import bisect
import dataclasses
from collections.abc import Mapping

import numpy as np

from sqzkit.base.errors import UsageError
from sqzkit.base.keras import keras
from sqzkit.models import registry
from sqzkit.models.alexnet import AlexNetSpec

LAYERS = ("fc6", "fc7")


@dataclasses.dataclass(frozen=True)
class Decomposition:
    """A kernel [in, out] as left [in, k] x diag(singular [k]) x right [k, out], largest first."""

    left: np.ndarray
    singular: np.ndarray
    right: np.ndarray

    @property
    def energies(self) -> np.ndarray:
        """The share of the energy that each rank 1..k keeps, ascending to 1: float64 [k]."""
        squares = np.square(self.singular.astype(np.float64))
        total = squares.sum()
        return np.cumsum(squares) / total if total else np.ones(len(squares))

    @property
    def numbers_per_rank(self) -> int:
        """What one rank adds to the two factors."""
        return int(self.left.shape[0] + self.right.shape[1])

    def rank(self, energy: float) -> int:
        """Return the least rank that keeps at least that share of the energy, 1 or more."""
        least = int(np.searchsorted(self.energies, energy - 1e-12)) + 1
        return min(least, len(self.singular))

    def factors(self, rank: int) -> tuple[np.ndarray, np.ndarray]:
        """Return float32 [in, rank] and [rank, out], whose product is the best of that rank."""
        roots = np.sqrt(self.singular[:rank])  # shared, so that both are trained alike
        left, right = self.left[:, :rank] * roots, roots[:, None] * self.right[:rank]
        return left.astype(np.float32), right.astype(np.float32)


def decompose(kernel: np.ndarray) -> Decomposition:
    """Return the singular value decomposition of a kernel, float [in, out].

    From the eigenvectors of the smaller Gram matrix, in double precision: a
    quarter of the time of a general decomposition, exact enough for any rank
    whose energy matters.
    """
    kernel = np.asarray(kernel, np.float64)
    if kernel.shape[0] < kernel.shape[1]:
        turned = decompose(kernel.T)
        return Decomposition(turned.right.T, turned.singular, turned.left.T)
    squares, vectors = np.linalg.eigh(kernel.T @ kernel)
    singular = np.sqrt(np.maximum(squares[::-1], 0))
    right = vectors[:, ::-1].T
    left = kernel @ right.T
    left /= np.where(singular > singular[0] * 1e-7, singular, np.inf)
    return Decomposition(left, singular, right)


def decompose_dense(model: keras.Model) -> dict[str, Decomposition]:
    """Return the decompositions of fc6 and fc7."""
    return {name: decompose(model.get_layer(name).kernel.numpy()) for name in LAYERS}


def ranks_for_energy(parts: Mapping[str, Decomposition], energy: float) -> dict[str, int]:
    """Return the ranks that keep the share `energy` (above 0 and at most 1) of every layer."""
    return {name: part.rank(energy) for name, part in parts.items()}


def energy_for_numbers(parts: Mapping[str, Decomposition], most: int) -> float:
    """Return the largest share of the energy whose factors hold at most `most` numbers.

    All layers keep the same share, and `most` is of all together. Raises `UsageError` if not even
    rank 1 fits.
    """
    shares = np.unique(np.concatenate([part.energies for part in parts.values()]))

    def numbers(energy: np.float64) -> int:
        ranks = ranks_for_energy(parts, float(energy))
        return sum(ranks[name] * part.numbers_per_rank for name, part in parts.items())

    fitting = bisect.bisect_right(shares, most, key=numbers)
    if not fitting:
        raise UsageError(f"{most} numbers are too few for the factors of {', '.join(parts)}")
    return float(shares[fitting - 1])


def cut(
    model: keras.Model,
    spec: AlexNetSpec,
    parts: Mapping[str, Decomposition],
    ranks: Mapping[str, int],
) -> tuple[AlexNetSpec, keras.Model]:
    """Return the network with fc6 and fc7 factored, and its specification.

    The model, as `spec` says and not cut yet, is left as it is; `ranks` are 1 or more by layer.
    """
    factored = dataclasses.replace(spec, fc6_rank=ranks["fc6"], fc7_rank=ranks["fc7"])
    result = registry.build(factored, model.input_shape[1])
    for layer in result.layers:
        if layer.weights and layer.name.removesuffix("/factor") not in parts:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    for name, part in parts.items():
        left, right = part.factors(ranks[name])
        result.get_layer(f"{name}/factor").set_weights([left])
        result.get_layer(name).set_weights([right, *model.get_layer(name).get_weights()[1:]])
    return factored, result
