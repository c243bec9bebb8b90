"""Dropout that goes on where it was after a kill.

Keras's Dropout draws from a stateful kernel whose counter cannot be stored.
Given a `tf.random.Generator` that is reset at the start of each epoch from
(seed, epoch), the draws depend on nothing else.
"""

import hashlib
from collections.abc import Sequence

import tensorflow as tf

from sqzkit.base.keras import keras

STATEFUL = "stateful"  # Keras's word for "drawn from a tf.random.Generator"


def seed_dropout(model: keras.Model, seed: int) -> list[keras.layers.Layer]:
    """Give every Dropout of `model`, wrapped ones too, a generator; return these layers.

    Must be called before the model is traced into a function.
    """
    layers = [layer for layer in model.submodules if isinstance(layer, keras.layers.Dropout)]
    for index, layer in enumerate(layers):
        # The only way to it on a layer that is already built; the tests hold it.
        layer._random_generator = type(layer._random_generator)(
            _mixed(seed, index), rng_type=STATEFUL
        )
        layer._random_generator._maybe_init()
    return layers


def reset_dropout(layers: Sequence[keras.layers.Layer], seed: int, epoch: int) -> None:
    """Put the generators where they are at the start of `epoch`."""
    for index, layer in enumerate(layers):
        generator: tf.random.Generator = layer._random_generator._generator
        generator.reset_from_seed(_mixed(seed, index, epoch))


def _mixed(*parts: int) -> int:
    """Return 63 bits that depend on all of `parts`."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
