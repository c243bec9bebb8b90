"""Weight sharing by TF-MOT, with the zeros of pruning kept.

Han et al., "Deep Compression", 2016, section 3: the weights of a layer share
a few values, and those are trained. Linear initialisation was the paper's best.
"uniform" keeps the values on a grid of equal steps instead, and "lloyd" does as
the paper did: k-means once, then training of the values. Use "lloyd" for layers
of millions of weights, because TF-MOT assigns every weight again at every step.
"""

from collections.abc import Mapping

import numpy as np

from sqzkit.base.errors import UsageError
from sqzkit.base.keras import keras
from sqzkit.compression import codebooks, kernels, quantization, tfmot

INITIALISATIONS = {
    "linear": tfmot.CentroidInitialization.LINEAR,
    "kmeans++": tfmot.CentroidInitialization.KMEANS_PLUS_PLUS,
    "density": tfmot.CentroidInitialization.DENSITY_BASED,
}
UNIFORM = "uniform"
LLOYD = "lloyd"

Grids = dict[str, tuple[float, int]]


def wrap(model: keras.Model, clusters: Mapping[str, int], codebook: str) -> keras.Model:
    """Return a model that trains `model` (shared weights) with shared values.

    Args:
      model: plain, without batch normalization (folding it later would
        multiply each channel of a kernel by another factor).
      clusters: distinct values by layer name, zero included; 0 for none.
      codebook: a key of `INITIALISATIONS`.

    Raises:
      UsageError: too few clusters for a layer that holds zeros.
    """

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        wanted = clusters.get(layer.name, 0)
        if not wanted or layer.kernel.shape.num_elements() <= wanted:
            return layer
        pruned = bool((layer.kernel.numpy() == 0).any())
        check_clusters(layer.name, wanted, pruned)
        return tfmot.cluster_weights(
            layer, wanted, INITIALISATIONS[codebook], preserve_sparsity=pruned
        )

    return keras.models.clone_model(model, clone_function=clone)


def strip(wrapped: keras.Model) -> dict[str, list[np.ndarray]]:
    """Return the clustered weights by plain layer name (`kernels.write_weights`)."""
    return kernels.read_weights(tfmot.strip_clustering(wrapped))


def fit_grids(model: keras.Model, clusters: Mapping[str, int]) -> Grids:
    """Return the best (step, largest level) for each layer that is to be on a grid.

    Raises `UsageError` for too few clusters for a grid, which always holds zero.
    """
    grids = {}
    for name, kernel in kernels.read_kernels(model).items():
        wanted = clusters.get(name, 0)
        if wanted and kernel.size > wanted:
            check_clusters(name, wanted, pruned=True)
            grids[name] = (codebooks.best_step(kernel, wanted), codebooks.highest_level(wanted))
    return grids


def wrap_lloyd(model: keras.Model, clusters: Mapping[str, int]) -> keras.Model:
    """Cluster the kernels of `model`, and return a model that trains their shared values.

    Arguments and errors are those of `wrap`.
    """
    shared = set()
    for layer in kernels.weighted_layers(model):
        wanted = clusters.get(layer.name, 0)
        if wanted and layer.kernel.shape.num_elements() > wanted:
            check_clusters(layer.name, wanted, pruned=True)
            layer.kernel.assign(codebooks.share(layer.kernel.numpy(), wanted))
            shared.add(layer.name)
    return quantization.wrap_float(model, {}, shared)


def check_clusters(layer: str, wanted: int, pruned: bool) -> None:
    """Raise `UsageError` if `wanted` values are too few for the layer."""
    if pruned and wanted < 3:
        raise UsageError(
            f"--number_of_clusters {wanted} for {layer}: one of them is zero, so the layer's "
            "other weights would all be one value; use 3 or more"
        )
