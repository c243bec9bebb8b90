import dataclasses

import numpy as np
import pytest

from sqzkit import preprocessing
from sqzkit.base.errors import InvariantError, RunError, UsageError
from sqzkit.coding import sqz
from sqzkit.conversion import checks
from sqzkit.conversion.converter import convert_model
from sqzkit.conversion.options import ConversionOptions
from sqzkit.models import spec, squeezenet
from sqzkit.models.inference import to_inference
from sqzkit.ptq import calibration, simulation
from sqzkit.ptq import layers as optimize_layers
from sqzkit.ptq import optimize as subject
from sqzkit.ptq.config import OptimizeConfig
from sqzkit.ptq.graph import read_model
from sqzkit.tflite.classifier import Classifier
from sqzkit.tflite.flatbuffer import TFLiteFile

SIDE = 40
RECORD = preprocessing.caffe(SIDE)
LABELS = tuple("abcde")
OPTIONS = ConversionOptions(granularity="per_tensor")


def network(seed=0, sparse=True, **changes):
    """A network with spread weights and a share of zeros, as after compression."""
    random = np.random.default_rng(seed)
    model = squeezenet.build(spec.tiny(5, **{"normalization": "none", **changes}), SIDE)
    for layer in model.layers:
        weights = layer.get_weights()
        if len(weights) == 2:
            kernel = random.laplace(0, 1, weights[0].shape)
            kernel *= np.sqrt(1 / np.prod(kernel.shape[:3]))
            kept = random.random(kernel.shape) < (0.5 if sparse else 1.0)
            layer.set_weights([kernel * kept, random.normal(0, 0.1, weights[1].shape)])
    head = model.get_layer("conv10")
    largest = np.abs(float_answers(model, photographs())).max()
    head.set_weights([weight * 4 / largest for weight in head.get_weights()])
    return model


def photographs(count=12, seed=1):
    """Smooth random colours: pixels beside one another are alike, as in photographs."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, 8, 8, 3)).astype(np.uint8)
    return coarse.repeat(SIDE // 8, axis=1).repeat(SIDE // 8, axis=2)


def float_answers(model, images):
    pixels = images[..., ::-1].astype(np.float32)
    return model((pixels - np.float32(RECORD.mean)) * np.float32(RECORD.scale)).numpy()


def optimize(model, images, config):
    optimizer = subject.Optimizer(model, RECORD, images, config)
    if config.archive_budget_bytes:
        return optimizer.best(config.archive_budget_bytes, lambda found: found.coded_bytes + 5000)
    return optimizer.at(optimizer.price)


def convert(model, found, images, options=OPTIONS):
    template = convert_model(found.template(model, RECORD), RECORD, LABELS, options, images)
    return found.write(template)


@pytest.mark.parametrize(
    "changes",
    [{}, {"bypass": "complex"}, {"bypass": "simple", "conv10_relu": True, "conv10_padding": 1}],
)
def test_the_file_computes_what_was_simulated(changes):
    model, images = network(**changes), photographs()
    found = optimize(model, images, OptimizeConfig(optimize_for="accuracy"))
    content = convert(model, found, images)
    weights = {name: (layer.values, layer.bias) for name, layer in found.layers.items()}
    values = {"": images.astype(np.float32)}
    for item in found.graph.operations:
        inputs = [values[name] for name in item.inputs]
        value = simulation.apply(found.graph, item, inputs, weights.get(item.name))
        # A maximum or a concatenation of rounded values is rounded already.
        rounds = item.kind not in ("max", "concat")
        values[item.name] = simulation.round_to(value, found.ranges[item.site]) if rounds else value
    logits = values[found.graph.operations[-1].name].numpy()
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(Classifier(content).predict(images), expected, atol=0.06)


def test_the_file_holds_exactly_the_kernels_and_scales():
    model, images = network(), photographs()
    found = optimize(model, images, OptimizeConfig())
    file = TFLiteFile(convert(model, found, images))
    for item in file.convolutions():
        layer = found.layers[item.layer]
        np.testing.assert_array_equal(file.data(item.kernel), layer.kernel.transpose(3, 0, 1, 2))
        assert item.kernel.scales[0] == np.float32(layer.step)
        unit = item.kernel.scales[0] * file.tensors[item.input].scales[0]
        assert item.bias.scales[0] == pytest.approx(unit, rel=1e-6)
        error = np.abs(file.data(item.bias) * np.float64(unit) - layer.bias)
        assert error.max() <= 0.51 * unit


def without_weights(layer):
    return dataclasses.replace(layer, kernel=np.zeros_like(layer.kernel))


def test_kernels_that_lost_all_their_weights_have_a_place_in_the_file():
    """The converter would store equal kernels once, without their layers' names."""
    model, images = network(), photographs()
    found = optimize(model, images, OptimizeConfig())
    empty = {name: without_weights(layer) for name, layer in found.layers.items()}
    empty["fire4/expand3x3"] = found.layers["fire4/expand3x3"]
    file = TFLiteFile(convert(model, dataclasses.replace(found, layers=empty), images))
    kept = {item.layer: file.data(item.kernel).any() for item in file.convolutions()}
    assert kept == {name: name == "fire4/expand3x3" for name in empty}


def test_a_network_with_equal_kernels_is_converted_plainly():
    model = network()
    for name in ("fire2/expand1x1", "fire3/expand1x1"):
        kernel, bias = model.get_layer(name).get_weights()
        model.get_layer(name).set_weights([np.zeros_like(kernel), bias])
    content = convert_model(model, RECORD, LABELS, OPTIONS, photographs())
    shares = checks.check_compression(model, RECORD, content)
    assert shares["fire2/expand1x1"][0] == shares["fire3/expand1x1"][0] == 1


def test_templates_of_equal_kernels_differ_whatever_their_shapes():
    taken = set()
    equal = [np.zeros((1, 1, 8, 4), np.float32), np.zeros((1, 1, 4, 8), np.float32)]
    equal += [np.full((1, 1, 8, 4), value, np.float32) for value in (0.5, 0.25, 0.0)]
    made = [subject._unequal(kernel, taken) for kernel in equal]
    assert len(taken) == len(made) and all(kernel.any() for kernel in made)


def test_invariants():
    model, images = network(), photographs()
    found = optimize(model, images, OptimizeConfig())
    for name, layer in found.layers.items():
        exact = model.get_layer(name).get_weights()[0]
        zeros = exact == 0
        if name == "conv1":
            zeros = zeros[:, :, ::-1]  # BGR became RGB
        assert layer.kernel.dtype == np.int8
        assert not layer.kernel[zeros].any()
        assert layer.kernel.min() >= -127
        assert layer.step > 0
        assert np.isfinite(layer.bias).all()
    assert all(site.step > 0 for site in found.ranges.values())


def test_better_than_nearest_rounding_at_the_same_steps():
    model, images = network(sparse=False), photographs(24)
    unseen = photographs(40, seed=9)
    graph, weights = read_model(to_inference(model), RECORD)
    measured = calibration.calibrate(graph, weights, images, 0)
    found = optimize_layers.round_network(graph, weights, measured, 1e-5, 0)
    nearest = {
        name: dataclasses.replace(
            layer,
            kernel=np.clip(np.rint(weights[name][0] / layer.step), -127, 127).astype(np.int8),
            bias=weights[name][1],
        )
        for name, layer in found.items()
    }

    def error(layers):
        weights = {name: (layer.values, layer.bias) for name, layer in layers.items()}
        values = simulation.run(graph, weights, unseen.astype(np.float32))
        return np.mean((values[graph.operations[-1].name] - float_answers(model, unseen)) ** 2)

    assert subject.coded_bytes(found) < subject.coded_bytes(nearest)
    assert error(found) < error(nearest)


@dataclasses.dataclass(frozen=True)
class Trial:
    """As much of `OptimizedWeights` as the search looks at."""

    price: float
    coded_bytes: int
    layers: dict = dataclasses.field(default_factory=dict)
    older: object = None


def with_graph(found):
    """Biases are coded too: their bytes depend on the price."""
    return 14_000 + found.coded_bytes * 101 // 100


@pytest.mark.parametrize("budget", [150_000, 320_000, 400_000, 520_000])
@pytest.mark.parametrize("curvature", [0.0, 800.0])
def test_the_search_meets_a_budget_in_few_trials(budget, curvature):
    prices = []

    def at(price):
        prices.append(price)
        octaves = np.log(price / 2e-8)
        layers = {"conv": optimize_layers.Rounded(np.ones(400_000, np.int8), 1.0, np.zeros(1))}
        return Trial(price, int(323_000 - 40_000 * octaves + curvature * octaves**2), layers)

    found = subject.search_price(at, with_graph, 2e-8, budget)
    assert 0.99 * budget <= with_graph(found) <= budget
    assert len(prices) <= 4


def test_a_budget_is_kept_and_makes_bits_dearer():
    model, images = network(), photographs()
    free = optimize(model, images, OptimizeConfig(optimize_for="accuracy"))
    wanted = int(0.8 * free.coded_bytes)
    config = OptimizeConfig(archive_budget_bytes=5000 + wanted)
    found = optimize(model, images, config)
    budget = config.archive_budget_bytes
    assert 0.99 * budget <= 5000 + found.coded_bytes <= budget
    assert found.price > free.price


def test_an_impossible_budget_is_an_error_that_says_what_was_reached():
    def search(budget):
        return subject.search_price(lambda price: Trial(price, 90), lambda found: 100, 1.0, budget)

    with pytest.raises(RunError, match="--archive_budget_bytes=30: .* has 100 bytes"):
        search(30)
    with pytest.raises(RunError, match="=10: all but the kernels takes 10 bytes"):
        search(10)
    with pytest.raises(RunError, match="--archive_budget_bytes=99: .* has 100 bytes"):
        search(99)
    assert search(100).coded_bytes == 90


def test_a_budget_above_the_finest_steps_ends_the_search():
    prices = []

    def at(price):
        prices.append(price)
        return Trial(price, 90)

    assert subject.search_price(at, lambda found: 100, 1.0, 200).price == min(prices)
    assert len(prices) == 2


def test_where_no_price_meets_the_budget_of_an_update_the_old_codes_are_kept():
    def at(price):
        return Trial(price, 40 if price > 1e9 else 290, older=older)

    def size(found):
        return found.coded_bytes + 10

    older = object()
    assert subject.search_price(at, size, 1.0, 100).coded_bytes == 40
    older = None  # an archive has no older codes
    with pytest.raises(RunError, match="=100: .* has 300 bytes"):
        subject.search_price(at, size, 1.0, 100)


def test_size_takes_fewer_bytes_than_accuracy_and_plain_conversion():
    model, images = network(), photographs()
    plain = convert_model(model, RECORD, LABELS, OPTIONS, images)
    sizes = [
        len(sqz.pack(convert(model, optimize(model, images, config), images)))
        for config in (OptimizeConfig("size"), OptimizeConfig("accuracy"))
    ]
    assert sizes[0] < sizes[1] < len(sqz.pack(plain))


def test_the_same_call_gives_the_same_weights():
    model, images = network(), photographs()
    first, again = (optimize(model, images, OptimizeConfig(seed=3)) for _ in range(2))
    for name, layer in first.layers.items():
        np.testing.assert_array_equal(layer.kernel, again.layers[name].kernel)


def test_of_many_photographs_some_are_drawn_from_all():
    many = np.arange(250, dtype=np.uint8)[:, None, None, None].repeat(SIDE, 1).repeat(SIDE, 2)
    many = many.repeat(3, 3)
    chosen = {
        seed: subject._choose(many, RECORD, OptimizeConfig(seed=seed))[:, 0, 0, 0].tolist()
        for seed in (0, 1)
    }
    for numbers in chosen.values():
        assert numbers == sorted(set(numbers)) and len(numbers) == subject.MAX_PHOTOGRAPHS
        assert 90 < sum(number >= 125 for number in numbers) < 110
    assert chosen[0] != chosen[1]


def test_the_price_is_that_at_which_rounding_costs_the_share_of_the_variance():
    """With inputs that are independent, so that the errors of the weights add up."""
    rows = np.random.default_rng(0).normal(size=(50, 80))
    kernel = rows.T.reshape(1, 1, 80, 50)
    kernel[..., 0] = rows[0] = 0  # what is zero stays zero, and adds nothing
    price = subject._price({"conv": (kernel, np.zeros(50))}, logit_variance=20.0, share=0.25)
    step = optimize_layers.best_step(rows[1:], np.eye(80), np.ones(49), price)
    error = ((rows - step * np.rint(rows / step)) ** 2).sum()
    assert error == pytest.approx(0.25 * 20.0, rel=0.1)


def test_a_per_channel_file_is_refused():
    model, images = network(), photographs()
    found = optimize(model, images, OptimizeConfig())
    options = ConversionOptions(granularity="per_channel")
    with pytest.raises(InvariantError, match="one kernel scale"):
        convert(model, found, images, options)


def test_a_file_of_another_network_is_refused():
    model, images = network(), photographs()
    found = optimize(model, images, OptimizeConfig())
    other = convert_model(network(bypass="simple"), RECORD, LABELS, OPTIONS, images)
    with pytest.raises(InvariantError):
        found.write(other)


def test_too_few_or_wrong_photographs_are_refused():
    model = network()
    with pytest.raises(UsageError, match="5 photographs"):
        optimize(model, photographs(5), OptimizeConfig())
    with pytest.raises(UsageError, match=r"\[N, 40, 40, 3\]"):
        optimize(model, photographs()[:, 1:], OptimizeConfig())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"optimize_for": "speed"}, "--optimize_for 'speed'"),
        ({"archive_budget_bytes": 10}, "--archive_budget_bytes 10"),
    ],
)
def test_wrong_configurations_are_refused(values, message):
    with pytest.raises(UsageError, match=message):
        OptimizeConfig(**values)


def with_loud_channel(model, factor=64.0):
    """Make one channel of each squeeze layer loud; the next layers take it back."""
    for fire in ("fire2", "fire3", "fire4"):
        kernel, bias = model.get_layer(f"{fire}/squeeze1x1").get_weights()
        kernel[..., 0] *= factor
        bias[0] *= factor
        model.get_layer(f"{fire}/squeeze1x1").set_weights([kernel, bias])
        for part in ("expand1x1", "expand3x3"):
            kernel, bias = model.get_layer(f"{fire}/{part}").get_weights()
            kernel[:, :, 0] /= factor
            model.get_layer(f"{fire}/{part}").set_weights([kernel, bias])
    return model


def test_equal_ranges_keep_the_function_and_bring_int8_nearer_to_it():
    model, images = with_loud_channel(network(sparse=False)), photographs(60)
    before = [weight.copy() for weight in model.get_weights()]
    equalized = subject.equalized(model, RECORD, images)
    expected = float_answers(model, images)
    np.testing.assert_allclose(float_answers(equalized, images), expected, atol=1e-3)
    for kept, found in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, found)
    errors = []
    for candidate in (model, equalized):
        content = convert_model(candidate, RECORD, LABELS, ConversionOptions(), images)
        answers = np.log(Classifier(content).predict(images))
        logits = expected - expected.mean(axis=1, keepdims=True)
        errors.append(np.abs(answers - answers.mean(axis=1, keepdims=True) - logits).mean())
    assert errors[1] < 0.8 * errors[0], errors  # softmax in steps of 1/256 is part of both
