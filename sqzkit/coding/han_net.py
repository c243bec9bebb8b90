"""Song Han's `.net`: the published file of the Deep Compressed SqueezeNet.

After 32-bit counts of entries, one for each convolution in the prototxt's
order, each convolution is 256 float32 of codebook (the first is zero), its
float32 biases, one byte of code for each entry, and 4-bit relative indices,
low nibble first; kernels lie flat as output, input, height, width. The file
does not say what network it is: reader and writer are told the layers.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from sqzkit.base.errors import FormatError, UsageError
from sqzkit.coding import bits, codebook, relative_index

ENTRIES = 256
INDEX_BITS = 4


@dataclasses.dataclass(frozen=True)
class Convolution:
    """A layer's name and kernel shape: outputs, inputs, height, width."""

    name: str
    shape: tuple[int, int, int, int]

    @property
    def size(self) -> int:
        """Weights of the kernel."""
        outputs, inputs, height, width = self.shape
        return outputs * inputs * height * width


@dataclasses.dataclass(frozen=True)
class HanLayer:
    """A convolution's content.

    Attributes:
      convolution: its name and shape.
      codes: uint8 [outputs, inputs, height, width], 0 = pruned.
      codebook: float32 [256], the first 0.
      bias: float32 [outputs].
    """

    convolution: Convolution
    codes: np.ndarray
    codebook: np.ndarray
    bias: np.ndarray

    @property
    def kernel(self) -> np.ndarray:
        """The weights: float32 [outputs, inputs, height, width]."""
        return self.codebook[self.codes]


def squeezenet_v1_0() -> tuple[Convolution, ...]:
    """Return the convolutions of the published file, with Caffe's names."""
    squeeze, expand = (16, 16, 32, 32, 48, 48, 64, 64), (64, 64, 128, 128, 192, 192, 256, 256)
    found, inputs = [Convolution("conv1", (96, 3, 7, 7))], 96
    for number, (narrow, wide) in enumerate(zip(squeeze, expand, strict=True), 2):
        found += [
            Convolution(f"fire{number}/squeeze1x1", (narrow, inputs, 1, 1)),
            Convolution(f"fire{number}/expand1x1", (wide, narrow, 1, 1)),
            Convolution(f"fire{number}/expand3x3", (wide, narrow, 3, 3)),
        ]
        inputs = 2 * wide
    return (*found, Convolution("conv10", (1000, inputs, 1, 1)))


def read(content: bytes, convolutions: Sequence[Convolution] | None = None) -> list[HanLayer]:
    """Return the layers of a `.net`.

    Args:
      content: the whole file.
      convolutions: of the network, in the file's order (default: SqueezeNet
        v1.0 with 1000 classes).

    Raises:
      FormatError: the bytes are not exactly such a file: cut off, longer, or
        with entries no encoder writes. A changed code or float is a legal
        file of other weights: compare a SHA-256.
    """
    convolutions = convolutions or squeezenet_v1_0()
    if len(content) < 4 * len(convolutions):
        raise FormatError(f".net file of {len(content)} bytes: cut off within its counts")
    counts = np.frombuffer(content, "<u4", len(convolutions))
    needed = expected_size(convolutions, counts)
    if len(content) != needed:
        raise FormatError(
            f".net file of {len(content)} bytes where its counts need {needed}: it is cut off, "
            "longer than it should be, damaged, or of another network"
        )
    layers, at = [], 4 * len(convolutions)
    for convolution, count in zip(convolutions, counts.tolist(), strict=True):
        try:
            layers.append(_read_layer(content, at, convolution, count))
        except FormatError as error:
            raise FormatError(f".net file, layer {convolution.name}: {error}") from None
        at += _layer_size(convolution, count)
    return layers


def write(layers: Sequence[HanLayer]) -> bytes:
    """Return the file of `layers`; of what `read` returned, the same bytes."""
    counts, parts = [], []
    for layer in layers:
        gaps, codes = relative_index.encode(layer.codes.reshape(-1), INDEX_BITS)
        counts.append(len(codes))
        parts += [
            layer.codebook.astype("<f4").tobytes(),
            layer.bias.astype("<f4").tobytes(),
            codes.astype(np.uint8).tobytes(),
            bits.pack(gaps, INDEX_BITS),
        ]
    return np.array(counts, "<u4").tobytes() + b"".join(parts)


def from_weights(weights: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> list[HanLayer]:
    """Return a clustered network as Han's file holds it.

    In the file's order, kernels are float32 [height, width, inputs, outputs] (Keras) and biases
    float32 [outputs].

    Raises:
      UsageError: a kernel has more than 255 distinct values beside zero.
    """
    layers = []
    for name, (kernel, bias) in weights.items():
        caffe = np.ascontiguousarray(np.asarray(kernel, np.float32).transpose(3, 2, 0, 1))
        if caffe.shape[0] != len(bias):
            raise UsageError(f"{name} has {caffe.shape[0]} outputs and {len(bias)} biases")
        codes, short = codebook.encode(caffe, name)
        book = np.zeros(ENTRIES, np.float32)
        book[: len(short)] = short
        layers.append(
            HanLayer(Convolution(name, caffe.shape), codes, book, np.asarray(bias, np.float32))
        )
    return layers


def to_weights(layers: Sequence[HanLayer]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return by layer the kernel [height, width, inputs, outputs] and the bias, float32."""
    return {
        layer.convolution.name: (layer.kernel.transpose(2, 3, 1, 0), layer.bias) for layer in layers
    }


def expected_size(convolutions: Sequence[Convolution], counts: np.ndarray) -> int:
    """Return the bytes of a file with these `counts` of entries."""
    return 4 * len(counts) + sum(map(_layer_size, convolutions, counts.tolist()))


def _layer_size(convolution: Convolution, count: int) -> int:
    return 4 * (ENTRIES + convolution.shape[0]) + count + bits.packed_size(count, INDEX_BITS)


def _read_layer(content: bytes, at: int, convolution: Convolution, count: int) -> HanLayer:
    if count > convolution.size:
        raise FormatError(f"{count} entries for {convolution.size} weights")
    outputs = convolution.shape[0]
    book = np.frombuffer(content, "<f4", ENTRIES, at)
    if content[at : at + 4] != bytes(4):
        raise FormatError("the codebook's first entry is not zero")
    at += 4 * ENTRIES
    bias = np.frombuffer(content, "<f4", outputs, at)
    at += 4 * outputs
    entries = np.frombuffer(content, np.uint8, count, at)
    at += count
    packed = content[at : at + bits.packed_size(count, INDEX_BITS)]
    gaps = bits.unpack(packed, count, INDEX_BITS)
    codes = relative_index.decode(gaps, entries, convolution.size, INDEX_BITS)
    return HanLayer(convolution, codes.reshape(convolution.shape), book, bias)
