"""The published ImageNet weights of SqueezeNet that `--weights=NAME` knows."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from sqzkit.base import imagenet
from sqzkit.base.errors import FormatError, UsageError
from sqzkit.coding import han_net
from sqzkit.models import caffemodel, onnx_file, spec
from sqzkit.models.download import Checksum, OpenUrl, RemoteFile, obtain, open_https
from sqzkit.preprocessing import Preprocessing, caffe

# By layer name: kernel float32 [height, width, inputs, filters], bias float32 [filters].
Weights = dict[str, tuple[np.ndarray, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class PublishedWeights:
    """One published set of weights for the 1,000 ImageNet classes.

    Attributes:
      name: what `--weights` calls it.
      description: one line.
      spec: the network.
      repository, commit, path: where it lies on GitHub.
      checksum: of the file.
      file_format: "caffemodel", "onnx", or "han_net" (Deep Compression's `.net`).
      top1, top5: accuracy its authors state on the ImageNet validation set, per cent.
      licence: SPDX identifier of the repository's licence.
      preprocessing: what it was trained with.
    """

    name: str
    description: str
    spec: spec.SqueezeNetSpec
    repository: str
    commit: str
    path: str
    checksum: Checksum
    file_format: Literal["caffemodel", "onnx", "han_net"] = "caffemodel"
    top1: float = 57.5
    top5: float = 80.3
    licence: str = "BSD-2-Clause"
    preprocessing: Preprocessing = dataclasses.field(default_factory=caffe)

    @property
    def remote(self) -> RemoteFile:
        """The file's address at its commit, and its checksum."""
        url = f"https://raw.githubusercontent.com/{self.repository}/{self.commit}/{self.path}"
        return RemoteFile(url, self.checksum)

    @property
    def labels(self) -> tuple[str, ...]:
        """The 1,000 class names in class order."""
        return imagenet.imagenet_labels()


def _network(version: str, **changes: object) -> spec.SqueezeNetSpec:
    return spec.named(version, imagenet.CLASSES, normalization="none", **changes)


_ALL = (
    PublishedWeights(
        name="deep_compression",
        description="SqueezeNet v1.0 pruned and quantized to 8-bit codebooks by Deep Compression",
        spec=_network("v1_0", conv10_padding=1),
        file_format="han_net",
        repository="songhan/SqueezeNet-Deep-Compression",
        commit="fb13faa2cf121ced9999f8a9d538ec6c56084733",
        path="compressed_SqueezeNet.net",
        checksum=Checksum(
            "sha256", "e4ab6960ae8cd81505e1c2136921201507e930966c53deaf15862a395b3a3261"
        ),
    ),
    PublishedWeights(
        name="v1_0",
        description="SqueezeNet v1.0, the paper's network",
        spec=_network("v1_0", conv10_padding=1),
        repository="forresti/SqueezeNet",
        commit="51147dc0681638c28aad593b9e923f3500117125",
        path="SqueezeNet_v1.0/squeezenet_v1.0.caffemodel",
        checksum=Checksum("git_blob", "a381d848b43d7048c3b362238ece2386c21d6ff0"),
    ),
    PublishedWeights(
        name="v1_1",
        description="SqueezeNet v1.1, 2.4 times less computation at the same accuracy",
        spec=_network("v1_1"),
        repository="forresti/SqueezeNet",
        commit="51147dc0681638c28aad593b9e923f3500117125",
        path="SqueezeNet_v1.1/squeezenet_v1.1.caffemodel",
        checksum=Checksum("git_blob", "9d2fc33abf653a6e8b2ee6cc63ede0e72ec67f44"),
    ),
    PublishedWeights(
        name="v1_1_onnx",
        description="SqueezeNet v1.1, the Caffe weights in half precision",
        spec=_network("v1_1"),
        file_format="onnx",
        repository="microsoft/Windows-Machine-Learning",
        commit="155b5eeb1f48b49235f31ef3a68db0bd8707ce89",
        path="SharedContent/models/SqueezeNet_fp16.onnx",
        checksum=Checksum(
            "sha256", "21f25e3d9254af93e6218a359469fac714a017b3f9035c0f5c4acbf9a3ff7233"
        ),
        licence="MIT",
        # The file's own input size. The others' prototxt files say 227.
        preprocessing=caffe(224),
    ),
    PublishedWeights(
        name="simple_bypass",
        description="SqueezeNet v1.0 with simple bypass",
        spec=_network("v1_0", bypass="simple", conv10_padding=1),
        repository="songhan/SqueezeNet-Residual",
        commit="f8dc32059d17a7039cc337ceb664dc503f930d8d",
        path="SqueezeNet_residual_top1_0.6038_top5_0.8250.caffemodel",
        checksum=Checksum("git_blob", "f9d4678b926a742b6dea15e1c5ec60291a45d018"),
        top1=60.4,
        top5=82.5,
    ),
    PublishedWeights(
        name="dsd",
        description="SqueezeNet v1.0 trained dense, sparse and dense again",
        spec=_network("v1_0", conv10_padding=1),
        repository="songhan/SqueezeNet-DSD-Training",
        commit="de459d27c9e6cf6dd05ca2b74dcae4afe4b126c1",
        path="DSD_SqueezeNet_top1_0.617579_top5_0.834742.caffemodel",
        checksum=Checksum("git_blob", "ffce3635e4a837e7bc783fea3f48fcc48a1e93a6"),
        top1=61.8,
        top5=83.5,
    ),
)
PUBLISHED: Mapping[str, PublishedWeights] = {record.name: record for record in _ALL}


def find(name: str) -> PublishedWeights:
    """Return the published weights that `--weights` names; raise `UsageError` on another name."""
    if name not in PUBLISHED:
        raise UsageError(f"--weights {name!r}: must be one of {', '.join(PUBLISHED)}")
    return PUBLISHED[name]


def load_published(
    name: str, weights_dir: Path | str | None = None, open_url: OpenUrl = open_https
) -> tuple[spec.SqueezeNetSpec, Weights]:
    """Return network and weights of a published set.

    Args:
      name: a key of `PUBLISHED`.
      weights_dir: a folder looked at before the cache; may be None.
      open_url: how a request is opened, if the file must be fetched.

    Returns:
      The specification, and kernel and bias of every convolution by its
      layer name in the Keras model.

    Raises:
      UsageError: the name is unknown.
      RunError: the file cannot be had, or is not the published one.
    """
    record = find(name)
    content = obtain(record.remote, weights_dir, open_url)
    return record.spec, decode(content, record)


def decode(content: bytes, record: PublishedWeights) -> Weights:
    """Return the weights in a published file's content, by our layer names.

    Raises:
      FormatError: the file is damaged or has other layers than its record.
    """
    source = record.remote.name
    expected = _shapes(record.spec)
    if record.file_format == "han_net":
        weights = _read_han_net(content, expected)
    else:
        reader = onnx_file if record.file_format == "onnx" else caffemodel
        blobs = caffemodel.convolutions(reader.read(content, source), source)
        weights = {layer_name(name): value for name, value in blobs.items()}
    found = {name: kernel.shape for name, (kernel, _) in weights.items()}
    if found != expected:
        names = sorted(
            name for name in {*expected, *found} if expected.get(name) != found.get(name)
        )
        raise FormatError(
            f"{source}: not the layers of {record.name}; first at {names[0]}: "
            f"{found.get(names[0], 'missing')}, must be {expected.get(names[0], 'absent')}"
        )
    return weights


def layer_name(caffe_name: str) -> str:
    """Return today's name of a layer of the authors' first prototxt (DSD and `.net` use it)."""
    for older, name in (
        ("conv1x1_1", "squeeze1x1"),
        ("conv1x1_2", "expand1x1"),
        ("conv3x3_2", "expand3x3"),
    ):
        caffe_name = caffe_name.replace(older, name)
    return "conv10" if caffe_name == "conv_final" else caffe_name


def _shapes(network: spec.SqueezeNetSpec) -> dict[str, tuple[int, ...]]:
    """Return the kernel shape [height, width, inputs, filters] of every convolution."""
    side = network.conv1_kernel
    shapes: dict[str, tuple[int, ...]] = {}
    shapes["conv1"] = (side, side, 3, network.conv1_filters)
    inputs = network.conv1_filters
    for module in network.modules():
        squeeze = module.squeeze1x1
        shapes[f"{module.name}/squeeze1x1"] = (1, 1, inputs, squeeze)
        shapes[f"{module.name}/expand1x1"] = (1, 1, squeeze, module.expand1x1)
        shapes[f"{module.name}/expand3x3"] = (3, 3, squeeze, module.expand3x3)
        inputs = module.filters
    shapes["conv10"] = (1, 1, inputs, network.classes)
    return shapes


def _read_han_net(content: bytes, shapes: Mapping[str, tuple[int, ...]]) -> Weights:
    layers = [
        han_net.Convolution(name, (filters, inputs, height, width))
        for name, (height, width, inputs, filters) in shapes.items()
    ]
    return han_net.to_weights(han_net.read(content, layers))
