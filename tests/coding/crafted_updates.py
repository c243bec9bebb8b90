"""Updates to accept and to refuse, like `crafted`'s archives; docs/sqz.md, "Conformance"."""

from collections.abc import Callable

import numpy as np

from sqzkit.coding import container, streams, symbols, weights
from sqzkit.coding.archive import Archive, Base, Piece
from sqzkit.coding.symbols import Reference
from sqzkit.coding.weights import four_dimensions
from tests.coding.conftest import sparse_kernel
from tests.coding.crafted import TEXT, coded, floats, seal
from tests.coding.drafts import Draft, step

STORED, DEFLATE, MIXED, PLANES, WEIGHTS = range(5)
COUNT = np.arange(20)


def base_file() -> bytes:
    """Return the base of most updates: text, three tensors, integers of every width."""
    kernel, book = sparse_kernel((8, 3, 3, 12), 40), np.linspace(-1, 1, 9).astype("<f4")
    clustered = book[np.random.default_rng(41).integers(0, 9, (6, 40))]
    integers = (COUNT.astype(f"<i{width}").tobytes() for width in (1, 2, 4, 8))
    return b"".join((TEXT[:99], kernel.tobytes(), clustered.tobytes(), *integers, TEXT[99:300]))


KERNEL, CLUSTERED, INTEGERS = 99, 99 + 864, 99 + 864 + 960
LABELS = INTEGERS + 20 * 15


def kernel() -> np.ndarray:
    """Return the base's first tensor."""
    return np.frombuffer(base_file(), np.int8, 864, KERNEL).reshape(8, 3, 3, 12).copy()


def clustered() -> np.ndarray:
    """Return the base's second tensor."""
    return np.frombuffer(base_file(), "<f4", 240, CLUSTERED).reshape(6, 1, 1, 40).copy()


def moved(values: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return int8 values of which a share is one larger or smaller."""
    random = np.random.default_rng(seed)
    steps = random.choice([-1, 1], values.shape) * (random.random(values.shape) < share)
    return (values + steps).astype(np.int8)


def of_tensors(
    tensors: list[tuple[np.ndarray, Reference | None]], base: bytes, graph: bytes = b""
) -> Draft:
    """Return an update of tensors behind a graph, with references or without."""
    made, references = [], []
    for values, reference in tensors:
        shape = four_dimensions(values.shape)
        one = symbols.to_symbols(values.tobytes(), values.itemsize, shape)
        fields = one.tensor.shape, one.tensor.width, one.tensor.center, one.tensor.entries
        tensor = symbols.SymbolTensor(*fields, reference)
        made.append((tensor, one))
        references.append(symbols.reference_symbols(tensor, base))
    packed = weights.encode([one.symbols for _, one in made], references)
    books = b"".join(one.codebook for _, one in made)
    size = sum(values.nbytes for values, _ in tensors)
    listed = [STORED, len(graph), graph], [STORED, len(books), books], [WEIGHTS, size, packed]
    draft = Draft.of(
        Archive(
            container.UPDATE,
            len(graph) + size,
            b"",
            tuple(streams.Coded(method, 1, plain, content) for method, plain, content in listed),
            tuple(tensor for tensor, _ in made),
            (Piece(len(graph), size, 2),),
            Base.of(base),
        )
    )
    return draft.starting(base)


def whole(values: np.ndarray, offset: int) -> Reference:
    """Return the reference of a tensor whose base has the same shape, at `offset`."""
    inputs = values.shape[-1]
    return Reference(offset, inputs, ((0, inputs),))


def everything() -> Draft:
    """Return a small update that has something of everything."""
    base = base_file()
    codes = clustered() * np.float32(1.125)
    codes[0, 0, 0, :5] = 3.5
    draft = of_tensors(
        [
            (moved(kernel(), 0.05, 42), whole(kernel(), KERNEL)),
            (sparse_kernel((4, 30), 43), None),
            (codes, whole(codes, CLUSTERED)),
        ],
        base,
        TEXT[40:60],
    )
    changed = COUNT.astype("<i4")
    changed[3:6] = -1, 1 << 24, 5
    draft.streams.insert(1, coded(STORED, changed.tobytes()))
    draft.streams.insert(2, coded(STORED, floats(1, 2, 3)))
    at = INTEGERS + 20 * 3
    draft.pieces = [
        [10, 50, 5, 0],  # a copy at 10 of the base
        [5, 864, 4, 0],
        [0, 120, 4, 0],
        [0, 80, 1, 4, step(at - 1049)],  # a sum of 32-bit integers
        [0, 960, 4, 0],
        [5, 12, 2, 0],
        [0, 12, 0, 5, floats(0.5)],  # a product
        [0, 201, 5, step(LABELS - (at + 80 + 960 + 5 + 12 + 12))],
    ]
    draft.size = 20 + 50 + 864 + 120 + 80 + 960 + 12 + 12 + 201
    return draft


def accepted() -> dict[str, tuple[str, Draft]]:
    """Return by name updates that every decoder must read, each with the name of its base."""
    base = base_file()
    one, mixed = kernel(), clustered()
    rows = Reference(KERNEL, 12, ((3, 4), (0, 2), (3, 2), (10, 5)))
    twice = np.concatenate([one[..., 3:7], one[..., :2], one[..., 3:5], one[..., 10:12]], -1)
    twice = np.concatenate([moved(twice, 0.1, 45), sparse_kernel((8, 3, 3, 3), 46)], -1)
    part = Reference(KERNEL + 2 * 108, 12, ((0, 12),))
    unlike = sparse_kernel((8, 3, 3, 12), 47, 0.9)
    same = Draft(len(base), [coded(STORED, b"")], pieces=[[0, len(base), 1, 0]])
    nothing = Draft(0, [coded(STORED, b"")])
    zeros = Draft(300_000, [coded(STORED, b"")], pieces=[[0, 300_000, 1, 0]])
    unranked = np.concatenate([mixed[..., :20], mixed[..., :20] + np.float32(7)], -1)
    few = Reference(CLUSTERED, 40, ((0, 1), (50, 39)))
    return {
        "nothing_new": ("base", same.starting(base)),
        "to_nothing": ("base", nothing.starting(base)),
        "from_nothing": ("base_empty", of_tensors([(one, None)], b"")),
        "everything": ("base", everything()),
        "kernel_moved": ("base", of_tensors([(moved(one, 0.05, 44), whole(one, KERNEL))], base)),
        "kernel_unlike": ("base", of_tensors([(unlike, whole(one, KERNEL))], base)),
        "kernel_equal": ("base", of_tensors([(one, whole(one, KERNEL))], base, b"graph")),
        "kernel_one_more": (
            "base",
            of_tensors([(one.clip(-127, 126) + np.int8(1), whole(one, KERNEL))], base),
        ),
        "kernel_wraps": ("base", of_tensors([(~moved(one, 0.3, 48), whole(one, KERNEL))], base)),
        "outputs": (
            "base",
            of_tensors([(one[2:6], part), (one[:2], whole(one, KERNEL)), (unlike[:1], None)], base),
        ),
        "inputs": ("base", of_tensors([(twice, rows)], base)),
        "one_place": (
            "base",
            of_tensors([(one.reshape(72, 12)[:, :9], Reference(KERNEL, 12, ((0, 9),)))], base),
        ),
        "codebook": ("base", of_tensors([(unranked, whole(mixed, CLUSTERED))], base)),
        "codebook_of_few": ("base", of_tensors([(mixed, few)], base)),
        "codebook_int16": ("base", of_codes("<i2", 300)),
        "codebook_int64": ("base", of_codes("<i8", 100)),
        "interleaved": (
            "base",
            of_tensors([(one, None), (unlike, whole(one, KERNEL))] * 2, base),
        ),
        "sums": ("base", sums()),
        "steps": ("base", steps()),
        "zeros": ("base_zeros", zeros.starting(bytes(300_000))),
        "chained": ("everything", chained()),
    }


def of_codes(dtype: str, count: int) -> Draft:
    """Return an update of a codebook's tensor whose reference is where others lie in the base."""
    values = (7 * sparse_kernel((3, count), 49, 0.5)).astype(dtype)
    return of_tensors([(values, whole(values, 7))], base_file())


def sums() -> Draft:
    """Return an update of sums of every width, at odd places, that run over."""
    base, draft = base_file(), Draft(320, [coded(STORED, b"")])
    at = 0
    for number, width in enumerate((1, 2, 4, 8), 1):
        draft.streams.append(coded(STORED, np.random.default_rng(width).bytes(80)))
        draft.pieces.append([0, 80, number, width, step(INTEGERS + 7 * width - at)])
        at = INTEGERS + 7 * width + 80
    return draft.starting(base)


def steps() -> Draft:
    """Return an update of copies that go back, overlap, and are empty."""
    base = base_file()
    draft = Draft(0, [coded(STORED, b"between ")])
    at = 0
    for gap, place, length in ((0, 100, 30), (8, 90, 30), (0, 0, 5), (0, len(base), 0)):
        draft.pieces.append([gap, length, 1, step(place - at - gap)])
        at, draft.size = place + length, draft.size + gap + length
    return draft.starting(base)


def chained() -> Draft:
    """Return an update of what `everything` gives."""
    from sqzkit.coding import sqz

    base = sqz.unpack(everything().sealed(), base=base_file())
    values = np.frombuffer(base, np.int8, 864, 65).reshape(8, 3, 3, 12)
    return of_tensors([(moved(values, 0.02, 50), whole(values, 65))], base, b"again")


Edit = Callable[[Draft], None]
REFUSED: dict[str, tuple[Edit, str, str, str | None]] = {}


def refuse(word: str, rule: str, base: str | None = "base") -> Callable[[Edit], Edit]:
    """List an update that breaks one rule, an edit of `everything`, and the base to try."""

    def listed(edit: Edit) -> Edit:
        REFUSED[edit.__name__] = (edit, word, rule, base)
        return edit

    return listed


def refused() -> dict[str, tuple[bytes, str, str, str | None]]:
    """Return by name an archive for each rule, a word of the message, the rule, and the base."""
    made = {}
    for name, (edit, word, rule, base) in REFUSED.items():
        draft = everything()
        draft.sealed()
        edit(draft)
        made[name] = draft.write(), word, rule, base
    return made


@refuse("is an update of", "An update has a base.", None)
def base_missing(draft):
    pass


@refuse("the given base", "The base has the SHA-256 Base_SHA256.", "nothing_new")
def base_other(draft):
    draft.base = bytes(32) + draft.base[32:]


@refuse("the given base", "The base has Base_Size bytes.")
def base_size(draft):
    draft.base = draft.base[:32] + number(len(base_file()) + 1)


@refuse("the given base", "The base is the file, not a file with the same beginning.", "base_zeros")
def base_longer(draft):
    pass


@refuse("CRC-32", "The base's archive is whole.", "bad_cut_off")
def base_damaged(draft):
    pass


@refuse("is possible", "Base_Size is at most what the caller allows.")
def base_terabytes(draft):
    draft.base = draft.base[:32] + number(5 << 40)


@refuse("ends early", "Base_SHA256 has 32 bytes.")
def base_cut(draft):
    draft.base, draft.directory_sizes = draft.base[:5], [0, 0]
    draft.directory, draft.streams, draft.tail = b"", [], b""


@refuse("of the base", "A copy lies within the base.")
def copy_behind(draft):
    draft.pieces[7][3] -= 2  # a step back, one less


@refuse("of the base", "A copy lies within the base.")
def copy_before(draft):
    draft.pieces[0][3] = step(-11)


@refuse("of the base", "A place in the base is exact.")
def copy_wraps(draft):
    draft.pieces[0][3] = 1 << 62
    draft.pieces.insert(0, [0, 0, 5, 1 << 62])


@refuse("of the base", "A sum lies within the base.")
def sum_behind(draft):
    draft.pieces[3][4] = step(len(base_file()) - 79 - 1049)


@refuse("base's integers", "Sum_Width is 0, 1, 2, 4 or 8.")
def sum_width(draft):
    draft.pieces[3][3] = 5


@refuse("base's integers", "A sum's length is a multiple of its width.")
def sum_of_half_an_integer(draft):
    draft.pieces[5][3:] = [8, step(-1000)]


@refuse("at most 5", "Piece_Stream is at most Stream_Count in an update.")
def piece_without_stream(draft):
    draft.pieces[0][2] = 6


@refuse("names no piece", "A product's source is a piece that is not a product.")
def product_of_a_product(draft):
    draft.pieces[6][3] = 6


@refuse("not 20", "The pieces take each stream to its end.")
def copy_instead_of_a_stream(draft):
    draft.streams[0] = coded(STORED, TEXT[:45])


@refuse("outside the base", "A reference lies within the base.")
def reference_behind(draft):
    draft.tensors[0][7] = len(base_file()) - 864 + 2


@refuse("outside the base", "A reference lies within the base.")
def reference_too_wide(draft):
    draft.tensors[0][8] = 1 << 55


@refuse("outside the base", "Base_Inputs is at least 1.")
def reference_without_inputs(draft):
    draft.tensors[0][8] = 0


@refuse("reference not of 12 inputs", "The runs of a reference stand for all inputs.")
def runs_too_few(draft):
    draft.tensors[0][11] = 11


@refuse("reference not of 12 inputs", "The runs of a reference stand for no more than all inputs.")
def runs_too_many(draft):
    draft.tensors[0][9:] = [2, 0, 12, 3, 1]


@refuse("reference not of 12 inputs", "A run has at least one input.")
def run_of_nothing(draft):
    draft.tensors[0][9:] = [2, 0, 12, 3, 0]


@refuse("reference not of 12 inputs", "Sums of runs are exact.")
def runs_wrap(draft):
    draft.tensors[0][9:] = [5, *[0, 1 << 62] * 4, 0, 12]


@refuse("runs of inputs", "An archive has at most 4096 runs and one for each 256 weights.")
def runs_too_small(draft):
    draft.tensors[0][:4] = [1, 1, 1, 864]
    draft.tensors[1][:4] = [1, 1, 1, 120]
    draft.tensors[2][:4] = [1, 1, 1, 240]
    draft.tensors[0][7:] = [KERNEL + 1, 864, 5000, *[0, 1] * 5000]


@refuse("at most 65535", "All references together have at most 65,536 runs.")
def runs_65537(draft):
    draft.tensors[2][9:] = [65536, *[0, 1] * 65536]


@refuse(
    "in the base of a codebook",
    "A codebook's reference has at most 256 distinct elements.",
    "base_counting",
)
def reference_of_257(draft):
    draft.tensors = [[1, 1, 1, 257, 2, 0, 256, 1, 257, 1, 0, 257]]
    packed = weights.encode([np.zeros((1, 257), np.int8)])
    draft.streams = [coded(STORED, b""), coded(STORED, bytes(512)), [WEIGHTS, 1, 514]]
    draft.streams[2] += [len(packed), packed]
    draft.pieces, draft.size = [[0, 514, 2, 0]], 514
    seal(draft.starting(counting()), bytes(514))


@refuse("announce", "File_Size is at most 1024 (c + 64) + b.", "base_zeros")
def declared_file(draft):
    draft.streams, draft.tensors, draft.size = [coded(STORED, b"")], [], 600_000
    draft.pieces = [[0, 300_000, 1, 0], [0, 300_000, 1, step(-300_000)]]
    seal(draft.starting(bytes(300_000)), bytes(600_000))


@refuse("SHA-256", "What comes out has the SHA-256 of the header.")
def another_result(draft):
    draft.streams[0] = coded(STORED, TEXT[41:61])


@refuse("ends early", "An update's directory has an update's fields.")
def fields_of_a_file(draft):
    draft.pieces = [piece[:3] for piece in draft.pieces]
    draft.tensors = [tensor[:7] for tensor in draft.tensors]


def number(value: int) -> bytes:
    return container.varint.write(value)


def counting() -> bytes:
    """Return a base of as many values as a codebook may not have."""
    return np.arange(257, dtype="<i2").tobytes()
