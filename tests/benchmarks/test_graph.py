"""The network as plain data: computed here with NumPy alone, it gives what Keras gives."""

import numpy as np
import pytest

from benchmarks import graph, networks
from benchmarks.peers import ncnn_file
from sqzkit.base.keras import keras
from sqzkit.conversion.prepared import prepare
from sqzkit.models import spec, squeezenet
from sqzkit.preprocessing import caffe

SIDE = 48


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(3)
    network = spec.named("tiny", 5, bypass="simple", conv10_padding=1, normalization="batch")
    return squeezenet.build(network, SIDE)


@pytest.fixture(scope="module")
def inference(model):
    return prepare(model, caffe(SIDE))


def convolve(values, kernel, node):
    side = kernel.shape[0]
    around = side // 2 if node.same_padding else 0
    padded = np.pad(values, ((0, 0), (around, around), (around, around), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), (1, 2))
    return np.einsum("nhwcij,ijcf->nhwf", windows[:, :: node.stride, :: node.stride], kernel)


def pool(values):
    missing = (values.shape[1] - 3) % 2
    edges = ((0, 0), (0, missing), (0, missing), (0, 0))
    padded = np.pad(values, edges, constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    return windows[:, ::2, ::2].max((-1, -2))


def run(network, images):
    """Compute a graph by its documentation."""
    values = {}
    for node in network.nodes:
        inputs = [values[name] for name in node.inputs] or [images]
        arrays = network.arrays.get(node.name, ())
        first = inputs[0].astype(np.float64)
        if node.operator == "convolution":
            first = convolve(first, arrays[0], node) + (arrays[1] if len(arrays) > 1 else 0)
        elif node.operator == "normalization":
            gamma, beta, mean, variance = arrays
            first = (first - mean) / np.sqrt(variance + node.epsilon) * gamma + beta
        elif node.operator == "relu":
            first = np.maximum(first, 0)
        elif node.operator == "pool":
            first = pool(first)
        elif node.operator == "concatenate":
            first = np.concatenate(inputs, axis=-1)
        elif node.operator == "add":
            first = inputs[0] + inputs[1]
        elif node.operator == "add_constant":
            first = first + arrays[0]
        elif node.operator == "mean":
            first = first.mean((1, 2))
        elif node.operator == "softmax":
            first = np.exp(first - first.max(-1, keepdims=True))
            first /= first.sum(-1, keepdims=True)
        values[node.name] = first
    return values[network.nodes[-1].name]


def test_a_graph_computes_what_keras_does(inference, tmp_path):
    graph.describe(inference).save(tmp_path / "network.npz")
    read = graph.load(tmp_path / "network.npz")
    images = np.random.default_rng(0).uniform(0, 255, (2, SIDE, SIDE, 3)).astype(np.float32)
    assert np.allclose(run(read, images), inference(images).numpy(), atol=1e-5)
    assert {node.operator for node in read.nodes} <= set(graph.OPERATORS)


def test_a_graph_holds_normalization_and_dropout_for_training():
    made = networks.training_graph(64)
    operators = [node.operator for node in made.nodes]
    assert operators.count("normalization") == 25
    assert operators.count("dropout") == 1
    model = networks.training_network(made)
    images = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype(np.float32)
    assert np.allclose(run(made, images), model(images, training=False).numpy(), atol=1e-4)


def test_a_layer_without_a_node_is_named():
    source = keras.Input((8, 8, 3))
    other = keras.layers.AveragePooling2D(name="unknown")(source)
    with pytest.raises(ValueError, match="unknown: a AveragePooling2D"):
        graph.describe(keras.Model(source, other))


@pytest.mark.parametrize("integer", [False, True])
def test_ncnn_files_fit_together(inference, integer):
    network = graph.describe(inference)
    convolutions = [node.name for node in network.nodes if node.operator == "convolution"]
    peaks = dict.fromkeys(convolutions, 4.0) if integer else None
    made = ncnn_file.build(network, peaks)
    magic, counts, *lines = made.parameters.splitlines()
    layers, blobs = map(int, counts.split())
    assert magic == "7767517"
    assert layers == len(lines)
    written, read = [], []
    for line in lines:
        _, _, inputs, outputs, *names = line.split()
        read += names[: int(inputs)]
        written += names[int(inputs) : int(inputs) + int(outputs)]
    assert len(written) == len(set(written)) == blobs
    assert len(read) == len(set(read)), "ncnn reads a blob once; a Split copies it"
    assert set(written) - set(read) == {ncnn_file.OUTPUT}
    assert len(made.weights) == expected_bytes(network, integer)


def expected_bytes(network, integer):
    total = 0
    for node in network.nodes:
        arrays = network.arrays.get(node.name, ())
        if node.operator == "convolution":
            kernel, bias = arrays
            whole = -(-kernel.size // 4) * 4 + 4 * bias.size + 4
            total += 4 + 4 * bias.size + (whole if integer else 4 * kernel.size)
        elif node.operator == "add_constant":
            total += 4 * arrays[0].size
    return total
