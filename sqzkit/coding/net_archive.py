"""Han's `.net` inside a `.sqz`, byte for byte.

Three streams and the weights: the codebooks in ascending order, where each
entry stood in the file, the biases, and every weight as its codebook rank,
counted from zero's. Counts and relative indices follow from the weights.
"""

from collections.abc import Sequence

import numpy as np

from sqzkit.base.errors import FormatError
from sqzkit.coding import han_net, streams, weights
from sqzkit.coding.archive import NET, Archive
from sqzkit.coding.han_net import ENTRIES, Convolution, HanLayer
from sqzkit.coding.symbols import SymbolTensor

BOOKS, ORDERS, BIASES, WEIGHTS = range(4)


def to_archive(content: bytes) -> Archive | None:
    """Return the archive of a `.net` of SqueezeNet v1.0, None of anything else."""
    try:
        layers = han_net.read(content)
    except FormatError:
        return None
    return archive_of(layers, content) if han_net.write(layers) == content else None


def archive_of(layers: Sequence[HanLayer], content: bytes) -> Archive:
    """Return the archive of `layers`, whose file is `content`."""
    books, orders, tensors, symbols = [], [], [], []
    for layer in layers:
        order = np.argsort(layer.codebook, kind="stable").astype(np.uint8)
        rank = np.argsort(order, kind="stable")
        center = int(rank[0])
        outputs, inputs, height, width = layer.convolution.shape
        ranks = rank.astype(np.uint8)[layer.codes].transpose(0, 2, 3, 1) - np.uint8(center)
        books.append(layer.codebook[order].astype("<f4").tobytes())
        orders.append(bytes(to_digits(order)))
        tensors.append(SymbolTensor((outputs, height, width, inputs), 1, center))
        symbols.append(ranks.view(np.int8))
    biases = b"".join(layer.bias.astype("<f4").tobytes() for layer in layers)
    coded = [
        streams.encode(b"".join(books), 4),
        streams.encode(b"".join(orders)),
        streams.encode(biases, 4),
        streams.Coded(
            streams.WEIGHTS, 1, sum(tensor.size for tensor in tensors), weights.encode(symbols)
        ),
    ]
    return Archive.of(NET, content, coded, tensors)


def from_archive(parts: Archive, plain: Sequence[streams.Buffer]) -> bytes:
    """Return the `.net` of an archive whose streams decode to `plain`."""
    biases, ranks, layers = plain[BIASES], np.frombuffer(plain[WEIGHTS], np.uint8), []
    for number, tensor in enumerate(parts.tensors):
        outputs, height, width, inputs = tensor.shape
        order = from_digits(bytes(plain[ORDERS][ENTRIES * number : ENTRIES * (number + 1)]))
        book = np.zeros(ENTRIES, "<f4")
        book[order] = np.frombuffer(plain[BOOKS], "<f4", ENTRIES, 4 * ENTRIES * number)
        own, ranks = ranks[: tensor.size], ranks[tensor.size :]
        bias, biases = biases[: 4 * outputs], biases[4 * outputs :]
        codes = order[own].reshape(tensor.shape).transpose(0, 3, 1, 2)
        convolution = Convolution(str(number), (outputs, inputs, height, width))
        layers.append(HanLayer(convolution, codes, book, np.frombuffer(bias, "<f4")))
    content = han_net.write(layers)
    if len(content) != parts.size:
        raise FormatError(f"the archive's .net file has {len(content)} bytes, not {parts.size}")
    return content


def to_digits(order: np.ndarray) -> list[int]:
    """Return for each code in turn its rank among the ranks not yet taken.

    `order` is the code of each rank, a permutation of 0..255. Han's codebooks are ascending runs
    with others between them, so most digits are 0.
    """
    left, digits = list(range(len(order))), []
    for rank in np.argsort(order).tolist():
        digits.append(left.index(rank))
        left.pop(digits[-1])
    return digits


def from_digits(digits: bytes) -> np.ndarray:
    """Undo `to_digits`: uint8 [256]."""
    left = list(range(len(digits)))
    order = np.zeros(len(digits), np.uint8)
    for code, digit in enumerate(digits):
        if digit >= len(left):
            raise FormatError("the order of a codebook names a rank twice")
        order[left.pop(digit)] = code
    return order
