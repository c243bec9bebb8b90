"""What other coders are given is all of the file: no byte is left out of their count."""

import numpy as np
import pytest

from benchmarks.peers import size_sqzkit
from sqzkit.coding import han_net


def test_a_tflites_tensors_and_its_rest_are_the_whole_file(repository):
    path = repository / "android_demo/app/src/test/resources/models/colours_int8.tflite"
    content = path.read_bytes()
    tensors, rest = size_sqzkit.tflite_tensors(content)
    assert len(rest) + sum(tensor.nbytes for tensor in tensors.values()) == len(content)
    kernels = [tensor for tensor in tensors.values() if tensor.ndim == 4]
    assert kernels
    for tensor in tensors.values():
        whole = tensor.transpose(0, 2, 3, 1) if tensor.ndim == 4 else tensor
        assert np.ascontiguousarray(whole).tobytes() in content


@pytest.fixture(scope="module")
def net(shared_dir):
    return (shared_dir / "weights" / "compressed_SqueezeNet.net").read_bytes()


def test_a_nets_tensors_and_its_rest_give_it_back(net):
    tensors, rest = size_sqzkit.net_tensors(net)
    layers = []
    for layer, ranks in zip(han_net.read(net), tensors.values(), strict=True):
        book, rest = np.frombuffer(rest[:1024], np.float32), rest[1024:]
        order, rest = np.frombuffer(rest[:256], np.uint8), rest[256:]
        size = layer.bias.nbytes
        bias, rest = np.frombuffer(rest[:size], np.float32), rest[size:]
        center = int(np.flatnonzero(order == 0)[0])
        plain = np.zeros(256, np.float32)
        plain[order] = book
        codes = order[ranks + center]
        layers.append(han_net.HanLayer(layer.convolution, codes, plain, bias))
    assert not rest
    assert han_net.write(layers) == net
