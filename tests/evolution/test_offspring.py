import numpy as np

from sqzkit.base.keras import keras
from sqzkit.evolution.offspring import renormalize
from sqzkit.models import spec as specs
from sqzkit.models import squeezenet


def batches(count):
    generator = np.random.default_rng(0)
    return [generator.normal(2, 3, (8, 32, 32, 3)).astype(np.float32) for _ in range(count)]


def test_statistics_become_the_mean_over_all_batches():
    model = squeezenet.build(specs.tiny(3), 32)
    images = batches(3)
    renormalize(model, images)
    features = [model.get_layer("conv1")(batch).numpy() for batch in images]
    means = np.mean([feature.mean((0, 1, 2)) for feature in features], axis=0)
    variances = np.mean([feature.var((0, 1, 2)) for feature in features], axis=0)
    _, _, mean, variance = model.get_layer("conv1/bn").get_weights()
    np.testing.assert_allclose(mean, means, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(variance, variances, rtol=1e-2)


def momenta_of(model):
    kind = keras.layers.BatchNormalization
    return [layer.momentum for layer in model.layers if isinstance(layer, kind)]


def test_nothing_else_changes():
    model = squeezenet.build(specs.tiny(3), 32)
    before = {variable.name: variable.numpy() for variable in model.trainable_variables}
    momenta = momenta_of(model)
    renormalize(model, batches(2))
    for variable in model.trainable_variables:
        np.testing.assert_array_equal(variable.numpy(), before[variable.name])
    assert momenta_of(model) == momenta


def test_a_network_without_normalization_is_left_alone():
    model = squeezenet.build(specs.tiny(3, normalization="none"), 32)
    before = model.get_weights()
    renormalize(model, batches(1))
    for mine, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, old)
