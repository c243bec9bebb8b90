"""Archives that `pack` does not write: odd ones to accept, and one to refuse for each rule.

docs/sqz.md lists both under "Conformance".
"""

import hashlib
import math
import struct
import zlib
from collections.abc import Callable

import numpy as np

from sqzkit.coding import codebook, han_net, net_archive, streams, symbols, weights
from sqzkit.coding.weights import four_dimensions
from tests.coding.drafts import Draft, long_number

STORED, DEFLATE, MIXED, PLANES, WEIGHTS = range(5)
TEXT = b"".join(b"odd line %d of the graph, %d\n" % (n, n * n) for n in range(40))


def coded(method: int, content: bytes, stride: int = 1) -> list:
    """Return a stream of a draft."""
    made = {
        STORED: lambda: content,
        DEFLATE: lambda: streams.deflate(content),
        MIXED: lambda: streams.mix(content, stride),
        PLANES: lambda: streams.deflate(streams.split_planes(content, stride)),
    }[method]()
    return [method, stride, len(content), len(made), made]


def base() -> Draft:
    """Return a small archive that has something of everything."""
    random = np.random.default_rng(5)
    scales = (random.random(4) + 0.5).astype("<f4")
    arrays = [
        np.round(random.laplace(0, 9, (4, 1, 1, 16))).astype(np.int8),
        np.array([-0.5, 0, 0.25], "<f4")[random.integers(0, 3, 64)],
    ]
    made = [symbols.to_symbols(a.tobytes(), a.itemsize, four_dimensions(a.shape)) for a in arrays]
    packed = weights.encode([one.symbols for one in made])
    draft = Draft(40 + 2 * 16 + 64 + 256, [coded(STORED, TEXT[:40])])
    draft.streams.append(coded(STORED, scales.tobytes()))
    draft.streams.append(coded(STORED, b"".join(one.codebook for one in made)))
    draft.streams.append([WEIGHTS, 1, 64 + 256, len(packed), packed])
    for one in made:
        tensor = one.tensor
        draft.tensors.append([*tensor.shape, tensor.width, tensor.center, tensor.entries])
    draft.pieces = [[10, 16, 1], [10, 16, 0, 0, floats(0.25)], [0, 64, 3], [10, 256, 3]]
    return draft


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def small_net() -> Draft:
    """Return an archive of a `.net` of three convolutions, with every kind of gap."""
    random = np.random.default_rng(6)
    layers = []
    for name, shape, kept in (
        ("gaps", (2, 3, 5, 7), (0, 16, 32, 64, 96, 97, 98, 209)),
        ("pruned", (4, 2, 1, 1), ()),
        ("dense", (3, 4, 1, 1), range(12)),
    ):
        convolution = han_net.Convolution(name, shape)
        kernel = np.zeros(convolution.size, np.float32)
        kernel[list(kept)] = random.integers(1, 9, len(kept)) / 4
        codes, short = codebook.encode(kernel.reshape(shape))
        book = np.zeros(256, np.float32)
        book[: len(short)] = short
        book[200:] = np.arange(56) - 60  # not in order: Han's codebooks are not
        bias = random.normal(0, 1, shape[0]).astype(np.float32)
        layers.append(han_net.HanLayer(convolution, codes, book, bias))
    return Draft.of(net_archive.archive_of(layers, han_net.write(layers)))


def accepted() -> dict[str, Draft]:
    """Return by name archives that every decoder must read, whether anybody writes them or not."""
    random = np.random.default_rng(7)
    doubles = np.cumsum(random.random(40)).tobytes() + b"left!"
    planes = Draft(len(doubles), [coded(PLANES, doubles[:160] + doubles[320:], 8)])
    planes.streams += [coded(PLANES, doubles[160:240] + b"abc", 4), coded(PLANES, doubles[240:], 2)]
    planes.size = sum(stream[2] for stream in planes.streams)
    planes.pieces = [[3, 83, 1], [1, 30, 2], [0, 55, 2]]
    mixed = Draft(4 * 325, [coded(MIXED, doubles, stride) for stride in (8, 4, 2, 1)])
    mixed.pieces = [[325, 325, 3], [0, 325, 2], [0, 325, 1]]
    empty = Draft(6, [coded(STORED, b"filled"), coded(DEFLATE, b""), coded(MIXED, b"")])
    empty.streams += [coded(PLANES, b"", 8), coded(STORED, b"")]
    empty.pieces = [[0, 0, 1], [3, 0, 0, 0, floats(2)], [0, 0, 2]]
    tiny = floats(1e-38, -3e-39, 0.0, -0.0, 1.4e-45, 3.4028235e38)
    products = Draft(72, [coded(STORED, b""), coded(STORED, tiny)])
    products.pieces = [[0, 24, 0, 1, floats(0.3)], [0, 24, 1], [0, 24, 0, 1, floats(-0.0)]]
    ahead = Draft(len(TEXT), [coded(MIXED, TEXT, 4)])
    ahead.streams[0][3:] = [len(ahead.streams[0][4]) + 1, ahead.streams[0][4] + b"\0"]
    broken = broken_matches()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_FIXED)
    blocks = packer.compress(TEXT[:500]) + packer.flush(zlib.Z_FULL_FLUSH)
    blocks += b"\0" + struct.pack("<HH", 7, 7 ^ 0xFFFF) + b"a block" + streams.deflate(TEXT[500:])
    whole = TEXT[:500] + b"a block" + TEXT[500:]
    several = Draft(len(whole), [[DEFLATE, 1, len(whole), len(blocks), blocks]])
    return {
        "example": example(),
        "everything": base(),
        "planes_left_over": planes,
        "mixed_strides": mixed,
        "empty_parts": empty,
        "odd_products": products,
        "code_ahead": ahead,
        "deflate_blocks": several,
        "net_small": small_net(),
        "mixing_weights_clamped": of_weights(nearly_zero()),
        "mixed_bytes_clamped": Draft(len(broken), [coded(MIXED, broken)]),
        "predictors_clamped": of_weights(fourfold()),
    }


def example() -> Draft:
    """Return the archive that docs/sqz.md traces: eight mixed bytes around six weights."""
    draft = of_weights(np.array([0, 3, 1, 0, -3, 3], np.int8).reshape(1, 1, 2, 3))
    draft.streams[0] = coded(MIXED, b"sqz: sqz")
    draft.pieces[0][0], draft.size = 5, 14
    return draft


def of_weights(values: np.ndarray) -> Draft:
    """Return an archive of one tensor (int8) and nothing else."""
    packed = weights.encode([values])
    draft = Draft(values.size, [coded(STORED, b""), coded(STORED, b"")])
    draft.streams.append([WEIGHTS, 1, values.size, len(packed), packed])
    draft.tensors = [[*values.shape, 1, 0, 0]]
    draft.pieces = [[0, values.size, 2]]
    return draft


def nearly_zero() -> np.ndarray:
    """Return zeros, then surprises: a mixer's weights grow to their bound and shrink again."""
    values = np.zeros((150, 1, 1, 12_000), np.int8)
    values[-2:] = np.random.default_rng(21).integers(0, 2, (2, 1, 1, 12_000))
    return values


def broken_matches() -> bytes:
    """Return zeros, then matches that end in surprises: mixing weights grow and shrink."""
    random = np.random.default_rng(23)
    known = random.bytes(40)
    ends = (known[start : start + 14] + random.bytes(1) for start in random.integers(0, 20, 1800))
    return bytes(150_000) + known + b"".join(ends)


def fourfold() -> np.ndarray:
    """Return kernels whose right place is four times the left: predictors reach their bound."""
    left = 31 * np.random.default_rng(22).choice([-1, 1], (300, 1, 1, 27))
    output, channel = np.ogrid[:300, :27]
    left *= ((output + channel) % 9 == 0)[:, None, None, :]
    return np.concatenate([left, 4 * left], axis=2).astype(np.int8)


Edit = Callable[[Draft], None]
REFUSED: dict[str, tuple[Edit, Callable[[], Draft], str, str]] = {}


def refuse(word: str, rule: str, start: Callable[[], Draft] = base) -> Callable[[Edit], Edit]:
    """List an archive that breaks one rule: an edit of a good one.

    Args:
      word: what both decoders' messages have.
      rule: what docs/sqz.md says.
      start: makes the good one.
    """

    def listed(edit: Edit) -> Edit:
        REFUSED[edit.__name__] = (edit, start, word, rule)
        return edit

    return listed


def refused() -> dict[str, tuple[bytes, str, str]]:
    """Return by name an archive for each rule, a word of the message, and the rule."""
    made = {}
    for name, (edit, start, word, rule) in REFUSED.items():
        draft = start()
        draft.sealed()
        edit(draft)
        made[name] = draft.write(), word, rule
    return made


def recode(draft: Draft, number: int, content: bytes) -> None:
    """Give a stream other coded bytes."""
    draft.streams[number][3:] = [len(content), content]


def seal(draft: Draft, content: bytes) -> None:
    """Give a draft the SHA-256 of what it holds, for decoders that miss the rule."""
    draft.digest = hashlib.sha256(content).digest()


def several(count: int = 1, stride: int = 1) -> Draft:
    """Return an archive of `count` mixed streams and a stored one."""
    draft = Draft(9, [coded(STORED, b"in stored")])
    for _ in range(count):
        draft.streams.append(coded(MIXED, TEXT[:99], stride))
        draft.pieces.append([0, 99, len(draft.pieces) + 1])
        draft.size += 99
    return draft


def deflated() -> Draft:
    """Return an archive of one deflated stream."""
    return Draft(len(TEXT), [coded(DEFLATE, TEXT)])


@refuse("header", "Reserved is zero.")
def reserved(draft):
    draft.reserved = 1


@refuse("header", "Kind is 0, 1 or 2.")
def kind(draft):
    draft.kind = 3


@refuse("header", "Version is at least 1.")
def version_0(draft):
    draft.version = 0


@refuse("ends early", "The directory has Directory_Size bytes and no fewer entries than it says.")
def directory_short(draft):
    draft.directory = draft.directory_bytes()[:-1]


@refuse("too many", "Nothing follows the last piece in the directory.")
def directory_long(draft):
    draft.directory = draft.directory_bytes() + b"\0"


@refuse("where announced", "The directory inflates to exactly Directory_Size bytes.")
def directory_size_more(draft):
    draft.directory_sizes[0] = len(draft.directory_bytes()) + 1


@refuse("where announced", "The directory inflates to exactly Directory_Size bytes.")
def directory_size_less(draft):
    draft.directory_sizes[0] = len(draft.directory_bytes()) - 1


@refuse("at most 1048576", "Directory_Size is at most 1,048,576.")
def directory_size_limit(draft):
    draft.directory = draft.directory_bytes() + bytes((1 << 20) + 1)


@refuse("more bytes than it needs", "A varint has no more bytes than it needs.")
def varint_not_minimal(draft):
    draft.pieces[0][0] = long_number(10, 2)


@refuse("more than nine bytes", "A varint has at most nine bytes.")
def varint_of_ten_bytes(draft):
    draft.pieces[0][0] = b"\xff" * 9 + b"\x01"


@refuse("too many", "The streams end where the archive does.")
def bytes_behind_the_streams(draft):
    draft.tail = b"\0"


@refuse("ends early", "The streams end where the archive does.")
def streams_cut_off(draft):
    draft.streams[3][3] += 1


@refuse("at most 64", "An archive has at most 64 streams.")
def streams_65(draft):
    draft.streams = [coded(STORED, b"") for _ in range(65)]


@refuse("at most 65536", "An archive has at most 65,536 tensors.")
def tensors_65537(draft):
    draft.counts[1] = 65537
    draft.tensors *= 32769


@refuse("no stream", "An archive of kind 0 has at least one stream.")
def streams_none(draft):
    draft.size, draft.streams, draft.tensors, draft.pieces = 0, [], [], []


@refuse("unknown method", "Method is one of 0..4.")
def method_5(draft):
    draft.streams[0][0] = 5


@refuse("elements of 2 bytes", "A stored stream has stride 1.")
def stored_stride(draft):
    draft.streams[0][1] = 2


@refuse("elements of 4 bytes", "A deflated stream has stride 1.", deflated)
def deflate_stride(draft):
    draft.streams[0][1] = 4


@refuse("elements of 3 bytes", "A mixed stream has stride 1, 2, 4 or 8.", several)
def mixed_stride(draft):
    draft.streams[1][1] = 3


@refuse("elements of 1 bytes", "A stream of planes has stride 2, 4 or 8.")
def planes_stride(draft):
    draft.streams[0] = coded(PLANES, TEXT[:40], 2)
    draft.streams[0][1] = 1


@refuse("elements of 2 bytes", "The weights stream has stride 1.")
def weights_stride(draft):
    draft.streams[3][1] = 2


@refuse("announce", "A stored stream is as long as it says.")
def stored_size(draft):
    draft.streams[0][2] += 1
    draft.size += 1


@refuse("where announced", "A deflated stream gives Plain_Size bytes.", deflated)
def deflate_shorter(draft):
    draft.streams[0][2] += 1
    draft.size += 1


@refuse("where announced", "A deflated stream gives Plain_Size bytes.", deflated)
def deflate_longer(draft):
    draft.streams[0][2] -= 1
    draft.size -= 1


@refuse("where announced", "A deflated stream ends with its coded bytes.", deflated)
def deflate_behind(draft):
    recode(draft, 0, draft.streams[0][4] + b"\0")


@refuse("where announced", "A deflated stream ends within its coded bytes.", deflated)
def deflate_cut(draft):
    recode(draft, 0, draft.streams[0][4][:-1])


@refuse("announce", "A deflated stream is at most 64 bytes longer than what it holds.", deflated)
def deflate_blocks_without_end(draft):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    blocks = b"".join(packer.flush(zlib.Z_FULL_FLUSH) for _ in range(20))
    blocks += b"".join(b"\0\0\0\xff\xff" for _ in range(len(TEXT) // 5 + 20))
    recode(draft, 0, blocks + streams.deflate(TEXT))


@refuse("announce", "All Plain_Size together are at most 1024 (c + 64).")
def declared_streams(draft):
    packed = weights.encode([np.zeros((1, 1, 1, 400_000), np.int8)])
    draft.streams = [coded(STORED, b""), coded(STORED, b"")]
    draft.streams.append([WEIGHTS, 1, 400_000, len(packed), packed])
    draft.tensors, draft.pieces = [[1, 1, 1, 400_000, 1, 0, 0]], [[0, 400_000, 2]]
    draft.size = 400_000
    seal(draft, bytes(400_000))


@refuse("announce", "File_Size is at most 1024 (c + 64).", several)
def declared_file(draft):
    draft.streams = [coded(STORED, b""), coded(STORED, bytes(400))]
    draft.size = 400 * 4097
    draft.pieces = [[0, 400, 1], *[[0, 400, 0, 0, floats(1)]] * 4096]
    seal(draft, bytes(draft.size))


@refuse("at most 196608", "A mixed stream has at most 196,608 bytes.", several)
def mixed_size(draft):
    draft.streams, draft.size = [coded(STORED, bytes(300)), coded(MIXED, bytes(196_609))], 196_909
    draft.pieces = [[300, 196_609, 1]]
    seal(draft, bytes(196_909))


@refuse("mixed", "Mixed streams have at most 196,608 bytes and a sixteenth of all.", several)
def mixed_sizes(draft):
    zeros = coded(MIXED, bytes(120_000))
    draft.streams = [coded(STORED, bytes(500)), zeros, zeros]
    draft.pieces, draft.size = [[500, 120_000, 1], [0, 120_000, 2]], 240_500
    seal(draft, bytes(240_500))


@refuse("FF FF FF FF", "A coded stream does not begin with FF FF FF FF.", several)
def mixed_code_too_large(draft):
    recode(draft, 1, b"\xff" * 4 + draft.streams[1][4][4:])


@refuse("FF FF FF FF", "A coded stream does not begin with FF FF FF FF.")
def weights_code_too_large(draft):
    recode(draft, 3, b"\xff" * 4 + draft.streams[3][4][4:])


@refuse("than it needs", "A coded stream has no byte that its decoder does not come to.", several)
def mixed_bytes_unread(draft):
    recode(draft, 1, draft.streams[1][4] + bytes(5))


@refuse("than it needs", "A coded stream has no byte that its decoder does not come to.")
def weights_bytes_unread(draft):
    recode(draft, 3, draft.streams[3][4] + bytes(5))


@refuse("announced", "A mixed stream's Coded_Size is at most 2 Plain_Size + 64.", several)
def mixed_coded_size(draft):
    recode(draft, 1, draft.streams[1][4].ljust(2 * 99 + 65, b"\0"))


@refuse("for 128 weights", "The weights' Coded_Size is at most 2 weights + 400 Tensor_Count + 64.")
def weights_coded_size(draft):
    recode(draft, 3, draft.streams[3][4].ljust(2 * 128 + 400 * 2 + 65, b"\0"))


@refuse("weights streams for", "An archive has one weights stream if it has tensors.")
def weights_twice(draft):
    draft.streams.append([*draft.streams[3]])


@refuse("weights streams for", "An archive has one weights stream if it has tensors.")
def weights_missing(draft):
    draft.streams[3] = coded(STORED, bytes(320))


@refuse("weights streams for", "An archive has no weights stream if it has no tensor.")
def tensors_missing(draft):
    draft.tensors = []


@refuse("stream of their own", "The weights stream is at least number 2, behind the codebooks.")
def weights_number_1(draft):
    del draft.streams[1:3]
    draft.tensors = [[4, 1, 1, 80, 1, 0, 0]]
    draft.pieces = [[10, 320, 1]]
    draft.size = 360


@refuse("weights stream of", "The weights stream's Plain_Size is that of its tensors.")
def weights_size(draft):
    draft.tensors[0][3] = 15


@refuse("tensor", "Products of sides are exact.")
def sides_wrap(draft):
    draft.tensors[0][1:3] = (1 << 29) - (1 << 15) + 1, (1 << 29) + (1 << 15) + 1
    assert math.prod(draft.tensors[0][:4]) == (1 << 64) + 64  # 64 again in a 64-bit register


@refuse("at most", "Sums of Plain_Size are exact.")
def plain_sizes_wrap(draft):
    for number in range(4, 8):  # the pieces' lengths wrap, too
        draft.streams.append([DEFLATE, 1, 1 << 62, *coded(DEFLATE, b"")[3:]])
        draft.pieces.append([0, 1 << 62, number])


@refuse("archive's", "Sums of gaps and lengths are exact.")
def gaps_wrap(draft):
    draft.pieces += [[1 << 62, 0, 1]] * 4


@refuse("a tensor ", "A tensor's sides are at least 1.")
def tensor_side_0(draft):
    draft.tensors[0][3] = 0


@refuse("elements of 3 bytes", "Element_Width is 1, 2, 4 or 8.")
def tensor_width(draft):
    draft.tensors[1][4] = 3


@refuse("codebook entries", "Entry_Count is 0 if Element_Width is 1.")
def codebook_for_bytes(draft):
    draft.tensors[0][6] = 3


@refuse("codebook entries", "Entry_Count is at least 1 if Element_Width is not 1.")
def codebook_missing(draft):
    draft.tensors[1][6] = 0


@refuse("at most 256", "Entry_Count is at most 256.")
def codebook_of_257(draft):
    draft.tensors[1][6] = 257


@refuse("outside its codebook", "A weight names an entry of its codebook.")
def codebook_entry_missing(draft):
    draft.tensors[1][5] = 2


@refuse("not 12", "The codebooks take the whole stream before the weights.")
def codebooks_left_over(draft):
    draft.streams[2] = coded(STORED, draft.streams[2][4] + b"more")


@refuse("stream of their own", "No piece takes from the codebooks' stream.")
def codebooks_in_a_piece(draft):
    draft.pieces.append([0, 0, 2])


@refuse("are larger than its file", "The codebooks are not larger than the file.")
def codebooks_too_large(draft):
    draft.tensors[1][4:] = [8, 0, 256]
    draft.streams[2] = coded(STORED, bytes(2048))
    draft.streams[3][2] = 64 + 64 * 8
    draft.pieces[3][1], draft.size = 512, draft.size + 256


@refuse("no value", "A tensor uses at least one value.")
def tensor_without_values(draft):
    recode(draft, 3, b"\xff\xff\xff\xfe" + b"\xff" * 60)


@refuse("tensors with only", "An archive has at most 4096 tensors and one for each 256 weights.")
def tensors_too_small(draft):
    draft.tensors = [[1, 1, 1, 1, 1, 0, 0]] * 4200
    packed = weights.encode([np.zeros((1, 1, 1, 1), np.int8)] * 4200)
    draft.streams = [
        coded(STORED, b""),
        coded(STORED, b""),
        [WEIGHTS, 1, 4200, len(packed), packed],
    ]
    draft.pieces, draft.size = [[0, 4200, 2]], 4200
    seal(draft, bytes(4200))


@refuse("pieces in a file", "An archive has at most 4096 pieces and one for each 64 bytes.")
def pieces_too_small(draft):
    draft.pieces += [[0, 0, 1]] * 4200


@refuse("not 16", "The pieces take each stream to its end.")
def bytes_unused(draft):
    draft.streams[1] = coded(STORED, draft.streams[1][4] * 2)


@refuse("not 41", "The pieces take no more from a stream than it has.")
def bytes_missing(draft):
    draft.size += 1


@refuse("end at", "The pieces end within the file.")
def pieces_beyond_the_file(draft):
    draft.size = 300


@refuse("at most 3", "Piece_Stream is the number of a stream.")
def piece_without_stream(draft):
    draft.pieces[2][2] = 4


@refuse("product", "A product's source is a piece.")
def product_of_nothing(draft):
    draft.pieces[1][3] = 4


@refuse("product", "A product's source is not a product.")
def product_of_a_product(draft):
    draft.pieces[1][3] = 1


@refuse("product", "A product is as long as its source.")
def product_of_another_length(draft):
    draft.pieces[1][3] = 2


@refuse("product", "A product's length is a multiple of 4.")
def product_of_half_a_float(draft):
    draft.pieces[0][1] = draft.pieces[1][1] = 14
    draft.pieces[2][0] += 4


@refuse("product", "A product's factor is finite.")
def product_with_nan(draft):
    draft.pieces[1][4] = floats(float("nan"))


@refuse("product", "A product's factor is finite.")
def product_with_infinity(draft):
    draft.pieces[1][4] = floats(float("-inf"))


@refuse("not finite", "Each product is finite.")
def product_overflows(draft):
    draft.pieces[1][4] = floats(3.4e38)


@refuse("not finite", "Each product is finite.")
def product_of_nan(draft):
    recode(draft, 1, floats(1, 2, float("nan"), 4))


@refuse("SHA-256", "What comes out has the SHA-256 of the header.")
def another_result(draft):
    recode(draft, 0, b"another graph".ljust(40))


@refuse("make a .net", "An archive of kind 1 has four streams, the last of weights.", small_net)
def net_streams(draft):
    draft.streams.insert(0, coded(STORED, b""))


@refuse(".net", "An archive of kind 1 has no pieces.", small_net)
def net_pieces(draft):
    draft.pieces.append([0, 0, 1])


@refuse(".net", "An archive of kind 1 has at least one tensor.", small_net)
def net_empty(draft):
    draft.tensors, draft.streams = [], [coded(STORED, b"") for _ in range(4)]
    draft.size = 0


@refuse(".net", "Tensors of kind 1 have elements of one byte.", small_net)
def net_codebooks(draft):
    draft.tensors[0][4:] = [2, 0, 9]
    draft.streams[3][2] += 210


@refuse("make a .net", "Streams of kind 1 have the sizes that follow from the tensors.", small_net)
def net_biases(draft):
    draft.streams[2] = coded(STORED, bytes(4 * 9 + 1))


@refuse("weights", "Tensors of kind 1 have at most 4,194,304 weights.", small_net)
def net_weights(draft):
    draft.tensors.append([2048, 1, 1, 2048, 1, 0, 0])
    draft.streams[0] = coded(STORED, bytes(4096))
    draft.streams[1] = coded(STORED, bytes(1024))
    draft.streams[2] = coded(STORED, bytes(4 * (9 + 2048)))
    draft.streams[3][2] += 1 << 22


@refuse("rank twice", "The digits of an order name each rank once.", small_net)
def net_order(draft):
    draft.streams[1] = coded(STORED, bytes(255) + b"\x01" + bytes(512))


@refuse(".net file", "The file of kind 1 has File_Size bytes.", small_net)
def net_longer(draft):
    draft.size -= 1


@refuse(".net file", "The file of kind 1 has File_Size bytes.", small_net)
def net_shorter(draft):
    draft.size += 1
