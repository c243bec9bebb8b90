"""Read the weights of a `.caffemodel` file, without Caffe.

A `.caffemodel` is one serialized protocol buffer. Only the fields needed here
are described (numbers from Caffe's public `caffe.proto`); all others are
skipped, and nothing in the file is executed:

    NetParameter      2 layers (V1LayerParameter), 100 layer (LayerParameter)
    LayerParameter    1 name, 2 type, 7 blobs, 106 convolution_param
    ConvolutionParameter  3 pad
    V1LayerParameter  4 name, 6 blobs
    BlobProto         1..4 num, channels, height, width (old), 5 data, 7 shape
    BlobShape         1 dim
"""

import functools
import math
from typing import Any

import numpy as np

from sqzkit.base.errors import FormatError
from sqzkit.models import protobuf
from sqzkit.models.protobuf import BYTES, FLOAT, INT32, INT64

MAX_BYTES = 16 << 20  # the published files have 5 MB
MAX_LAYERS = 4096
MAX_BLOBS = 16

_MESSAGES: protobuf.Messages = {
    "BlobShape": (("dim", 1, INT64, True),),
    "BlobProto": (
        ("num", 1, INT32, False),
        ("channels", 2, INT32, False),
        ("height", 3, INT32, False),
        ("width", 4, INT32, False),
        ("data", 5, FLOAT, True),
        ("shape", 7, "BlobShape", False),
    ),
    "ConvolutionParameter": (("pad", 3, INT32, True),),
    "LayerParameter": (
        ("name", 1, BYTES, False),
        ("type", 2, BYTES, False),
        ("blobs", 7, "BlobProto", True),
        ("convolution_param", 106, "ConvolutionParameter", False),
    ),
    "V1LayerParameter": (("name", 4, BYTES, False), ("blobs", 6, "BlobProto", True)),
    "NetParameter": (
        ("layers", 2, "V1LayerParameter", True),
        ("layer", 100, "LayerParameter", True),
    ),
}


def read(content: bytes, source: str) -> dict[str, list[np.ndarray]]:
    """Return the blobs of each layer that has any, by layer name.

    Args:
      content: the file.
      source: its name, for messages.

    Returns:
      float32 arrays, in the layer's order (kernel OIHW, then bias).

    Raises:
      FormatError: the file is damaged, too large, or has no weights.
    """
    net = protobuf.parse(message_class("NetParameter"), content, source, "a Caffe model", MAX_BYTES)
    count = len(net.layer) + len(net.layers)
    if count > MAX_LAYERS:
        raise FormatError(f"{source}: {count} layers, more than {MAX_LAYERS}")
    weights = {}
    for layer in (*net.layer, *net.layers):
        if len(layer.blobs) > MAX_BLOBS:
            raise FormatError(f"{source}: a layer of {len(layer.blobs)} blobs")
        if layer.blobs:
            name = protobuf.text(layer.name, source)
            if name in weights:
                raise FormatError(f"{source}: two layers with weights are named {name!r}")
            weights[name] = [_blob_array(blob, f"{source}: {name}") for blob in layer.blobs]
    if not weights:
        raise FormatError(f"{source}: no layer has weights; is it a .caffemodel?")
    return weights


def operators(content: bytes, source: str) -> list[tuple[str, int]]:
    """Return type and padding of each layer in order; nothing of files of the old layout."""
    net = protobuf.parse(message_class("NetParameter"), content, source, "a Caffe model", MAX_BYTES)
    return [
        (protobuf.text(layer.type, source), max(layer.convolution_param.pad[:2], default=0))
        for layer in net.layer[:MAX_LAYERS]
    ]


def convolutions(
    blobs: dict[str, list[np.ndarray]], source: str
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return kernel and bias of each convolution in TensorFlow's layout.

    Args:
      blobs: what `read` returned.
      source: the file's name, for messages.

    Returns:
      By layer name: kernel float32 [height, width, inputs, filters] and bias
      float32 [filters].

    Raises:
      FormatError: a layer is not a convolution with a bias.
    """
    result = {}
    for name, arrays in blobs.items():
        if len(arrays) != 2 or arrays[0].ndim != 4 or arrays[1].size != arrays[0].shape[0]:
            shapes = ", ".join(str(array.shape) for array in arrays)
            raise FormatError(f"{source}: {name}: not a convolution with a bias (blobs {shapes})")
        kernel, bias = arrays
        result[name] = (np.ascontiguousarray(kernel.transpose(2, 3, 1, 0)), bias.reshape(-1))
    return result


@functools.cache
def message_class(name: str) -> Any:
    """Return the protocol buffer class of a message, such as "NetParameter"."""
    return protobuf.message_classes("sqzkit.caffe", _MESSAGES)[name]


def _blob_array(blob: Any, place: str) -> np.ndarray:
    if blob.HasField("shape"):
        shape = tuple(blob.shape.dim[:9])  # hostile files list millions
    else:
        shape = (blob.num, blob.channels, blob.height, blob.width)
    if not 1 <= len(shape) <= 4 or min(shape) < 1 or math.prod(shape) != len(blob.data):
        shown = f"({', '.join(map(str, shape[:8]))}{', ...' if len(shape) > 8 else ''})"
        raise FormatError(f"{place}: shape {shown} does not fit its {len(blob.data)} values")
    array = np.array(blob.data, np.float32).reshape(shape)
    if not np.isfinite(array).all():
        raise FormatError(f"{place}: has values that are not finite")
    return array
