"""A trained network at the size the papers print: 1,000 classes, 227 pixels.

All layers but the last are the user's own, trained weights; the head is drawn
anew, as wide a distribution as the trained one's, and pruned and clustered as
that was. So the bytes are those of a real file of the real architecture; its
answers mean nothing, and none is asked for.
"""

import dataclasses
from typing import Any

import numpy as np

from sqzkit.base.keras import keras
from sqzkit.compression import codebooks
from sqzkit.compression import kernels as reading
from sqzkit.models import inference, registry
from sqzkit.models.spec import SqueezeNetSpec
from sqzkit.paper.config import PaperSize

MAX_SHARED = 255  # distinct values; with more, a head is not clustered


def folded(model: keras.Model, spec_json: dict[str, Any]) -> tuple[registry.Spec, keras.Model]:
    """Return specification and network without batch normalization, of the same function."""
    spec = registry.spec_from_json(spec_json)
    if spec.normalization == "none":
        return spec, model
    return inference.fold_batch_normalization(model, spec)


def at_paper_size(
    model: keras.Model, spec: registry.Spec, size: PaperSize, seed: int
) -> keras.Model:
    """Return the network, plain and without batch normalization, with a fresh head, for `size`."""
    if isinstance(spec, SqueezeNetSpec):
        # At the few pixels of small images a pooling is left out; here there is room for all.
        pools = SqueezeNetSpec.pool_after
        short = len(spec.pool_after) < len(pools) and len(spec.modules()) == spec.fire_modules == 8
        spec = dataclasses.replace(spec, pool_after=pools if short else spec.pool_after)
    larger = registry.build(dataclasses.replace(spec, classes=size.classes), size.image_size)
    last = reading.layer_names(model)[-1]
    for layer in larger.layers:
        if not layer.weights:
            continue
        trained = model.get_layer(layer.name).get_weights()
        if layer.name == last:
            kernel = head_like(trained[0], size.classes, seed)
            trained = [kernel, np.zeros(size.classes, np.float32)]
        layer.set_weights(trained)
    return larger


def head_like(kernel: np.ndarray, classes: int, seed: int) -> np.ndarray:
    """Return a head for that many classes that looks like a trained one.

    The spread of the trained head's kernel [..., inputs, outputs], its share of zeros and its
    number of shared values are taken over.
    """
    left = kernel[kernel != 0]
    generator = np.random.default_rng(seed)
    drawn = generator.normal(0, left.std() or 1.0, (*kernel.shape[:-1], classes))
    head = drawn.astype(np.float32)
    if left.size < kernel.size:
        head = reading.prune_once(head, reading.sparsity(kernel))
    values = np.unique(left).size
    shared = values <= min(MAX_SHARED, left.size // 2)
    return codebooks.share(head, values + 1) if shared else head


def layers_of(model: keras.Model) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return kernels and biases by layer, for `coding.layer_file`."""
    none = np.zeros(0, np.float32)
    return {
        layer.name: (layer.kernel.numpy(), layer.bias.numpy() if layer.use_bias else none)
        for layer in reading.weighted_layers(model)
    }


def load_layers(model: keras.Model, layers: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Set the weights of a plain model without batch normalization from `layers_of`'s."""
    for layer in reading.weighted_layers(model):
        kernel, bias = layers[layer.name]
        layer.set_weights([kernel, bias] if layer.use_bias else [kernel])
