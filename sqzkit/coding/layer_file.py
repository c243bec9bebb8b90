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
import math
from collections.abc import Mapping

import numpy as np

from sqzkit.base.errors import FormatError
from sqzkit.coding import bits, deep_compression, huffman, relative_index, varint

MAGIC = b"\x89SQL"
VERSION = 1
SUFFIX = ".layers"
CODINGS = ("sparse_floats", "deep_compression")
# Han et al. 2016, section 4: indices of 8 bits for convolutions, 5 for dense layers.
INDEX_BITS = {4: 8, 2: 5}
MAX_LAYERS, MAX_NAME, DIGEST = 1 << 12, 1 << 10, 32

Layers = dict[str, tuple[np.ndarray, np.ndarray]]

GAP_BITS = 8
FILLER = 1 << GAP_BITS  # symbol of a gap that ends at no weight
GAPS, EXPONENTS = FILLER + 1, 1 << 9


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
    for _ in range(reader.number(MAX_LAYERS)):
        name = _text(reader.bytes(reader.number(MAX_NAME)))
        number = reader.bytes(1)[0]
        if number >= len(CODINGS) or name in layers:
            raise FormatError(f"layer {name!r}: coding {number}, or there twice")
        decode = (decode_floats, deep_compression.decode_layer)[number]
        kernel = decode(reader.bytes(reader.number(len(body))))
        bias = np.frombuffer(reader.bytes(4 * reader.number(len(body))), "<f4")
        layers[name] = (kernel.astype(np.float32, copy=False), bias)
    reader.end()
    return layers


def encode_floats(kernel: np.ndarray) -> bytes:
    """Return a pruned float32 layer, of any shape, in few bytes for its zeros, without loss.

    Gaps between the weights that are left are Huffman coded, as in Deep Compression. Of a weight,
    sign and exponent (nine bits) are Huffman coded, too: pruned weights lie in a few powers of
    two. The 23 bits of the mantissa are noise and stay as they are. Negative zeros become zero.
    """
    flat = kernel.reshape(-1)
    gaps, entries = relative_index.encode((flat != 0).astype(np.uint8), GAP_BITS)
    symbols = np.where(entries == 0, FILLER, gaps.astype(np.int64))
    words = np.ascontiguousarray(flat[flat != 0], "<f4").view("<u4")
    parts = [
        huffman.encode(symbols, GAPS),
        huffman.encode((words >> 23).astype(np.int64), EXPONENTS),
        bits.pack((words >> 16) & 0x7F, 7),
        (words & 0xFFFF).astype("<u2").tobytes(),
    ]
    head = varint.write(kernel.ndim, *kernel.shape, len(words), *(len(part) for part in parts[:2]))
    return head + b"".join(parts)


def decode_floats(content: bytes, most: int = deep_compression.MAX_WEIGHTS) -> np.ndarray:
    """Return the layer that `encode_floats` took, float32.

    Args:
      content: the bytes of one layer.
      most: the largest legal number of weights.

    Raises:
      FormatError: damaged, cut off, or too large.
    """
    reader = varint.Reader(content, "the layer")
    shape = [reader.number(most) for _ in range(reader.number(8))]
    size = math.prod(shape)
    if size > most:
        raise FormatError(f"a layer of {size} weights: at most {most} are legal")
    count = reader.number(size)
    lengths = [reader.number(len(content)) for _ in range(2)]
    lengths += [bits.packed_size(count, 7), 2 * count]
    parts = [reader.bytes(length) for length in lengths]
    reader.end()
    words = np.frombuffer(parts[3], "<u2").astype(np.uint32)
    words |= bits.unpack(parts[2], count, 7).astype(np.uint32) << 16
    exponents = huffman.decode(parts[1], count)
    if len(exponents) != count:
        raise FormatError(f"{len(exponents)} exponents for {count} weights")
    words |= exponents.astype(np.uint32) << 23
    dense = np.zeros(size, np.float32)
    dense[_places(huffman.decode(parts[0], size), count, size)] = words.view(np.float32)
    return dense.reshape(shape)


def _places(symbols: np.ndarray, count: int, size: int) -> np.ndarray:
    """Return where the `count` weights stand in a layer of `size`."""
    stored = (symbols != FILLER).astype(np.uint8)
    gaps = np.where(stored, symbols, FILLER - 1).astype(np.uint8)
    places = np.flatnonzero(relative_index.decode(gaps, stored, size, GAP_BITS))
    if len(places) != count:
        raise FormatError(f"{len(places)} places for {count} weights")
    return places


def _encode(kernel: np.ndarray, coding: str) -> bytes:
    if coding == "sparse_floats":
        return encode_floats(kernel)
    return deep_compression.encode_layer(kernel, INDEX_BITS.get(kernel.ndim, 8))


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"a layer's name is not UTF-8: {error}") from None
