"""The published ImageNet weights of SqueezeNet that `--weights=NAME` knows."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqzkit.base import files, imagenet
from sqzkit.base.errors import UsageError
from sqzkit.models import pretrained, spec, weight_files
from sqzkit.models.download import MAX_BYTES, Checksum, RemoteFile
from sqzkit.models.pretrained import Pretrained
from sqzkit.preprocessing import torchvision


def _network(version: str, **changes: object) -> spec.SqueezeNetSpec:
    return spec.named(version, imagenet.CLASSES, normalization="none", **changes)


def _github(repository: str, commit: str, path: str, checksum: Checksum) -> RemoteFile:
    url = f"https://raw.githubusercontent.com/{repository}/{commit}/{path}"
    return RemoteFile(url, checksum)


def _torchvision(version: str, digest: str, top1: float, top5: float) -> Pretrained:
    name = f"squeezenet{version[1:]}-{digest}.pth"
    return Pretrained(
        name=f"{version}_torchvision",
        description=f"SqueezeNet {version.replace('_', '.')}, trained by torchvision",
        spec=_network(version),
        file=RemoteFile(f"https://download.pytorch.org/models/{name}", Checksum("sha256", digest)),
        top1=top1,
        top5=top5,
        licence="BSD-3-Clause",
        preprocessing_at=torchvision,
        image_size=224,
    )


_ALL = (
    Pretrained(
        name="deep_compression",
        description="SqueezeNet v1.0 pruned and quantized to 8-bit codebooks by Deep Compression",
        spec=_network("v1_0", conv10_padding=1),
        file=_github(
            "songhan/SqueezeNet-Deep-Compression",
            "fb13faa2cf121ced9999f8a9d538ec6c56084733",
            "compressed_SqueezeNet.net",
            Checksum("sha256", "e4ab6960ae8cd81505e1c2136921201507e930966c53deaf15862a395b3a3261"),
        ),
        top1=57.5,
        top5=80.3,
        licence="BSD-2-Clause",
    ),
    Pretrained(
        name="v1_0",
        description="SqueezeNet v1.0, the paper's network",
        spec=_network("v1_0", conv10_padding=1),
        file=_github(
            "forresti/SqueezeNet",
            "51147dc0681638c28aad593b9e923f3500117125",
            "SqueezeNet_v1.0/squeezenet_v1.0.caffemodel",
            Checksum("git_blob", "a381d848b43d7048c3b362238ece2386c21d6ff0"),
        ),
        top1=57.5,
        top5=80.3,
        licence="BSD-2-Clause",
    ),
    Pretrained(
        name="v1_1",
        description="SqueezeNet v1.1, 2.4 times less computation at the same accuracy",
        spec=_network("v1_1"),
        file=_github(
            "forresti/SqueezeNet",
            "51147dc0681638c28aad593b9e923f3500117125",
            "SqueezeNet_v1.1/squeezenet_v1.1.caffemodel",
            Checksum("git_blob", "9d2fc33abf653a6e8b2ee6cc63ede0e72ec67f44"),
        ),
        top1=57.5,
        top5=80.3,
        licence="BSD-2-Clause",
    ),
    Pretrained(
        name="v1_1_onnx",
        description="SqueezeNet v1.1, the Caffe weights in half precision",
        spec=_network("v1_1"),
        file=_github(
            "microsoft/Windows-Machine-Learning",
            "155b5eeb1f48b49235f31ef3a68db0bd8707ce89",
            "SharedContent/models/SqueezeNet_fp16.onnx",
            Checksum("sha256", "21f25e3d9254af93e6218a359469fac714a017b3f9035c0f5c4acbf9a3ff7233"),
        ),
        licence="MIT",
        # The file's own input size. The others' prototxt files say 227.
        image_size=224,
        top1=57.5,
        top5=80.3,
    ),
    Pretrained(
        name="simple_bypass",
        description="SqueezeNet v1.0 with simple bypass",
        spec=_network("v1_0", bypass="simple", conv10_padding=1),
        file=_github(
            "songhan/SqueezeNet-Residual",
            "f8dc32059d17a7039cc337ceb664dc503f930d8d",
            "SqueezeNet_residual_top1_0.6038_top5_0.8250.caffemodel",
            Checksum("git_blob", "f9d4678b926a742b6dea15e1c5ec60291a45d018"),
        ),
        top1=60.4,
        top5=82.5,
        licence="BSD-2-Clause",
    ),
    Pretrained(
        name="dsd",
        description="SqueezeNet v1.0 trained dense, sparse and dense again",
        spec=_network("v1_0", conv10_padding=1),
        file=_github(
            "songhan/SqueezeNet-DSD-Training",
            "de459d27c9e6cf6dd05ca2b74dcae4afe4b126c1",
            "DSD_SqueezeNet_top1_0.617579_top5_0.834742.caffemodel",
            Checksum("git_blob", "ffce3635e4a837e7bc783fea3f48fcc48a1e93a6"),
        ),
        top1=61.8,
        top5=83.5,
        licence="BSD-2-Clause",
    ),
    _torchvision("v1_0", "b66bff10", 58.09, 80.42),
    _torchvision("v1_1", "b8a52dc0", 58.18, 80.62),
)
PUBLISHED: Mapping[str, Pretrained] = {record.name: record for record in _ALL}


def find(
    weights: str, model: str | None = None, changes: Mapping[str, Any] | None = None
) -> Pretrained:
    """Return what `--weights` names: published weights, or a file.

    Args:
      weights: a key of `PUBLISHED`, or a path. A published file is known by its checksum.
      model: name of the file's network; None: v1.0 or v1.1, by its first kernel.
      changes: fields of the network that the file does not tell.

    Raises:
      UsageError: neither a name nor such a file.
      RunError: the file is damaged or too large.
    """
    if weights in PUBLISHED:
        if model:
            raise UsageError(f"--model={model}: --weights={weights} is of a network of its own")
        return PUBLISHED[weights]
    path = Path(weights)
    if path.suffix not in weight_files.SUFFIXES:
        raise UsageError(
            f"--weights {weights!r}: must be one of {', '.join(PUBLISHED)}, or a file that ends "
            f"in {', '.join(weight_files.SUFFIXES)}"
        )
    if not path.is_file():
        raise UsageError(f"--weights {weights!r}: there is no such file")
    content = files.read_bytes(path, MAX_BYTES)
    if model is None and not changes:
        for record in PUBLISHED.values():
            if isinstance(record.file, RemoteFile) and record.file.checksum.matches(content):
                return dataclasses.replace(record, file=path)
    return pretrained.from_file(path, content, model, changes or {})
