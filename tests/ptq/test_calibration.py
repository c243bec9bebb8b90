import numpy as np
import pytest

from sqzkit import preprocessing
from sqzkit.base.keras import keras
from sqzkit.models import spec, squeezenet
from sqzkit.models.inference import to_inference
from sqzkit.ptq import calibration as subject
from sqzkit.ptq.graph import read_model
from sqzkit.ptq.simulation import LEVELS

SIDE = 40
CLASSES = 5


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    model = squeezenet.build(spec.tiny(CLASSES, normalization="none", conv10_relu=False), SIDE)
    return read_model(to_inference(model), preprocessing.default(SIDE))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (30, SIDE, SIDE, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def measured(network, images):
    return subject.calibrate(*network, images, seed=0)


def results(network, images):
    return list(subject._run(*network, images))


def test_every_site_has_a_range_and_logits_are_not_clipped(network, images, measured):
    graph, _ = network
    assert set(measured.ranges) == {item.site for item in graph.operations}
    logits = np.concatenate([values["pool10"] for values in results(network, images)])
    site = measured.ranges["pool10"]
    assert site.lowest * site.step <= logits.min() + site.step
    assert (site.lowest + LEVELS) * site.step >= logits.max() - site.step
    assert measured.logit_variance == pytest.approx(logits.var(axis=1).mean(), rel=1e-4)


def test_rectified_sites_start_at_zero_and_cover_at_least_half(network, images, measured):
    largest = max(values["fire2/squeeze1x1"].max() for values in results(network, images))
    site = measured.ranges["fire2/squeeze1x1"]
    assert site.lowest == 0
    assert 0.49 * largest <= LEVELS * site.step <= 1.001 * largest


def test_a_rare_peak_is_clipped(network, images):
    graph, weights = network
    extremes = {site: (0.0, 1.0) for site in {item.site for item in graph.operations}}
    values = results(network, images)
    for item in graph.operations:
        low, high = extremes[item.site]
        extremes[item.site] = (low, max(high, *(float(v[item.name].max()) for v in values)))
    true_range = extremes["fire2/squeeze1x1"][1]
    extremes["fire2/squeeze1x1"] = (0.0, 1.9 * true_range)  # as if one pixel had reached it
    ranges = subject.choose_ranges(graph, weights, images, extremes)
    assert LEVELS * ranges["fire2/squeeze1x1"].step < 1.2 * true_range


def test_sensitivity_of_the_last_convolution_is_what_averaging_says(measured, network, images):
    area = next(iter(results(network, images)))["conv10"].shape[1] ** 2
    expected = 1 / (area * CLASSES)
    assert measured.sensitivities["conv10"].mean() == pytest.approx(expected, rel=0.4)


def test_sensitivities_predict_the_effect_of_noise(network, images, measured):
    graph, weights = network
    random = np.random.default_rng(1)
    clean = np.concatenate([values["pool10"] for values in results(network, images)])
    kernel, bias = weights["fire3/squeeze1x1"]
    errors, predicted = [], []
    for channel in range(kernel.shape[3]):
        size = 0.01 * random.choice([-1, 1])
        moved = bias.copy()
        moved[channel] += size
        changed = {**weights, "fire3/squeeze1x1": (kernel, moved)}
        noisy = [values["pool10"] for values in results((graph, changed), images)]
        errors.append(((np.concatenate(noisy) - clean) ** 2).mean())
        predicted.append(measured.sensitivities["fire3/squeeze1x1"][channel] * size**2)
    # A shift adds up over positions, where independent errors would not.
    assert np.corrcoef(errors, predicted)[0, 1] > 0.5


def test_channels_that_never_fire_do_not_matter(network, images):
    graph, weights = network
    kernel, bias = weights["fire2/squeeze1x1"]
    dead = bias.copy()
    dead[0] = -1e6
    changed = {**weights, "fire2/squeeze1x1": (kernel, dead)}
    found = subject.measure_sensitivities(graph, changed, images[:10], 0)["fire2/squeeze1x1"]
    assert found[0] == 0
    assert found[1:].any()
