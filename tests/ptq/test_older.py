"""An older file's scales and codes, kept in a new version of its network."""

import dataclasses

import numpy as np
import pytest

from sqzkit.base.errors import RunError, UsageError
from sqzkit.coding import sqz
from sqzkit.conversion.converter import PricedConverter, convert_model
from sqzkit.conversion.options import ConversionOptions
from sqzkit.models.inference import to_inference
from sqzkit.ptq import calibration
from sqzkit.ptq.config import OptimizeConfig
from sqzkit.ptq.equalization import equalize
from sqzkit.ptq.graph import read_model
from sqzkit.ptq.layers import Rounded
from sqzkit.ptq.older import FACTOR_SLACK, OlderFile, has_one_scale
from sqzkit.ptq.optimize import Optimizer, coded_bytes
from sqzkit.tflite.classifier import Classifier
from sqzkit.tflite.flatbuffer import TFLiteFile
from tests.ptq.test_optimize import LABELS, RECORD, network, photographs

CHANNELWISE = ConversionOptions()
PER_TENSOR = ConversionOptions(granularity="per_tensor")


def codes(content):
    file = TFLiteFile(content)
    return {item.layer: file.data(item.kernel) for item in file.convolutions()}


@pytest.fixture(scope="module")
def images():
    return photographs()


@pytest.fixture(scope="module", params=[CHANNELWISE, PER_TENSOR], ids=["channel", "tensor"])
def options(request):
    return request.param


@pytest.fixture(scope="module")
def old(options, images):
    return convert_model(network(), RECORD, LABELS, options, images)


def moved_network():
    """The same network with three weights of a kernel moved far beyond all others."""
    model = network()
    layer = model.get_layer("fire2/squeeze1x1")
    kernel, bias = layer.get_weights()
    kernel = kernel.copy()
    kernel[0, 0, :3, 0] *= -0.8
    layer.set_weights([kernel, bias])
    return model, np.count_nonzero(kernel[0, 0, :3, 0])


def updated(model, content, old, labels=LABELS):
    graph, weights = read_model(to_inference(model), RECORD)
    older = OlderFile(old, graph, weights, labels)
    return older.write(content, older.nearest(weights, RECORD))


def test_only_what_moved_has_other_codes(old, options, images):
    model, moved = moved_network()
    content = convert_model(model, RECORD, LABELS, options, photographs(seed=4))
    made = updated(model, content, old)
    before, after = codes(old), codes(made)
    changed = {name: np.count_nonzero(before[name] != after[name]) for name in before}
    assert changed.pop("fire2/squeeze1x1") == moved
    assert not any(changed.values())
    first, second = TFLiteFile(old), TFLiteFile(made)
    for one, other in zip(first.tensors, second.tensors, strict=True):
        if one.zero_points.tolist() == other.zero_points.tolist():
            np.testing.assert_array_equal(one.scales, other.scales)
    assert len(sqz.pack(made, old)) < 0.7 * len(sqz.pack(content, old))
    exact, kept = Classifier(content).predict(images), Classifier(made).predict(images)
    assert np.abs(exact - kept).mean() < 0.02


def test_the_same_network_again_is_the_same_file(old, options):
    content = convert_model(network(), RECORD, LABELS, options, photographs(seed=4))
    made = updated(network(), content, old)
    logits = {"conv10", "global_average"}
    first, second = TFLiteFile(old), TFLiteFile(made)
    assert all(np.array_equal(codes(old)[name], code) for name, code in codes(made).items())
    for one, other in zip(first.convolutions(), second.convolutions(), strict=True):
        np.testing.assert_array_equal(first.data(one.bias), second.data(other.bias))
        np.testing.assert_array_equal(one.bias.scales, other.bias.scales)
        if one.layer not in logits:
            assert first.tensors[one.output].scales == second.tensors[other.output].scales


def test_classes_are_found_by_name(old, options, images):
    graph, weights = read_model(to_inference(network()), RECORD)
    older = OlderFile(old, graph, weights, ("new", "e", "a", "c", "b"))
    assert older.known("conv10").tolist() == [False, True, True, True, True]
    kernel = codes(old)["conv10"].transpose(1, 2, 3, 0)
    np.testing.assert_array_equal(older.codes("conv10")[..., 1:], kernel[..., [4, 0, 2, 1]])
    assert not older.codes("conv10")[..., 0].any()
    assert older.known("conv1").all()


def test_a_scale_that_would_clip_too_much_is_not_kept(old):
    graph, weights = read_model(to_inference(network()), RECORD)
    older = OlderFile(old, graph, weights, LABELS)
    kernel = weights["conv1"][0]
    steps = older.steps("conv1", kernel)
    np.testing.assert_array_equal(older.steps("conv1", 1.001 * kernel), steps)
    larger = older.steps("conv1", 3 * kernel)
    assert (larger > steps).all()
    assert (np.abs(3 * kernel) <= 127.01 * larger).all()


def test_the_old_equalization_is_found_again(images):
    graph, exact = read_model(to_inference(network()), RECORD)
    ranges = calibration.channel_ranges(graph, exact, images)
    wanted = equalize(graph, exact, ranges, 0.5)
    content = convert_model(network(), RECORD, LABELS, CHANNELWISE, images)
    plain = OlderFile(content, graph, exact, LABELS)
    layers = {}
    for name, (kernel, bias) in wanted.items():
        steps = np.abs(kernel).max(axis=(0, 1, 2)) / 127
        layers[name] = Rounded(np.rint(kernel / steps).astype(np.int8), steps, bias)
    older = OlderFile(plain.write(content, layers), graph, exact, LABELS)
    for name, (kernel, bias) in older.equalized(exact).items():
        np.testing.assert_allclose(kernel, wanted[name][0], atol=0.02 * np.abs(kernel).max())
        np.testing.assert_allclose(bias, wanted[name][1], atol=0.02 * np.abs(bias).max())
    for name, layer in older.nearest(older.equalized(exact), RECORD, FACTOR_SLACK).items():
        np.testing.assert_array_equal(layer.kernel, layers[name].kernel)
    assert (
        np.abs(wanted["conv1"][0] - exact["conv1"][0]).max() > 0.1 * np.abs(exact["conv1"][0]).max()
    )


def test_files_that_are_not_an_older_version_are_refused(images, old):
    graph, weights = read_model(to_inference(network()), RECORD)
    plain = convert_model(network(), RECORD, LABELS, ConversionOptions("none"))
    with pytest.raises(UsageError, match="not int8"):
        OlderFile(plain, graph, weights, LABELS)
    other = read_model(to_inference(network(pct3x3=0.25)), RECORD)
    with pytest.raises(UsageError, match="of --base has another shape"):
        OlderFile(old, *other, LABELS)
    assert not has_one_scale(plain)
    assert not has_one_scale(b"not a model")


def test_another_granularity_is_refused(images):
    made = {
        has_one_scale(content): content
        for content in (
            convert_model(network(), RECORD, LABELS, options, images)
            for options in (CHANNELWISE, PER_TENSOR)
        )
    }
    with pytest.raises(UsageError, match="old --granularity"):
        updated(network(), made[True], made[False])
    graph, weights = read_model(to_inference(network()), RECORD)
    channelwise = OlderFile(made[False], graph, weights, LABELS)
    with pytest.raises(UsageError, match="conv1 in --base has a scale for each channel"):
        channelwise.layers(weights)


def test_the_dearer_a_bit_the_more_of_the_older_file_stays(images):
    old = convert_model(network(), RECORD, LABELS, PER_TENSOR, images)
    model, _ = moved_network()
    optimizer = Optimizer(model, RECORD, images, OptimizeConfig(), older=(old, LABELS))
    dear, usual = optimizer.at(1e9), optimizer.at(optimizer.price)
    moved = {}
    for item in TFLiteFile(old).convolutions():
        kernel = codes(old)[item.layer].transpose(1, 2, 3, 0)
        np.testing.assert_array_equal(dear.layers[item.layer].kernel, kernel)
        moved[item.layer] = np.count_nonzero(usual.layers[item.layer].kernel != kernel)
        assert usual.layers[item.layer].step == item.kernel.scales[0]
        bias = TFLiteFile(old).data(item.bias) * np.float64(item.bias.scales[0])
        np.testing.assert_allclose(dear.layers[item.layer].bias, bias, rtol=1e-6)
    assert moved["fire2/squeeze1x1"] > 0
    assert dear.coded_bytes < usual.coded_bytes < coded_bytes(usual.layers) / 2, moved


@pytest.mark.slow
def test_optimizing_with_an_older_file_moves_little_and_keeps_a_budget(images):
    config = OptimizeConfig("size")
    given = RECORD, LABELS, PER_TENSOR
    old = PricedConverter(network(), *given, images, config).best()
    model, _ = moved_network()
    others = photographs(seed=4)
    alone = PricedConverter(model, *given, others, config).best()
    kept = PricedConverter(model, *given, others, config, old).best()
    size = len(sqz.pack(kept, old))
    assert size < 0.75 * len(sqz.pack(alone, old))
    answers = [Classifier(content).predict(others).argmax(axis=1) for content in (kept, alone)]
    assert (answers[0] == answers[1]).mean() > 0.8
    small = dataclasses.replace(config, update_budget_bytes=size - 60)
    made = PricedConverter(model, *given, others, small, old).best()
    assert len(sqz.pack(made, old)) <= size - 60
    with pytest.raises(RunError, match="--update_budget_bytes=100: "):
        tiny = dataclasses.replace(config, update_budget_bytes=100)
        PricedConverter(model, *given, others, tiny, old).best()
