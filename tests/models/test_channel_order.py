import numpy as np
import pytest

from sqzkit.base.keras import keras
from sqzkit.models import channel_order, registry
from sqzkit.models.spec import tiny

SIDE = 32


def scattered(**changes):
    """Return a pruned network whose channels are like a few, disturbed and out of order."""
    random = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    network = registry.build(tiny(4, fire_modules=3, **changes), SIDE)
    for layer in network.layers:
        values = layer.get_weights()
        if isinstance(layer, keras.layers.Conv2D):
            few = values[0][..., random.integers(0, 3, values[0].shape[-1])]
            few = few * (np.abs(few) > np.quantile(np.abs(few), 0.8))
            values[0] = few + values[0] * (random.random(few.shape) < 0.02)
        values[1:] = [value + random.random(value.shape, np.float32) for value in values[1:]]
        layer.set_weights(values)
    return network


def answers(network):
    images = np.random.default_rng(1).normal(size=(8, SIDE, SIDE, 3)).astype(np.float32)
    return network(images, training=False).numpy()


@pytest.mark.parametrize(
    "changes",
    [{}, {"normalization": "none"}, {"squeeze_relu": False}, {"bypass": "simple"}],
    ids=["normalized", "plain", "linear squeeze", "bypass"],
)
def test_alike_channels_become_neighbours_and_the_answers_stay(changes):
    network = scattered(**changes)
    before, given = network.get_weights(), answers(network)
    assert channel_order.order_channels(network) > 0
    moved = [not np.array_equal(a, b) for a, b in zip(before, network.get_weights(), strict=True)]
    assert any(moved)
    np.testing.assert_allclose(answers(network), given, atol=2e-5)
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(np.sort(old, axis=None), np.sort(new, axis=None))


def test_channels_that_an_addition_reads_keep_their_places():
    network = scattered(bypass="simple")
    (added,) = (layer for layer in network.layers if isinstance(layer, keras.layers.Add))
    module = added.name.removesuffix("/add")
    places = [f"{module}/expand1x1/bn", f"{module}/expand3x3/bn"]
    before = [network.get_layer(name).get_weights() for name in places]
    assert channel_order.order_channels(network) > 0
    for name, values in zip(places, before, strict=True):
        np.testing.assert_array_equal(network.get_layer(name).get_weights(), values)


def test_the_order_stays_where_another_would_cost_bytes(monkeypatch):
    network = scattered()
    channel_order.order_channels(network)
    before = network.get_weights()
    shuffle = np.random.default_rng(0).permutation
    monkeypatch.setattr(channel_order, "_neighbours", lambda rows: shuffle(len(rows)))
    assert channel_order.order_channels(network) == 0
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)
