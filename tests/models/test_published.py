import hashlib

import numpy as np
import pytest

from sqzkit.base.errors import FormatError, RunError, UsageError
from sqzkit.base.imagenet import imagenet_labels
from sqzkit.models import squeezenet
from sqzkit.models.caffemodel import message_class
from sqzkit.models.published import PUBLISHED, find
from sqzkit.models.transfer import load_weights
from sqzkit.models.weight_files import decode
from sqzkit.preprocessing.photograph import load_photograph, normalize


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SQZKIT_CACHE", str(tmp_path / "cache"))


def no_network(request):
    raise AssertionError(f"opened {request.full_url}")


def older_name(name):
    """Return what the DSD file calls a layer."""
    if name == "conv10":
        return "conv_final"
    return (
        name.replace("squeeze1x1", "conv1x1_1")
        .replace("expand1x1", "conv1x1_2")
        .replace("expand3x3", "conv3x3_2")
    )


def caffe_file(model, rename=lambda name: name, leave_out=()):
    """Write a model's convolutions as Caffe would."""
    net = message_class("NetParameter")()
    for layer in model.layers:
        if layer.weights and layer.name not in leave_out:
            kernel, bias = layer.get_weights()
            entry = net.layer.add(name=rename(layer.name).encode())
            for array in (kernel.transpose(3, 2, 0, 1), bias):
                blob = entry.blobs.add(data=array.ravel())
                blob.shape.dim.extend(array.shape)
    return net.SerializeToString()


def test_the_sets_are_known():
    caffe = ["deep_compression", "dsd", "simple_bypass", "v1_0", "v1_1"]
    assert {*PUBLISHED} == {*caffe, "v1_1_onnx", "v1_0_torchvision", "v1_1_torchvision"}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_record_is_whole(name):
    record = PUBLISHED[name]
    assert record.name == name and record.description
    assert record.provenance == {"weights": name, "url": record.file.url}
    assert record.licence in ("BSD-2-Clause", "BSD-3-Clause", "MIT")
    assert record.spec.classes == len(record.labels) == 1000
    assert record.spec.normalization == "none"
    assert 57 <= record.top1 < record.top5 <= 84
    torch = name.endswith("_torchvision")
    assert record.preprocessing.channel_order == ("RGB" if torch else "BGR")
    assert record.preprocessing.image_size == (224 if "v1_1_onnx" == name or torch else 227)
    assert record.preprocessing.resize == ("shorter_side" if torch else "squash")


def test_the_padded_heads_are_the_v1_0_familys():
    padded = {name for name, record in PUBLISHED.items() if record.spec.conv10_padding}
    assert padded == {"deep_compression", "dsd", "simple_bypass", "v1_0"}
    assert PUBLISHED["simple_bypass"].spec.bypass == "simple"


@pytest.mark.parametrize(
    ("name", "rename"), [("v1_1", str), ("simple_bypass", str), ("dsd", older_name)]
)
def test_caffe_files_of_both_namings_are_read(name, rename):
    model = squeezenet.build(PUBLISHED[name].spec, 32)
    record = PUBLISHED[name]
    weights = decode(caffe_file(model, rename), record.spec, record.file.name)
    assert set(weights) == {layer.name for layer in model.layers if layer.weights}
    for layer, arrays in weights.items():
        for mine, theirs in zip(model.get_layer(layer).get_weights(), arrays, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_another_networks_file_is_refused_by_layer():
    content = caffe_file(squeezenet.build(PUBLISHED["v1_1"].spec, 32))
    with pytest.raises(FormatError, match=r"a.caffemodel: conv1 is \(3, 3, 3, 64\) in the file"):
        decode(content, PUBLISHED["v1_0"].spec, "a.caffemodel")


def test_a_file_that_lacks_a_layer_is_refused():
    network = PUBLISHED["v1_1"].spec
    content = caffe_file(squeezenet.build(network, 32), leave_out=("fire4/expand3x3",))
    with pytest.raises(FormatError, match="fire4/expand3x3 is missing in the file"):
        decode(content, network, "a.caffemodel")


def test_an_unknown_name_is_refused():
    with pytest.raises(UsageError, match="--weights 'vgg': must be one of deep_compression, v1_0"):
        find("vgg")


def test_labels_are_the_lists_first_synonyms(shared_dir):
    lines = (shared_dir / "data" / "imagenet_synset_words.txt").read_text().splitlines()
    labels = imagenet_labels()
    assert len(set(labels)) == len(labels) == len(lines) == 1000
    first = [line.split(" ", 1)[1].split(",")[0] for line in lines]
    # Three names occur twice in the list's first synonyms; ours tell them apart.
    different = {label for label, name in zip(labels, first, strict=True) if label != name}
    assert different == {"crane (bird)", "crane (machine)", "maillot, tank suit"}


def test_the_real_file_is_read_without_network(shared_dir):
    weights = PUBLISHED["deep_compression"].load(shared_dir / "weights", no_network)
    kernels = [kernel for kernel, _ in weights.values()]
    assert sum(kernel.size for kernel in kernels) == 1_244_448
    assert sum(np.count_nonzero(kernel) for kernel in kernels) == 415_921
    assert sum(bias.size for _, bias in weights.values()) == 1_248_424 - 1_244_448
    assert max(len(np.unique(kernel)) for kernel in kernels) <= 256


def test_the_real_onnx_file_is_read_without_network(shared_dir):
    weights = PUBLISHED["v1_1_onnx"].load(shared_dir / "weights", no_network)
    assert sum(kernel.size + bias.size for kernel, bias in weights.values()) == 1_235_496
    assert PUBLISHED["v1_1_onnx"].spec == PUBLISHED["v1_1"].spec


@pytest.mark.parametrize("damage", ["truncated", "longer", "altered"])
def test_a_damaged_real_file_is_refused(shared_dir, tmp_path, damage):
    name = "compressed_SqueezeNet.net"
    content = bytearray((shared_dir / "weights" / name).read_bytes())
    if damage == "truncated":
        del content[-1]
    elif damage == "longer":
        content.append(0)
    else:
        content[300_000] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RunError) as error:
        PUBLISHED["deep_compression"].load(tmp_path, no_network)
    assert PUBLISHED["deep_compression"].file.checksum.value in str(error.value)
    assert hashlib.sha256(content).hexdigest() in str(error.value)


# What an independent decoder, or ONNX Runtime at 224 pixels, measured: top-1 and top-5.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "accuracies"), [("deep_compression", (0.675, 0.885)), ("v1_1_onnx", (0.68, 0.885))]
)
def test_the_real_weights_recognise_real_photographs(shared_dir, name, accuracies):
    lines = (shared_dir / "data" / "imagenet_synset_words.txt").read_text().splitlines()
    classes = {line.split()[0]: index for index, line in enumerate(lines)}
    paths = sorted((shared_dir / "data" / "imagenet_samples").glob("*/*"))
    truth = np.array([classes[path.parent.name] for path in paths])
    record = PUBLISHED[name].preprocessing
    images = np.stack([load_photograph(path, record) for path in paths])
    model = squeezenet.build(PUBLISHED[name].spec, record.image_size)
    load_weights(model, PUBLISHED[name].load(shared_dir / "weights", no_network))
    logits = model.predict(normalize(images, record), batch_size=10, verbose=0)
    hits = np.argsort(-logits, axis=1) == truth[:, None]
    assert len(truth) == 200
    assert abs(hits[:, 0].mean() - accuracies[0]) <= 0.02
    assert abs(hits[:, :5].sum(1).mean() - accuracies[1]) <= 0.02
