"""The published ImageNet weights of SqueezeNet that `--weights=NAME` knows."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from sqzkit.base import imagenet
from sqzkit.base.errors import UsageError
from sqzkit.models import spec, weight_files
from sqzkit.models.download import Checksum, OpenUrl, RemoteFile, obtain, open_https
from sqzkit.models.weight_files import Weights
from sqzkit.preprocessing import Preprocessing, caffe, torchvision


@dataclasses.dataclass(frozen=True)
class PublishedWeights:
    """One published set of weights for the 1,000 ImageNet classes.

    Attributes:
      name: what `--weights` calls it.
      description: one line.
      spec: the network.
      url: where the file lies; the end of its name tells its format.
      checksum: of the file.
      top1, top5: accuracy its authors state on the ImageNet validation set, per cent.
      licence: SPDX identifier of the repository's licence.
      preprocessing_at: the preprocessing it was trained with, at an image size.
      image_size: that it was trained with, pixels.
    """

    name: str
    description: str
    spec: spec.SqueezeNetSpec
    url: str
    checksum: Checksum
    top1: float = 57.5
    top5: float = 80.3
    licence: str = "BSD-2-Clause"
    preprocessing_at: Callable[[int], Preprocessing] = caffe
    image_size: int = 227

    @property
    def remote(self) -> RemoteFile:
        """The file's address and its checksum."""
        return RemoteFile(self.url, self.checksum)

    @property
    def preprocessing(self) -> Preprocessing:
        """What it was trained with."""
        return self.preprocessing_at(self.image_size)

    @property
    def labels(self) -> tuple[str, ...]:
        """The 1,000 class names in class order."""
        return imagenet.imagenet_labels()


def _network(version: str, **changes: object) -> spec.SqueezeNetSpec:
    return spec.named(version, imagenet.CLASSES, normalization="none", **changes)


def _github(repository: str, commit: str, path: str) -> str:
    return f"https://raw.githubusercontent.com/{repository}/{commit}/{path}"


_ALL = (
    PublishedWeights(
        name="deep_compression",
        description="SqueezeNet v1.0 pruned and quantized to 8-bit codebooks by Deep Compression",
        spec=_network("v1_0", conv10_padding=1),
        url=_github(
            "songhan/SqueezeNet-Deep-Compression",
            "fb13faa2cf121ced9999f8a9d538ec6c56084733",
            "compressed_SqueezeNet.net",
        ),
        checksum=Checksum(
            "sha256", "e4ab6960ae8cd81505e1c2136921201507e930966c53deaf15862a395b3a3261"
        ),
    ),
    PublishedWeights(
        name="v1_0",
        description="SqueezeNet v1.0, the paper's network",
        spec=_network("v1_0", conv10_padding=1),
        url=_github(
            "forresti/SqueezeNet",
            "51147dc0681638c28aad593b9e923f3500117125",
            "SqueezeNet_v1.0/squeezenet_v1.0.caffemodel",
        ),
        checksum=Checksum("git_blob", "a381d848b43d7048c3b362238ece2386c21d6ff0"),
    ),
    PublishedWeights(
        name="v1_1",
        description="SqueezeNet v1.1, 2.4 times less computation at the same accuracy",
        spec=_network("v1_1"),
        url=_github(
            "forresti/SqueezeNet",
            "51147dc0681638c28aad593b9e923f3500117125",
            "SqueezeNet_v1.1/squeezenet_v1.1.caffemodel",
        ),
        checksum=Checksum("git_blob", "9d2fc33abf653a6e8b2ee6cc63ede0e72ec67f44"),
    ),
    PublishedWeights(
        name="v1_1_onnx",
        description="SqueezeNet v1.1, the Caffe weights in half precision",
        spec=_network("v1_1"),
        url=_github(
            "microsoft/Windows-Machine-Learning",
            "155b5eeb1f48b49235f31ef3a68db0bd8707ce89",
            "SharedContent/models/SqueezeNet_fp16.onnx",
        ),
        checksum=Checksum(
            "sha256", "21f25e3d9254af93e6218a359469fac714a017b3f9035c0f5c4acbf9a3ff7233"
        ),
        licence="MIT",
        # The file's own input size. The others' prototxt files say 227.
        image_size=224,
    ),
    PublishedWeights(
        name="simple_bypass",
        description="SqueezeNet v1.0 with simple bypass",
        spec=_network("v1_0", bypass="simple", conv10_padding=1),
        url=_github(
            "songhan/SqueezeNet-Residual",
            "f8dc32059d17a7039cc337ceb664dc503f930d8d",
            "SqueezeNet_residual_top1_0.6038_top5_0.8250.caffemodel",
        ),
        checksum=Checksum("git_blob", "f9d4678b926a742b6dea15e1c5ec60291a45d018"),
        top1=60.4,
        top5=82.5,
    ),
    PublishedWeights(
        name="dsd",
        description="SqueezeNet v1.0 trained dense, sparse and dense again",
        spec=_network("v1_0", conv10_padding=1),
        url=_github(
            "songhan/SqueezeNet-DSD-Training",
            "de459d27c9e6cf6dd05ca2b74dcae4afe4b126c1",
            "DSD_SqueezeNet_top1_0.617579_top5_0.834742.caffemodel",
        ),
        checksum=Checksum("git_blob", "ffce3635e4a837e7bc783fea3f48fcc48a1e93a6"),
        top1=61.8,
        top5=83.5,
    ),
    PublishedWeights(
        name="v1_0_torchvision",
        description="SqueezeNet v1.0, trained by torchvision",
        spec=_network("v1_0"),
        url="https://download.pytorch.org/models/squeezenet1_0-b66bff10.pth",
        checksum=Checksum("sha256", "b66bff10"),
        top1=58.09,
        top5=80.42,
        licence="BSD-3-Clause",
        preprocessing_at=torchvision,
        image_size=224,
    ),
    PublishedWeights(
        name="v1_1_torchvision",
        description="SqueezeNet v1.1, trained by torchvision",
        spec=_network("v1_1"),
        url="https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth",
        checksum=Checksum("sha256", "b8a52dc0"),
        top1=58.18,
        top5=80.62,
        licence="BSD-3-Clause",
        preprocessing_at=torchvision,
        image_size=224,
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
    return record.spec, weight_files.decode(content, record.spec, record.remote.name)
