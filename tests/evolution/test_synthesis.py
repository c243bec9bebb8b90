import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqzkit.base.keras import keras
from sqzkit.evolution.surgery import cut_spec, group_parts, group_sizes
from sqzkit.evolution.synthesis import (
    activation_variance,
    channel_counts,
    draw,
    draw_counted,
    inheritance,
    synaptic_strengths,
)
from sqzkit.models import spec as specs
from sqzkit.models import squeezenet

arrays = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=40).map(np.array)


@given(arrays, st.floats(0.05, 1))
def test_the_environment_is_the_share_that_survives(strengths, environment):
    chances = inheritance(strengths, environment)
    assert ((chances >= 0) & (chances <= 1)).all()
    np.testing.assert_allclose(chances.mean(), environment, rtol=1e-6)


@given(arrays, st.floats(0.05, 1))
def test_stronger_channels_are_likelier(strengths, environment):
    chances = inheritance(strengths, environment)
    order = np.argsort(strengths)
    assert (np.diff(chances[order]) >= 0).all()


def test_the_chance_is_exponential_in_the_strength():
    chances = inheritance(np.array([1.0, 2.0, 3.0]), 0.5)
    np.testing.assert_allclose(1 - chances[1], (1 - chances[0]) ** 2, rtol=1e-6)
    np.testing.assert_allclose(1 - chances[2], (1 - chances[0]) ** 3, rtol=1e-6)


@given(arrays, st.floats(1e-3, 1e3), st.floats(0.05, 1))
def test_only_relative_strength_counts(strengths, factor, environment):
    np.testing.assert_allclose(
        inheritance(strengths, environment), inheritance(factor * strengths, environment), atol=1e-6
    )


def test_channels_without_strength_die_first():
    strengths = np.array([0.0, 3.0, 0.0, 1.0])
    np.testing.assert_array_equal(inheritance(strengths, 0.9), [0, 1, 0, 1])
    chances = inheritance(strengths, 0.25)
    assert chances[0] == chances[2] == 0 < chances[3] < chances[1] < 1
    np.testing.assert_array_equal(inheritance(np.zeros(3), 0.9), 0)


def test_an_environment_of_1_passes_all_strength_on():
    np.testing.assert_array_equal(inheritance(np.array([0.1, 3.0]), 1.0), 1.0)


@pytest.fixture(scope="module")
def network():
    spec = specs.tiny(3, bypass="complex")
    return spec, squeezenet.build(spec, 32)


def test_strengths_are_the_signal_carried_times_what_reads_it(network):
    spec, model = network
    normalization = model.get_layer("fire3/squeeze1x1/bn")
    generator = np.random.default_rng(0)
    size = normalization.gamma.shape[0]
    normalization.set_weights(
        [
            generator.uniform(0.1, 2, size),
            generator.normal(size=size),
            np.zeros(size),
            np.ones(size),
        ]
    )
    strengths = synaptic_strengths(model, spec)
    assert {name: len(values) for name, values in strengths.items()} == group_sizes(spec)
    # fire3/squeeze1x1 feeds two expands, whose fresh normalizations divide by sqrt(1 + epsilon).
    e1 = model.get_layer("fire3/expand1x1").get_weights()[0]
    e3 = model.get_layer("fire3/expand3x3").get_weights()[0]
    read = ((e1**2).sum((0, 1, 3)) + (e3**2).sum((0, 1, 3))) / 1.001
    expected = activation_variance(normalization, True) * read
    np.testing.assert_allclose(strengths["fire3/squeeze1x1"], expected, rtol=1e-5)


@pytest.mark.parametrize("rectified", [True, False])
def test_the_variance_of_an_activation_is_the_measured_one(rectified):
    normalization = keras.layers.BatchNormalization()
    normalization.build((None, 5))
    gamma, beta = np.array([1.0, 0.5, -2, 1, 0]), np.array([0.0, 1, -1, -3, 2])
    normalization.set_weights([gamma, beta, np.zeros(5), np.ones(5)])
    samples = beta + gamma * np.random.default_rng(0).normal(size=(400_000, 5))
    if rectified:
        samples = np.maximum(samples, 0)
    found = activation_variance(normalization, rectified)
    np.testing.assert_allclose(found, samples.var(0), rtol=0.03, atol=1e-4)


def test_a_channel_nothing_reads_or_forms_has_no_strength():
    spec = specs.tiny(3, normalization="none")
    model = squeezenet.build(spec, 32)
    layer = model.get_layer("fire2/squeeze1x1")
    kernel, bias = layer.get_weights()
    kernel[..., 1] = 0
    layer.set_weights([kernel, bias])
    strengths = synaptic_strengths(model, spec)["fire2/squeeze1x1"]
    assert strengths[1] == 0 and (np.delete(strengths, 1) > 0).all()


@pytest.mark.parametrize(("squeeze_relu", "alike"), [(True, False), (False, True)])
def test_a_channel_below_zero_is_weak_only_if_it_is_rectified(squeeze_relu, alike):
    spec = specs.tiny(3, squeeze_relu=squeeze_relu)
    model = squeezenet.build(spec, 32)
    normalization = model.get_layer("fire2/squeeze1x1/bn")
    strengths = []
    for mean in (-3.0, 3.0):
        normalization.beta.assign(np.full(normalization.beta.shape, mean))
        strengths.append(synaptic_strengths(model, spec)["fire2/squeeze1x1"])
    assert np.allclose(*strengths) == alike
    assert alike or (strengths[0] < strengths[1] / 100).all()


def test_strong_channels_survive_more_often(network):
    strengths = {"conv1": np.array([0.1, 0.1, 5.0, 0.1])}
    counts = sum(draw(strengths, 0.5, (seed,))["conv1"].astype(int) for seed in range(300))
    assert counts[2] > 1.5 * counts[[0, 1, 3]].max()
    assert abs(counts.sum() / 1200 - 0.5) < 0.05


def test_a_seed_draws_the_same_offspring(network):
    spec, model = network
    strengths = synaptic_strengths(model, spec)
    first, again, other = (draw(strengths, 0.6, seed) for seed in ((1, 2), (1, 2), (1, 3)))
    assert all((first[name] == again[name]).all() for name in first)
    assert any((first[name] != other[name]).any() for name in first)


def test_even_a_harsh_environment_leaves_a_network(network):
    spec, model = network
    kept = draw(synaptic_strengths(model, spec), 0.001, (0,))
    assert all(values.any() for values in kept.values())
    assert cut_spec(spec, kept).modules()[0].filters >= 1


def test_a_counted_draw_has_the_count_of_every_part(network):
    spec, model = network
    counts = {
        name: [(size, max(1, size // 2)) for size in sizes]
        for name, sizes in group_parts(spec).items()
    }
    first, again, other = (
        draw_counted(synaptic_strengths(model, spec), counts, seed) for seed in (1, 1, 2)
    )
    for name, parts in counts.items():
        ends = np.cumsum([size for size, _ in parts])
        drawn = np.split(first[name], ends[:-1])
        assert [part.sum() for part in drawn] == [count for _, count in parts]
        np.testing.assert_array_equal(first[name], again[name])
    assert any((first[name] != other[name]).any() for name in first)


def test_a_counted_draw_prefers_as_an_uncounted_one_does():
    strengths = {"conv1": np.repeat([0.0, 0.25, 1.0, 4.0], 12)}
    counts = {"conv1": [(48, 28)]}
    draws = [draw_counted(strengths, counts, (seed,))["conv1"] for seed in range(500)]
    expected = inheritance(strengths["conv1"], 28 / 48)
    np.testing.assert_allclose(
        np.mean(draws, axis=0).reshape(4, 12).mean(axis=1), expected[::12], atol=0.02
    )


def test_counts_follow_from_the_ancestor():
    whole = specs.v1_1(10)
    counts, now = {}, whole
    for generation in range(1, 11):
        counts = channel_counts(whole, now, 0.92**generation, 16)
        kept = {
            name: np.concatenate([np.arange(size) < count for size, count in parts])
            for name, parts in counts.items()
        }
        now = cut_spec(now, kept)
    # 0.92 to the power of 10 is 0.43: 28, 7, 28 and 111 filters, to the nearest 16.
    assert now.conv1_filters == 32
    sizes = {module.name: (module.squeeze1x1, module.expand1x1) for module in now.modules()}
    assert sizes["fire2"] == (16, 32) and sizes["fire9"] == (32, 112)
    assert all(size % 16 == 0 for parts in counts.values() for _, size in parts)


def test_a_layer_below_the_multiple_stays_as_it_is():
    counts = channel_counts(specs.tiny(3), specs.tiny(3), 0.5, 16)
    assert counts["conv1"] == [(8, 8)]
