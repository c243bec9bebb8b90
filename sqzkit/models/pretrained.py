"""Pretrained weights: the network, its preprocessing, and where the file lies."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqzkit.base import files, imagenet
from sqzkit.base.errors import FormatError, UsageError
from sqzkit.models import spec as specs
from sqzkit.models import weight_files
from sqzkit.models.download import MAX_BYTES, OpenUrl, RemoteFile, obtain, open_https
from sqzkit.models.spec import SqueezeNetSpec
from sqzkit.models.weight_files import Weights
from sqzkit.preprocessing import Preprocessing, caffe, torchvision

_ASSUMED = (
    "{}: has no graph, so {} was assumed; name another network of the same shapes by --model, "
    "such as --model=v1_2"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pretrained:
    """Weights that training or conversion can start from.

    Attributes:
      name: what `--weights` calls it, or the file's name.
      spec: the network.
      file: the published file, or one on this machine; the end of its name tells its format.
      preprocessing_at: the preprocessing it was trained with, at an image size.
      image_size: that it was trained with, pixels.
      licence: SPDX identifier; empty if unknown.
      description: one line.
      top1, top5: accuracy its authors state on the ImageNet validation set, per cent.
      assumed: a line that says which network was assumed, if neither file nor user tell.
    """

    name: str
    spec: SqueezeNetSpec
    file: RemoteFile | Path
    preprocessing_at: Callable[[int], Preprocessing] = caffe
    image_size: int = 227
    licence: str = ""
    description: str = ""
    top1: float | None = None
    top5: float | None = None
    assumed: str = ""

    @property
    def preprocessing(self) -> Preprocessing:
        """What it was trained with."""
        return self.preprocessing_at(self.image_size)

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The names of its classes, in order: ImageNet's if there are 1,000, else unknown."""
        known = self.spec.classes == imagenet.CLASSES
        return imagenet.imagenet_labels() if known else None

    @property
    def identity(self) -> str:
        """The name; of a file on this machine also its SHA-256."""
        if isinstance(self.file, Path):
            return f"{self.file.name} sha256:{files.sha256(self.file)}"
        return self.name

    @property
    def provenance(self) -> dict[str, str]:
        """Where the weights come from: their identity, and the address of published ones."""
        url = {} if isinstance(self.file, Path) else {"url": self.file.url}
        return {"weights": self.identity, **url}

    def load(
        self, weights_dir: Path | str | None = None, open_url: OpenUrl = open_https
    ) -> Weights:
        """Return kernel and bias of every convolution by its layer name in the Keras model.

        Args:
          weights_dir: a folder looked at before the cache; may be None.
          open_url: how a request is opened, if the file must be fetched.

        Raises:
          RunError: the file cannot be had, is not the published one, or has other layers.
        """
        if isinstance(self.file, Path):
            content = files.read_bytes(self.file, MAX_BYTES)
        else:
            content = obtain(self.file, weights_dir, open_url)
        return weight_files.decode(content, self.spec, self.file.name)


def from_file(
    path: Path, content: bytes, model: str | None, changes: Mapping[str, Any]
) -> Pretrained:
    """Return the record of somebody's own file: `.caffemodel`, `.onnx`, `.pth` or `.net`.

    Version and classes follow from the shapes, and the preprocessing from the names of the
    layers, which are Caffe's or torchvision's. A `.net` says neither: it is of v1.0.

    Args:
      path: of the file.
      content: of the file.
      model: name of its network; None: v1.0 if its first kernel is 7x7, else v1.1.
      changes: fields of the network.

    Raises:
      FormatError: the file is damaged, or its layers are not the network's.
    """
    source, assumed = path.name, model is None
    version = "v1_0"
    if path.suffix == ".net":
        network = _network(model or version, imagenet.CLASSES, changes)
        classes = weight_files.han_classes(content, network)
        network, torch = dataclasses.replace(network, classes=classes), False
    else:
        weights, torch = weight_files.read(content, source)
        if not {"conv1", "conv10"} <= {*weights}:
            raise FormatError(f"{source}: has no layers conv1 and conv10; is it a SqueezeNet?")
        version = "v1_0" if len(weights["conv1"][0]) == 7 else "v1_1"
        network = _network(model or version, weights["conv10"][0].shape[3], changes)
        if graph := weight_files.operators(content, source):
            fixed = {**({"squeeze_relu": network.squeeze_relu} if model else {}), **changes}
            network, assumed = _follow_graph(network, graph, source, fixed), False
    weight_files.decode(content, network, source)
    return Pretrained(
        name=path.stem,
        assumed=_ASSUMED.format(source, version) if assumed else "",
        spec=network,
        file=path,
        preprocessing_at=torchvision if torch else caffe,
        image_size=224 if torch else 227,
    )


def _network(model: str, classes: int, changes: Mapping[str, Any]) -> SqueezeNetSpec:
    return specs.named(model, max(classes, 2), **{**changes, "normalization": "none"})


def _follow_graph(
    network: SqueezeNetSpec,
    operators: list[tuple[str, int]],
    source: str,
    changes: Mapping[str, Any],
) -> SqueezeNetSpec:
    """Return the network with what a file's graph tells; refuse the graph of another network."""
    found = Counter(kind for kind, _ in operators)
    additions = found["add"] + found["sum"] + found["eltwise"]
    modules = len(network.modules())
    squeeze_relu = found["relu"] > 1 + 2 * modules + 1
    told = {
        "bypass": "simple" if additions else "none",
        "squeeze_relu": squeeze_relu,
        "conv10_relu": found["relu"] == 2 + (3 if squeeze_relu else 2) * modules,
        "conv10_padding": ([0] + [n for kind, n in operators if kind.startswith("conv")])[-1],
    }
    try:
        network = dataclasses.replace(network, **{**told, **changes})
    except UsageError as error:
        raise FormatError(f"{source}: its graph is not a SqueezeNet's: {error}") from error
    relus = 1 + (3 if network.squeeze_relu else 2) * modules + network.conv10_relu
    bypasses = sum(module.bypass != "none" for module in network.modules())
    if (found["relu"], additions) != (relus, bypasses):
        raise FormatError(
            f"{source}: has {found['relu']} ReLUs and {additions} additions, the network {relus} "
            f"and {bypasses}; choose the weights' own network"
        )
    return network
