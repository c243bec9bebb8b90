import dataclasses
import hashlib

import numpy as np
import pytest

from sqzkit.base.errors import FormatError, UsageError
from sqzkit.coding import container, han_net, net_archive, sqz
from sqzkit.coding.archive import Piece
from tests.coding.make_golden_sqz import small_net

PUBLISHED = "e4ab6960ae8cd81505e1c2136921201507e930966c53deaf15862a395b3a3261"


@pytest.fixture(scope="module")
def net_file() -> bytes:
    return han_net.write(small_net())


@pytest.fixture(scope="module")
def published(shared_dir) -> bytes:
    content = (shared_dir / "weights" / "compressed_SqueezeNet.net").read_bytes()
    assert hashlib.sha256(content).hexdigest() == PUBLISHED
    return content


def test_the_layers_are_the_papers():
    layers = han_net.squeezenet_v1_0()
    assert len(layers) == 26
    assert sum(layer.size for layer in layers) == 1_244_448
    assert sum(layer.size + layer.shape[0] for layer in layers) == 1_248_424


def test_the_published_file_is_read_and_written_back(published):
    net = han_net.read(published)
    assert han_net.write(net) == published
    assert sum(int((layer.codes != 0).sum()) for layer in net) == 415_921
    assert all(layer.codebook[0] == 0 for layer in net)


def test_the_published_file_packs_below_530000_bytes_and_comes_back(published):
    archive = sqz.pack(published)
    assert len(archive) < 520_000
    assert sqz.info(archive).kind == "Caffe .net"
    assert sqz.unpack(archive) == published


def test_files_of_our_own_come_back(net_file):
    net = han_net.read(net_file)
    assert han_net.write(net) == net_file
    for layer, original in zip(net, small_net(), strict=True):
        np.testing.assert_array_equal(layer.kernel, original.kernel)
        np.testing.assert_array_equal(layer.bias, original.bias)


def test_any_clustered_network_is_written():
    random = np.random.default_rng(0)
    weights, shapes = {}, {"conv1": (3, 3, 3, 8), "fire2/squeeze1x1": (1, 1, 8, 4)}
    for name, shape in shapes.items():
        kernel = random.choice(np.linspace(-1, 1, 21, dtype=np.float32), shape)
        weights[name] = kernel, random.normal(0, 1, shape[3]).astype(np.float32)
    net = han_net.from_weights(weights)
    layers = [layer.convolution for layer in net]
    assert layers[0].shape == (8, 3, 3, 3)
    back = han_net.to_weights(han_net.read(han_net.write(net), layers))
    for name, (kernel, bias) in weights.items():
        np.testing.assert_array_equal(back[name][0], kernel)
        np.testing.assert_array_equal(back[name][1], bias)


def test_unclustered_or_wrong_networks_are_refused():
    kernel = np.arange(600, dtype=np.float32).reshape(1, 1, 60, 10)
    with pytest.raises(UsageError, match="conv9 has 599 distinct"):
        han_net.from_weights({"conv9": (kernel, np.zeros(10))})
    with pytest.raises(UsageError, match="10 outputs and 9 biases"):
        han_net.from_weights({"conv9": (kernel * 0, np.zeros(9))})


def test_damaged_files_are_refused(net_file):
    for content, message in (
        (b"", "counts"),
        (net_file[:-1], "cut off"),
        (net_file + b"\0", "longer"),
        (b"\xff\xff\xff\xff" + net_file[4:], "another network"),
        (net_file[:104] + b"\x01" + net_file[105:], "conv1: the codebook"),
    ):
        with pytest.raises(FormatError, match=message):
            han_net.read(content)


def test_entries_beyond_the_layer_are_refused():
    one = [han_net.Convolution("a", (1, 1, 1, 3))]
    body = bytes(1024) + bytes(4)
    with pytest.raises(FormatError, match="entry at 5"):
        han_net.read(b"\x01\0\0\0" + body + b"\x07\x05", one)
    with pytest.raises(FormatError, match="4 entries for 3"):
        han_net.read(b"\x04\0\0\0" + body + b"\x01\x01\x01\x01\0\0", one)
    with pytest.raises(FormatError, match="not zero"):
        han_net.read(b"\x01\0\0\0" + body + b"\x07\x12", one)


def test_codebook_orders_come_back():
    random = np.random.default_rng(0)
    for order in (np.arange(256), np.arange(256)[::-1], random.permutation(256)):
        digits = bytes(net_archive.to_digits(order.astype(np.uint8)))
        np.testing.assert_array_equal(net_archive.from_digits(digits), order)
    assert net_archive.to_digits(np.arange(256, dtype=np.uint8)) == [0] * 256
    with pytest.raises(FormatError, match="twice"):
        net_archive.from_digits(bytes([255] * 256))


def test_other_files_are_no_net(net_file):
    assert net_archive.to_archive(net_file[:-1]) is None
    assert net_archive.to_archive(b"TFL3") is None


def test_incomplete_archives_of_nets_are_refused(net_file):
    archive = net_archive.to_archive(net_file)
    written = container.write(archive)
    assert container.read(written) == archive
    assert sqz.unpack(written) == net_file
    for number, stream in enumerate(archive.streams):
        short = dataclasses.replace(stream, size=stream.size - 1)
        coded = [*archive.streams]
        coded[number] = short
        with pytest.raises(FormatError, match=r"do not make a \.net|weights stream"):
            container.read(container.write(dataclasses.replace(archive, streams=tuple(coded))))
    wrong = [
        dataclasses.replace(archive, streams=archive.streams[1:]),
        dataclasses.replace(archive, streams=archive.streams[:3], tensors=()),
        dataclasses.replace(archive, pieces=(Piece(0, 0, 1),)),
    ]
    for one in wrong:
        with pytest.raises(FormatError, match=r"\.net"):
            container.read(container.write(one))
