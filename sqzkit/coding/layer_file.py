"""A whole network as one file, each layer coded for itself.

    89 "SQL"   magic
    1 byte     version
    varint     number of layers; of each layer
      varint     length of its name, the name in UTF-8
      1 byte     coding of the kernel: 0 sparse floats, 1 Deep Compression
      varint     length of the coded kernel, the kernel
      varint     number of biases, the biases as float32
    32 bytes   SHA-256 of all before

`sqzkit.coding.sqz` holds a `.tflite` that a phone runs; this holds the layers as
Han et al. count them, pruned (2015) or pruned, shared and Huffman coded (2016).
"""

import hashlib
from collections.abc import Callable, Mapping

import numpy as np

from sqzkit.base.errors import FormatError
from sqzkit.coding import deep_compression, sparse_floats, varint

MAGIC = b"\x89SQL"
VERSION = 1
SUFFIX = ".layers"
CODINGS = ("sparse_floats", "deep_compression")
# Han et al. 2016, section 4: indices of 8 bits for convolutions, 5 for dense layers.
INDEX_BITS = {4: 8, 2: 5}
MOST_LAYERS, MOST_NAME, DIGEST = 1 << 12, 1 << 10, 32

Layers = dict[str, tuple[np.ndarray, np.ndarray]]
_DECODERS: tuple[Callable[[bytes], np.ndarray], ...] = (
    sparse_floats.decode_layer,
    deep_compression.decode_layer,
)


def write(layers: Mapping[str, tuple[np.ndarray, np.ndarray]], coding: str) -> bytes:
    """Return the file of a network.

    Args:
      layers: by name, in the network's order: kernel float32 of any shape, and
        biases float32 [outputs], or [0] for none.
      coding: one of `CODINGS`.

    Raises:
      UsageError: "deep_compression" of a kernel that is not clustered.
    """
    number = CODINGS.index(coding)
    body = MAGIC + bytes([VERSION]) + varint.write(len(layers))
    parts = [body]
    for name, (kernel, bias) in layers.items():
        coded = _encode(np.asarray(kernel, np.float32), coding)
        text = name.encode()
        parts += [varint.write(len(text)), text, bytes([number]), varint.write(len(coded)), coded]
        parts += [varint.write(len(bias)), np.asarray(bias, "<f4").tobytes()]
    content = b"".join(parts)
    return content + hashlib.sha256(content).digest()


def read(content: bytes) -> Layers:
    """Return the layers `write` took: kernels and biases, float32.

    Raises:
      FormatError: not such a file, damaged, or cut off.
    """
    if content[:4] != MAGIC or len(content) < len(MAGIC) + DIGEST:
        raise FormatError("not a file of layers")
    body, digest = content[:-DIGEST], content[-DIGEST:]
    if hashlib.sha256(body).digest() != digest:
        raise FormatError("the file of layers is damaged: its SHA-256 is another")
    reader = varint.Reader(body, "the file of layers")
    version = reader.bytes(5)[4]
    if version != VERSION:
        raise FormatError(f"a file of layers of version {version}; this reads {VERSION}")
    layers: Layers = {}
    for _ in range(reader.number(MOST_LAYERS)):
        name = _text(reader.bytes(reader.number(MOST_NAME)))
        number = reader.bytes(1)[0]
        if number >= len(CODINGS) or name in layers:
            raise FormatError(f"layer {name!r}: coding {number}, or there twice")
        kernel = _DECODERS[number](reader.bytes(reader.number(len(body))))
        bias = np.frombuffer(reader.bytes(4 * reader.number(len(body))), "<f4")
        layers[name] = (kernel.astype(np.float32, copy=False), bias)
    reader.end()
    return layers


def _encode(kernel: np.ndarray, coding: str) -> bytes:
    if coding == "sparse_floats":
        return sparse_floats.encode_layer(kernel)
    return deep_compression.encode_layer(kernel, INDEX_BITS.get(kernel.ndim, 8))


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"a layer's name is no UTF-8: {error}") from None
