import dataclasses
import types

import numpy as np
import pytest

from sqzkit.base.keras import keras
from sqzkit.budget import predict
from sqzkit.budget.memory import arena_bytes
from sqzkit.budget.networks import Network
from sqzkit.budget.predict import Prediction
from sqzkit.coding import sqz
from sqzkit.compression import kernels as reading
from sqzkit.compression import sparsity
from sqzkit.conversion.converter import convert_model
from sqzkit.conversion.options import ConversionOptions
from sqzkit.models import registry
from sqzkit.preprocessing import default
from sqzkit.tflite.flatbuffer import TFLiteFile
from tests.compression import small_chain

CURVE = ((0.0, 900), (0.3, 500), (0.5, 400), (0.96, 100))
MADE = Prediction(100, CURVE, 5000, 6000, None)
SPEC = small_chain.small_spec(base_e=32)
NETWORK = Network("small", SPEC, default(small_chain.SIDE))


def test_bytes_between_the_counted_sparsities_are_interpolated():
    assert MADE.archive_bytes(predict.DENSE) == 1000
    assert MADE.archive_bytes(0.4) == 100 + 450
    assert MADE.least_bytes == 200


def test_the_sparsity_for_a_budget_is_the_lowest_that_keeps_to_it():
    assert MADE.sparsity_for(1000) == predict.DENSE
    assert MADE.sparsity_for(999) == 0.3
    assert MADE.sparsity_for(550) == pytest.approx(0.4)
    assert MADE.sparsity_for(200) == pytest.approx(0.96)
    assert MADE.sparsity_for(199) is None
    assert MADE.with_kernels(((0.0, 9), (0.96, 1))).least_bytes == 101


@pytest.fixture(scope="module")
def predicted():
    return predict.predict(NETWORK, "abcd", seed=0, timed=False)


def trained_model():
    """A network of the same shape with quite other weights."""
    keras.utils.set_random_seed(5)
    model = registry.build(SPEC, small_chain.SIDE)
    generator = np.random.default_rng(5)
    for layer in reading.weighted_layers(model):
        kernel, *bias = layer.get_weights()
        layer.set_weights([generator.laplace(0, 0.1, kernel.shape), *bias])
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights([gamma, generator.normal(0, 0.3, beta.shape), mean, variance])
    return model


def packed(model):
    images = np.random.default_rng(1).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    options = ConversionOptions(granularity="per_tensor")
    return convert_model(model, NETWORK.preprocessing, tuple("abcd"), options, images)


@pytest.mark.slow
def test_a_prediction_is_the_file_of_another_training(predicted):
    model = trained_model()
    content = packed(model)
    assert arena_bytes(TFLiteFile(content)) == predicted.ram_bytes
    assert len(content) == pytest.approx(predicted.tflite_bytes, rel=0.03)
    better = predicted.with_kernels(predict.kernel_curve(model, SPEC))
    assert better.archive_bytes(predict.DENSE) == pytest.approx(len(sqz.pack(content)), rel=0.03)


def test_a_network_that_begins_with_weights_is_predicted_from_them(predicted):
    def begin(model):
        layer = model.get_layer("fire2/expand3x3")
        layer.set_weights([np.zeros_like(value) for value in layer.get_weights()])

    begun = predict.predict(dataclasses.replace(NETWORK, begin=begin), "abcd", 0, timed=False)
    (module,) = SPEC.modules()
    empty = 9 * module.squeeze1x1 * module.expand3x3
    saved = predicted.kernels[0][1] - begun.kernels[0][1]
    assert saved == pytest.approx(empty, rel=0.1)  # a byte for each weight


def test_channels_are_of_unequal_scales_as_after_training(predicted):
    """With equal ones, the pruned kernels of this network would be predicted too small."""
    model = trained_model()
    counted = [size for _, size in predict.kernel_curve(model, SPEC)]
    predict._spread_scales(model, np.random.default_rng(0))
    factors = [
        layer.get_weights()[3]
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert 0.3 < np.log(np.concatenate(factors)).std() < 0.5
    assert predict.kernel_curve(model, SPEC)[-1][1] > counted[-1]


def test_kernels_get_smaller_with_more_zeros_and_the_model_stays(predicted):
    sizes = [size for _, size in predicted.kernels]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > 4 * sizes[-1] > 0
    model = trained_model()
    before = reading.read_kernels(model)
    predict.kernel_curve(model, SPEC)
    for name, kernel in reading.read_kernels(model).items():
        np.testing.assert_array_equal(kernel, before[name])


def test_pruned_kernels_have_the_zeros_and_the_values_of_the_chain():
    before = reading.read_kernels(trained_model())
    scales = {name: np.linspace(2, -3, k.shape[-1], dtype="f4") for name, k in before.items()}
    folded = {name: kernel * scales[name] for name, kernel in before.items()}
    kernels = predict._compressed(before, folded, 0.8)
    for name, share in sparsity.share_out(before, 0.8).items():  # by the weights before folding
        due = reading.prune_once(before[name], share) * scales[name]
        np.testing.assert_array_equal(kernels[name] == 0, due == 0)
        np.testing.assert_allclose(kernels[name], due, atol=0.25 * np.abs(due).max())
    assert reading.overall_sparsity(kernels) == pytest.approx(0.8, abs=0.02)
    assert max(np.unique(kernel).size for kernel in kernels.values()) <= predict.CLUSTERS


@pytest.mark.parametrize(("times", "runs"), [((0.1, 0.2, 0.09), 5000), ((40.0, 39.0, 41.0), 50)])
def test_a_fast_network_runs_for_half_a_second_and_the_fastest_run_counts(monkeypatch, times, runs):
    asked, left = [], iter(times)

    def measure(content, threads, runs, warmup):
        asked.append((content, threads, runs))
        return types.SimpleNamespace(minimum_ms=next(left))

    monkeypatch.setattr(predict, "measure", measure)
    assert predict.latency(b"file") == min(times)
    assert asked == [(b"file", 1, 50), (b"file", 1, runs), (b"file", 1, runs)]
