import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqzkit.base.errors import FormatError, SqzkitError, UsageError
from sqzkit.coding import han_net
from sqzkit.models import caffemodel, onnx_file, pretrained, published, spec
from sqzkit.models.weight_files import kernel_shapes
from tests.models import pth
from tests.models.test_weight_files import random_weights

TINY = spec.tiny(5, normalization="none")
FIELDS = {"conv1_filters": 8, "base_e": 16, "incr_e": 16, "fire_modules": 3} | {
    "squeeze_ratio": 0.25,
    "pool_after": ("conv1", "fire3"),
}


def caffe(weights, relus=0, additions=0, padding=0):
    """Return a `.caffemodel` with that many more layers of the graph."""
    net = caffemodel.message_class("NetParameter")()
    for kind, count in ((b"ReLU", relus), (b"Eltwise", additions), (b"Pooling", 2)):
        for _ in range(count):
            net.layer.add(type=kind)
    for name, (kernel, bias) in weights.items():
        layer = net.layer.add(name=name.encode(), type=b"Convolution")
        layer.convolution_param.pad.append(padding if name == "conv10" else 0)
        for array in (kernel.transpose(3, 2, 0, 1), bias):
            layer.blobs.add(data=array.ravel()).shape.dim.extend(array.shape)
    return net.SerializeToString()


def onnx(weights, relus=0, additions=0, padding=0):
    model = onnx_file.message_class("ModelProto")()
    for kind, count in ((b"Relu", relus), (b"Add", additions), (b"MaxPool", 2)):
        for _ in range(count):
            model.graph.node.add(op_type=kind)
    for name, (kernel, bias) in weights.items():
        names = [f"{name}_w_0".encode(), f"{name}_b_0".encode()]
        node = model.graph.node.add(input=[b"x", *names], op_type=b"Conv")
        node.attribute.add(name=b"kernel_shape", ints=kernel.shape[:2])
        node.attribute.add(name=b"pads", ints=[padding if name == "conv10" else 0] * 4)
        for part, array in zip(names, (kernel.transpose(3, 2, 0, 1), bias), strict=True):
            raw = np.ascontiguousarray(array).tobytes()
            model.graph.initializer.add(name=part, dims=array.shape, data_type=1, raw_data=raw)
    return model.SerializeToString()


def torch(weights):
    return pth.written(pth.torch_names(weights, (3, 4, 6)))


def torch8(weights):
    return pth.written(pth.torch_names(weights, (3, 4, 6, 7, 9, 10, 11, 12)))


def net(weights):
    clustered = {name: (np.sign(kernel), bias) for name, (kernel, bias) in weights.items()}
    return han_net.write(han_net.from_weights(clustered))


@pytest.fixture
def found(tmp_path):
    """Return a function that writes a file and finds it."""

    def find(name, content, model=None, changes=FIELDS):
        path = tmp_path / name
        path.write_bytes(content)
        return published.find(str(path), model, changes)

    return find


@pytest.mark.parametrize(
    ("suffix", "write"), [("caffemodel", caffe), ("onnx", onnx), ("pth", torch), ("net", net)]
)
def test_a_file_of_each_format_is_read(found, suffix, write):
    weights = random_weights(TINY)
    model = "tiny" if suffix == "net" else None
    record = found(f"mine.{suffix}", write(weights), model)
    assert (record.name, record.spec.classes, record.spec.modules()) == ("mine", 5, TINY.modules())
    assert record.labels is None and record.licence == ""
    order = "RGB" if suffix == "pth" else "BGR"
    assert record.preprocessing.channel_order == order
    loaded = record.load()
    for name, arrays in weights.items():
        for index, array in enumerate(arrays):
            expected = np.sign(array) if (suffix, index) == ("net", 0) else array
            np.testing.assert_array_equal(loaded[name][index], expected)
    digest = hashlib.sha256(record.file.read_bytes()).hexdigest()
    assert record.provenance == {"weights": f"mine.{suffix} sha256:{digest}"}


@pytest.mark.parametrize("model", ["v1_0", "v1_1"])
def test_the_version_follows_from_the_first_kernel(found, model):
    """So somebody's own SqueezeNet needs no other flag. 1,000 classes are ImageNet's."""
    network = spec.named(model, 1000, normalization="none")
    record = found("mine.caffemodel", caffe(random_weights(network)), changes={})
    assert record.spec == network
    assert record.labels == published.PUBLISHED["v1_0"].labels


@pytest.mark.parametrize("write", [caffe, onnx])
@pytest.mark.parametrize(("bypass", "additions"), [("none", 0), ("simple", 2)])
@pytest.mark.parametrize(("conv10_relu", "squeeze_relu"), [(False, True), (True, False)])
def test_the_graph_decides_what_the_weights_do_not_say(
    found, write, bypass, additions, conv10_relu, squeeze_relu
):
    fields = {**FIELDS, "incr_e": 0, "conv1_filters": 16, "bypass": bypass}
    network = spec.tiny(5, **{**fields, "normalization": "none", "conv10_relu": conv10_relu})
    additions = sum(module.bypass != "none" for module in network.modules())
    relus = 7 + conv10_relu + 3 * squeeze_relu
    content = write(random_weights(network), relus, additions, padding=1)
    del fields["bypass"]
    record = found(f"mine.{'onnx' if write is onnx else 'caffemodel'}", content, None, fields)
    assert (record.spec.bypass, record.spec.conv10_relu) == (bypass, conv10_relu)
    assert (record.spec.squeeze_relu, record.spec.conv10_padding) == (squeeze_relu, 1)


@pytest.mark.parametrize(
    ("relus", "additions", "changes", "message"),
    [
        (9, 0, {}, "has 9 ReLUs and 0 additions, the network 10 and 0"),
        (12, 0, {}, "has 12 ReLUs"),
        (11, 1, {"incr_e": 0}, "has 11 ReLUs and 1 additions, the network 11 and 2"),
        (11, 2, {"bypass": "none"}, "has 11 ReLUs and 2 additions, the network 11 and 0"),
    ],
)
def test_the_graph_of_another_network_is_refused(found, relus, additions, changes, message):
    fields = {**FIELDS, **changes}
    network = spec.tiny(5, **{**fields, "normalization": "none"})
    with pytest.raises(FormatError, match=f"mine.caffemodel: {message}"):
        found("mine.caffemodel", caffe(random_weights(network), relus, additions), None, fields)


def test_a_padding_that_no_squeezenet_has_is_refused(found):
    content = onnx(random_weights(TINY), relus=11, padding=2)
    with pytest.raises(FormatError, match="mine.onnx: its graph is not .*conv10_padding 2"):
        found("mine.onnx", content)


def test_a_file_without_a_graph_says_which_network_was_assumed(found):
    """The squeeze layers of v1.1 and v1.2 have the same weights."""
    weights = random_weights(TINY)
    record = found("mine.pth", torch(weights))
    assert record.assumed.startswith("mine.pth: has no graph, so v1_1 was assumed; name another")
    assert record.spec.squeeze_relu
    assert not found("mine.onnx", onnx(weights, relus=11)).assumed
    network = spec.named("v1_2", 7, normalization="none")
    record = found("mine.pth", torch8(random_weights(network)), "v1_2", {})
    assert (record.spec, record.assumed) == (network, "")


def test_a_graph_of_another_network_than_the_named_one_is_refused(found):
    network = spec.named("v1_1", 5, normalization="none")
    content = onnx(random_weights(network), relus=26)
    with pytest.raises(FormatError, match="has 26 ReLUs and 0 additions, the network 18 and 0"):
        found("mine.onnx", content, "v1_2", {})
    assert found("mine.onnx", content, "v1_1", {}).spec.squeeze_relu


WHOLE = {
    "a.caffemodel": caffe(random_weights(TINY), relus=11),
    "a.onnx": onnx(random_weights(TINY), relus=11),
    "a.pth": torch(random_weights(TINY)),
    "a.net": net(random_weights(TINY)),
}


@given(st.sampled_from(list(WHOLE)), st.data(), st.binary(min_size=1, max_size=4))
def test_damaged_files_are_read_or_refused(name, data, change):
    content = WHOLE[name]
    at = data.draw(st.integers(0, len(content) - 1))
    damaged = content[:at] + change + content[at + data.draw(st.integers(0, 9)) :]
    try:
        model = "tiny" if name == "a.net" else None
        pretrained.from_file(Path(name), damaged, model, {} if model else FIELDS)
    except SqzkitError as error:
        assert str(error)


def test_layers_that_do_not_fit_are_refused_by_name_and_both_shapes(found):
    weights = random_weights(TINY)
    message = r"mine.pth: fire2/squeeze1x1 is \(1, 1, 8, 4\) in the file and \(1, 1, 8, 8\) in"
    with pytest.raises(FormatError, match=message):
        found("mine.pth", torch(weights), None, {**FIELDS, "squeeze_ratio": 0.5})
    del weights["conv10"]
    with pytest.raises(FormatError, match="has no layers conv1 and conv10; is it a SqueezeNet"):
        found("mine.caffemodel", caffe(weights))


@pytest.mark.parametrize(
    "damage", [lambda _: b"", lambda content: content[:99], lambda _: bytes(300)]
)
def test_a_damaged_net_is_refused(found, damage):
    with pytest.raises(FormatError, match=r"\.net file"):
        found("mine.net", damage(net(random_weights(TINY))), "tiny")


def test_a_published_file_is_known_by_its_checksum(shared_dir, tmp_path):
    path = tmp_path / "downloaded.onnx"
    path.write_bytes((shared_dir / "weights" / "squeezenet1.1_fp16.onnx").read_bytes())
    record = published.PUBLISHED["v1_1_onnx"]
    assert published.find(str(path)) == dataclasses.replace(record, file=path)
    own = published.find(str(path), "v1_1")  # the same weights, by the file's own graph
    assert own.spec == record.spec
    assert {n: k.shape for n, (k, _) in own.load().items()} == kernel_shapes(record.spec)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.pth", "there is no such file"),
        ("a.zip", "must be one of .*or a file that ends in"),
    ],
)
def test_other_names_are_refused(name, message):
    with pytest.raises(UsageError, match=f"--weights '{name}': {message}"):
        published.find(name)
