"""What a layer is rounded by: sampled inputs, exact and disturbed."""

import numpy as np
import pytest

from sqzkit.models.inference import to_inference
from sqzkit.ptq import calibration, layers, rounding, simulation
from sqzkit.ptq.graph import read_model
from tests.ptq.test_optimize import RECORD, network, photographs


@pytest.fixture(scope="module")
def read():
    """A network as operations and weights."""
    return read_model(to_inference(network()), RECORD)


@pytest.mark.parametrize("name", ["conv1", "fire2/expand3x3"])
def test_inputs_are_those_of_outputs_from_the_whole_map(read, name):
    """With a stride, and with a border of zeros."""
    graph, weights = read
    (item,) = (item for item in graph.operations if item.name == name)
    kernel, bias = weights[name]
    shape = (2, 21, 21, kernel.shape[2])
    inputs = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    places = layers._places(item, kernel.shape[0], shape, np.random.default_rng(1))
    halved = layers._Map(2 * inputs, 0.5)
    found = layers._patches(halved, places) @ kernel.reshape(-1, kernel.shape[3]) + bias
    outputs = simulation.apply(graph, item, [inputs], weights[name]).numpy()
    rows, columns = places.rows // item.stride, places.columns // item.stride
    expected = outputs[places.photos, rows, columns]
    np.testing.assert_allclose(np.maximum(found, 0), expected, rtol=1e-3, atol=1e-4)
    for drawn in (rows, columns):
        assert (drawn.min(), drawn.max()) == (0, outputs.shape[1] - 1)


@pytest.mark.parametrize("lowest", [0, -130])
def test_maps_hold_codes_exactly_and_other_values_nearly(read, lowest):
    graph, weights = read
    item, site = graph.convolutions()[0], simulation.Range(0.0371, lowest)
    inputs = [layers._Map(photographs(), 1.0)]
    images = photographs().astype(np.float32)
    outputs = simulation.apply(graph, item, [images], weights[item.name])
    codes = layers._apply(graph, item, inputs, weights[item.name], site, rounds=True)
    expected = np.clip(np.rint(outputs / site.step), lowest, lowest + simulation.LEVELS)
    np.testing.assert_array_equal(codes.values, expected)
    exact = layers._apply(graph, item, inputs, weights[item.name], site, rounds=False)
    np.testing.assert_allclose(exact.real(), outputs, rtol=2**-11)


def test_behind_disturbed_layers_the_exact_outputs_are_aimed_at():
    random = np.random.default_rng(0)
    exact = random.normal(3, 1, (4000, 8)).astype(np.float32)
    disturbed = (exact @ (np.eye(8) + 0.4 * random.normal(size=(8, 8)))).astype(np.float32)
    sample = layers._Sample(exact, disturbed)
    rows = random.normal(size=(5, 8))
    found = rounding.retarget(rows, sample.moments, sample.crossed)
    wanted = (exact - exact.mean(axis=0)) @ rows.T
    given = (disturbed - disturbed.mean(axis=0)) @ found.T
    assert np.square(given - wanted).mean() < 0.05 * np.square(wanted).mean()


def test_the_seed_decides_which_positions_are_sampled(read):
    graph, weights = read
    measured = calibration.calibrate(graph, weights, photographs(), 0)
    first, again, other = (
        layers.round_network(graph, weights, measured, 1e-5, seed)["conv1"] for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.bias, again.bias)
    assert (first.bias != other.bias).any()


def test_inputs_that_hardly_vary_give_moments_that_can_be_factored():
    """As behind a layer whose weights were rounded away: float32 sums would leave noise alone."""
    random = np.random.default_rng(0)
    exact = random.normal(0, 1, (4000, 96)).astype(np.float32)
    nearly = (random.uniform(0.1, 9, 96) + 1e-6 * exact).astype(np.float32)
    sample = layers._Sample(exact, nearly)
    assert np.linalg.eigvalsh(sample.moments).min() > 0
    rows = random.normal(0, 1, (8, 96))
    assert np.isfinite(rounding.retarget(rows, sample.moments, sample.crossed)).all()
