import numpy as np
import pytest

from sqzkit import preprocessing
from sqzkit.models import spec, squeezenet
from sqzkit.models.inference import to_inference
from sqzkit.ptq import calibration, equalization, simulation
from sqzkit.ptq.graph import read_model

SIDE = 40


def network(**changes):
    network_spec = spec.tiny(5, normalization="none", **changes)
    model = squeezenet.build(network_spec, SIDE)
    return read_model(to_inference(model), preprocessing.default(SIDE))


def photographs(count=4):
    return np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 3)).astype(np.uint8)


def answers(graph, weights, images):
    values = simulation.run(graph, weights, images.astype(np.float32))
    return {name: value.numpy() for name, value in values.items() if name}


@pytest.mark.parametrize("bypass", ["none", "simple", "complex"])
@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_the_function_stays(bypass, strength):
    graph, weights = network(bypass=bypass)
    images = photographs()
    ranges = calibration.channel_ranges(graph, weights, images)
    equalized = equalization.equalize(graph, weights, ranges, strength)
    last = graph.operations[-1].name
    expected = answers(graph, weights, images)[last]
    found = answers(graph, equalized, images)[last]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_ranges_become_equal_within_a_site():
    graph, weights = network()
    images = photographs()
    ranges = calibration.channel_ranges(graph, weights, images)
    equalized = equalization.equalize(graph, weights, ranges, 1.0)
    after = calibration.channel_ranges(graph, equalized, images)
    for names in equalization.site_members(graph):
        if names == ["conv10"]:
            continue
        before = np.concatenate([ranges[name] for name in names])
        now = np.concatenate([after[name] for name in names])
        live = before > before.max() / equalization.MAX_FACTOR
        np.testing.assert_allclose(now[live], before.max(), rtol=1e-3)


def test_strength_zero_changes_nothing():
    graph, weights = network()
    ranges = calibration.channel_ranges(graph, weights, photographs())
    equalized = equalization.equalize(graph, weights, ranges, 0.0)
    for name, (kernel, bias) in weights.items():
        np.testing.assert_array_equal(equalized[name][0], kernel)
        np.testing.assert_array_equal(equalized[name][1], bias)


def test_outputs_that_are_not_rectified_stay():
    """Their zero point belongs to the file, and would not fit other ranges."""
    graph, weights = network(squeeze_relu=False)
    ranges = calibration.channel_ranges(graph, weights, photographs())
    equalized = equalization.equalize(graph, weights, ranges)
    changed = {name for name in weights if not np.array_equal(weights[name][1], equalized[name][1])}
    rectified = {item.name for item in graph.convolutions() if item.relu}
    assert {"fire2/squeeze1x1", "fire3/squeeze1x1"}.isdisjoint(rectified)
    assert changed <= rectified


def test_zeros_stay():
    graph, weights = network()
    weights["fire3/expand3x3"][0][:, :, ::2] = 0
    ranges = calibration.channel_ranges(graph, weights, photographs())
    equalized = equalization.equalize(graph, weights, ranges, 1.0)
    for name, (kernel, _) in weights.items():
        np.testing.assert_array_equal(equalized[name][0] == 0, kernel == 0)


def test_readers_know_the_offset_behind_a_concatenation():
    graph, _ = network()
    filters = graph.channels["fire2/expand1x1"]
    assert equalization.readers(graph, "fire2/expand3x3") == [("fire3/squeeze1x1", filters)]
    assert equalization.readers(graph, "fire2/squeeze1x1") == [
        ("fire2/expand3x3", 0),
        ("fire2/expand1x1", 0),
    ] or equalization.readers(graph, "fire2/squeeze1x1") == [
        ("fire2/expand1x1", 0),
        ("fire2/expand3x3", 0),
    ]


def test_what_is_averaged_or_added_cannot_be_scaled():
    graph, _ = network(bypass="simple")
    assert equalization.readers(graph, "conv10") is None
    assert equalization.readers(graph, "fire3/expand1x1") is None
