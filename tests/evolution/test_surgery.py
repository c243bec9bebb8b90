import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqzkit.base.errors import RunError
from sqzkit.evolution.surgery import convolutions, cut, cut_spec, group_sizes
from sqzkit.models import spec as specs
from sqzkit.models import squeezenet
from sqzkit.models.spec import FireModule, SqueezeNetSpec

SIZE = 32


def network(bypass="none", normalization="none", **changes):
    """Four Fire modules of few filters, two of them with equal inputs and outputs."""
    small = {"conv1_filters": 6, "base_e": 6, "incr_e": 2, "fire_modules": 4, "freq": 2}
    small |= {"squeeze_ratio": 0.5, "pool_after": ("conv1", "fire3"), **changes}
    return SqueezeNetSpec(classes=3, bypass=bypass, normalization=normalization, **small)


def randomized(spec, seed):
    """Build with weights that all matter: biases, means, variances and factors too."""
    model = squeezenet.build(spec, SIZE)
    generator = np.random.default_rng(seed)
    for layer in model.layers:
        layer.set_weights(
            [
                np.abs(value) if "variance" in variable.name else value
                for variable in layer.weights
                for value in [generator.normal(0.1, 0.5, variable.shape)]
            ]
        )
    return model


def draw_kept(spec, seed, share):
    """Keep a random share of each group, at least one channel."""
    generator = np.random.default_rng(seed)
    kept = {}
    for name, size in group_sizes(spec).items():
        kept[name] = generator.random(size) < share
        kept[name][generator.integers(size)] = True
    return kept


def masked(model, spec, kept):
    """The same network with every channel that goes at zero: its filters, biases, factors."""
    copy = squeezenet.build(spec, SIZE)
    copy.set_weights(model.get_weights())
    for convolution in convolutions(spec):
        if convolution.outputs is None:
            continue
        gone = ~convolution.kept_filters(kept)
        layers = [copy.get_layer(convolution.name)]
        if spec.normalization == "batch":
            layers.append(copy.get_layer(f"{convolution.name}/bn"))
        for layer in layers:
            values = layer.get_weights()
            for value in values[:2]:  # kernel and bias; gamma and beta
                value[..., gone] = 0
            layer.set_weights(values)
    return copy


def images():
    return np.random.default_rng(0).normal(size=(2, SIZE, SIZE, 3)).astype(np.float32)


@given(
    st.sampled_from(specs.BYPASSES),
    st.sampled_from(("none", "batch")),
    st.sampled_from((1, 2, 3)),
    st.sampled_from((0.0, 0.5, 1.0)),
    st.integers(0, 2**32 - 1),
    st.floats(0, 1),
)
@settings(max_examples=15, deadline=None)
def test_a_cut_network_is_the_masked_one(bypass, normalization, freq, pct3x3, seed, share):
    if bypass == "simple" and freq == 1:
        freq = 3
    spec = network(bypass, normalization, freq=freq, pct3x3=pct3x3)
    model = randomized(spec, seed)
    kept = draw_kept(spec, seed, share)
    before = [value.copy() for value in model.get_weights()]
    smaller_spec, smaller = cut(model, spec, kept)
    expected = masked(model, spec, kept)(images(), training=False).numpy()
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(smaller(images(), training=False), expected, atol=1e-5 * scale)
    assert SqueezeNetSpec.from_json(smaller_spec.to_json()) == smaller_spec
    assert smaller.count_params() <= model.count_params()
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_keeping_all_changes_nothing():
    spec = network("complex", "batch")
    model = randomized(spec, 1)
    same_spec, same = cut(model, spec, draw_kept(spec, 1, 1.0))
    assert same_spec.modules() == spec.modules()
    for mine, theirs in zip(model.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_network_can_be_cut_again():
    spec = network("simple")
    model = randomized(spec, 2)
    for seed in range(3):
        kept = draw_kept(spec, seed, 0.7)
        expected = masked(model, spec, kept)(images()).numpy()
        spec, model = cut(model, spec, kept)
        np.testing.assert_allclose(model(images()), expected, rtol=1e-4, atol=1e-5)


def test_an_identity_bypass_ties_its_ends():
    sizes = group_sizes(network("simple"))
    assert sizes["conv1"] == 6
    # conv1, fire2 and fire3 all give 6 channels that are added; fire4 and fire5 give 8.
    assert "fire2" not in sizes and "fire3" not in sizes and "fire5" not in sizes
    assert sizes["fire4"] == 8
    untied = group_sizes(network("none"))
    assert {"conv1", "fire2", "fire3", "fire4", "fire5"} <= set(untied)
    complex_sizes = group_sizes(network("complex", conv1_filters=5))
    assert {"conv1", "fire2", "fire4"} <= set(complex_sizes) and "fire3" not in complex_sizes


def test_a_branch_without_filters_goes():
    spec = network("none")
    kept = draw_kept(spec, 0, 1.0)
    kept["fire2"][:3] = False  # all of expand1x1
    smaller_spec, smaller = cut(randomized(spec, 0), spec, kept)
    assert smaller_spec.modules()[0] == FireModule("fire2", 3, 0, 3)
    names = {layer.name for layer in smaller.layers}
    assert "fire2/expand1x1" not in names and "fire2/concat" not in names


def test_the_published_networks_have_their_26_convolutions():
    spec = specs.v1_1(10)
    assert len(convolutions(spec)) == 26
    assert len(convolutions(specs.v1_1(10, bypass="complex"))) == 30
    assert sum(group_sizes(spec).values()) == 64 + sum(
        m.squeeze1x1 + m.filters for m in spec.modules()
    )


def test_a_softmax_end_is_kept():
    spec = network()
    model = squeezenet.build(spec, SIZE, "softmax")
    _, smaller = cut(model, spec, draw_kept(spec, 0, 0.5))
    assert smaller.layers[-1].name == "prob"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda kept: kept.pop("fire2"), "fire2: the groups to cut"),
        (lambda kept: kept.update(pool1=np.ones(3, bool)), "pool1: the groups to cut"),
        (lambda kept: kept.update(fire2=np.ones(3, bool)), "fire2: needs one truth value"),
        (lambda kept: kept.update(fire2=np.zeros(6, bool)), "fire2: .* and one true"),
    ],
)
def test_what_does_not_fit_is_refused(change, words):
    spec = network()
    kept = draw_kept(spec, 0, 1.0)
    change(kept)
    with pytest.raises(RunError, match=words):
        cut_spec(spec, kept)


def test_the_rest_of_the_specification_stays():
    spec = network("complex", "batch", dropout=0.3)
    smaller = cut_spec(spec, draw_kept(spec, 0, 0.5))
    same = dataclasses.replace(smaller, overrides=(), conv1_filters=spec.conv1_filters)
    assert same == spec
