"""Mutants of archives that know the format: both decoders must say the same of each.

    python -m tests.coding.mutants --count=20000
    python -m tests.coding.mutants --count=20000 --updates

Damages lists, numbers, streams and their coded bytes, then makes right what
would end the decoding early (CRC-32, mostly also SHA-256), so that most
mutants get deep into the decoders.
"""

import argparse
import hashlib
import json
import random
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

from benchmarks.java_decoder import JavaDecoder
from sqzkit.base.errors import FormatError
from sqzkit.coding import sqz, streams, varint
from sqzkit.coding.weights import four_dimensions
from tests.coding.crafted import coded, floats
from tests.coding.drafts import Draft, long_number, step

GOLDEN = Path(__file__).parents[1] / "golden" / "sqz"
LIMIT = 1 << 21
NUMBERS = (0, 1, 2, 3, 4, 7, 8, 9, 63, 64, 127, 128, 255, 256, 257, 4095, 4097, 65_535, 65_537)
NUMBERS += ((1 << 20) + 1, 196_609, (1 << 31) - 1, 1 << 31, 1 << 32, (1 << 40) + 5, 1 << 62)
FACTORS = (0.0, -0.0, 1.0, 0.1, 3e38, 1e-38, float("nan"), float("inf"), -float("inf"))
Mutation = Callable[[Draft, random.Random], None]


def seeds(updates: bool = False) -> list[Draft]:
    """Return the golden archives, or the golden updates, that decode in a moment."""
    folder = GOLDEN / "updates" if updates else GOLDEN
    found, files = [], {}
    for entry in json.loads((folder / "index.json").read_text()):
        if entry.get("size", LIMIT) > 400_000:
            continue
        archive = (folder / entry["file"]).read_bytes()
        start = files.get(entry.get("base"))
        files[entry["file"]] = sqz.unpack(archive, base=start)
        if updates == (start is not None):
            found.append(Draft.of(archive))
            found[-1].start = start
    return found


def any_number(draft: Draft, chance: random.Random) -> None:
    """Change a number of the directory, by little or to another."""
    fields = chance.choice([draft.streams, draft.tensors, draft.pieces] or [draft.streams])
    if not fields:
        return
    row = chance.choice(fields)
    place = chance.randrange(4 if fields is draft.streams else len(row))
    value = row[place]
    if isinstance(value, bytes):
        row[place] = floats(chance.choice(FACTORS))
    elif chance.random() < 0.6:
        row[place] = min(max(value + chance.choice((-8, -4, -2, -1, 1, 2, 4, 8)), 0), 1 << 62)
    elif chance.random() < 0.8:
        row[place] = chance.choice(NUMBERS)
    else:
        row[place] = long_number(value, chance.randrange(1, 11))


def any_list(draft: Draft, chance: random.Random) -> None:
    """Drop, double or swap entries of a list, or announce another number of them."""
    number = chance.randrange(3)
    rows = (draft.streams, draft.tensors, draft.pieces)[number]
    way = chance.randrange(4)
    if way == 0 or not rows:
        draft.counts[number] = max(len(rows) + chance.choice((-1, 1, 64)), 0)
    elif way == 1:
        rows.insert(chance.randrange(len(rows) + 1), [*chance.choice(rows)])
    elif way == 2:
        rows.pop(chance.randrange(len(rows)))
    else:
        one, other = chance.randrange(len(rows)), chance.randrange(len(rows))
        rows[one], rows[other] = rows[other], rows[one]


def header(draft: Draft, chance: random.Random) -> None:
    way = chance.randrange(5)
    if way == 0:
        draft.size = max(draft.size + chance.choice((-4, -1, 1, 4)), 0)
    elif way == 1:
        draft.size = chance.choice(NUMBERS)
    elif way == 2:
        draft.kind = chance.randrange(4)
    elif way == 3:
        draft.version = chance.randrange(3)
    else:
        draft.reserved = chance.choice((1, 256))


def directory(draft: Draft, chance: random.Random) -> None:
    """Damage the directory's own bytes, or its announced sizes."""
    content = bytearray(draft.directory_bytes())
    way = chance.randrange(4)
    if way == 0:
        draft.directory_sizes[chance.randrange(2)] = max(len(content) + chance.randrange(-3, 4), 0)
    elif way == 1:
        draft.directory = bytes(content[: chance.randrange(len(content) + 1)])
    elif way == 2:
        draft.directory = bytes(content) + chance.randbytes(chance.randrange(1, 4))
    elif content:
        content[chance.randrange(len(content))] = chance.randrange(256)
        draft.directory = bytes(content)


def coded_bytes(draft: Draft, chance: random.Random) -> None:
    """Damage what a stream is coded as; its announced coded size follows."""
    stream = chance.choice(draft.streams) if draft.streams else [0, 1, 0, 0, b""]
    content = bytearray(stream[4])
    way = chance.randrange(6)
    if way == 0 and content:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    elif way == 1:
        content = content[: max(len(content) - chance.randrange(1, 6), 0)]
    elif way == 2:
        content += bytes(chance.randrange(1, 7))
    elif way == 3:
        content[:4] = b"\xff\xff\xff" + chance.choice((b"\xff", b"\xfe", b"\x00"))
    elif way == 4:
        content = bytearray(chance.randbytes(len(content)))
    else:
        content += chance.randbytes(chance.randrange(1, 80))
    stream[3:] = [len(content), bytes(content)]


def border(draft: Draft, chance: random.Random) -> None:
    """Move bytes over the border of two coded streams, or give a stream one of its neighbour's."""
    if len(draft.streams) < 2:
        return
    number = chance.randrange(len(draft.streams) - 1)
    one, other = draft.streams[number : number + 2]
    place = max(len(one[4]) + chance.choice((-2, -1, 1, 2)), 0)
    both = one[4] + other[4]
    one[3:], other[3:] = [len(both[:place]), both[:place]], [len(both[place:]), both[place:]]


def method(draft: Draft, chance: random.Random) -> None:
    """Code a stream in another way, of which most are right."""
    if not draft.streams:
        return
    number = chance.randrange(len(draft.streams))
    old = draft.streams[number]
    if old[0] == streams.WEIGHTS or not all(isinstance(field, int) for field in old[:4]):
        return
    try:
        plain = bytes(streams.decode(streams.Coded(old[0], old[1], old[2], old[4])))
    except FormatError:
        return
    way = chance.randrange(4)
    if way == 3:
        packer = zlib.compressobj(chance.randrange(10), zlib.DEFLATED, -15, 9, chance.randrange(5))
        middle = chance.randrange(len(plain) + 1)
        made = packer.compress(plain[:middle]) + packer.flush(zlib.Z_FULL_FLUSH)
        made += packer.compress(plain[middle:]) + packer.flush()
        draft.streams[number] = [streams.DEFLATE, 1, len(plain), len(made), made]
    elif len(plain) < 20_000:
        draft.streams[number] = coded(way + (way == 2), plain, chance.choice((1, 2, 4, 8)))


def pieces(draft: Draft, chance: random.Random) -> None:
    """Cut, join or move pieces so that the file may still come out whole."""
    if not draft.pieces:
        return
    number = chance.randrange(len(draft.pieces))
    piece = draft.pieces[number]
    way = chance.randrange(5)
    # Of an update a width or a step follows, and what is cut off goes on at the same place.
    rest = [piece[2], *piece[3:-1], *[0] * (len(piece) > 3)]
    if way == 0 and piece[2] and isinstance(piece[1], int):
        cut = chance.randrange(piece[1] + 1)
        draft.pieces[number : number + 1] = [
            [piece[0], cut, *piece[2:]],
            [0, piece[1] - cut, *rest],
        ]
    elif way == 1:
        more = [0] * (draft.start is not None)
        draft.pieces.insert(number, [0, 0, chance.randrange(1, len(draft.streams) + 1), *more])
    elif way == 2 and piece[2]:
        source = chance.randrange(len(draft.pieces))
        draft.pieces[number] = [*piece[:2], 0, source, floats(chance.choice(FACTORS))]
    elif way == 3 and piece[2] and isinstance(piece[1], int):
        length = min(piece[1], 4 * chance.randrange(3))
        source = (
            [piece[0], length, *piece[2:]],
            [0, length, 0, number, floats(chance.choice(FACTORS))],
        )
        draft.pieces[number : number + 1] = [*source, [0, piece[1] - length, *rest]]
        draft.size += length
    elif isinstance(piece[0], int):
        piece[0] = max(piece[0] + chance.choice((-1, 1)), 0)


def tensors(draft: Draft, chance: random.Random) -> None:
    """Give a tensor another shape of the same size, center, or cut it in two."""
    if not draft.tensors:
        return
    number = chance.randrange(len(draft.tensors))
    tensor = draft.tensors[number]
    sides = [side for side in tensor[:4] if isinstance(side, int)]
    way = chance.randrange(4)
    if len(sides) < 4 or way == 0:
        tensor[5] = chance.randrange(256)
    elif way == 1:
        chance.shuffle(sides)
        tensor[:4] = sides
    elif way == 2:
        joined = [min(sides[0] * sides[1], 1 << 62), *sides[2:]]
        tensor[:4] = four_dimensions(joined if chance.random() < 0.5 else joined[::-1])
    elif sides[0] > 1:
        cut = chance.randrange(1, sides[0])
        halves = [cut, *tensor[1:]], [sides[0] - cut, *tensor[1:]]
        draft.tensors[number : number + 1] = list(halves)


def references(draft: Draft, chance: random.Random) -> None:
    """Take a tensor's reference from elsewhere, in other runs, or away."""
    if not draft.tensors or draft.start is None:
        return
    tensor = chance.choice(draft.tensors)
    inputs, own = tensor[3], tensor[7:]
    way = chance.randrange(5)
    if way == 0 or not isinstance(inputs, int):
        tensor[7:] = [0]
    elif way == 1 or len(own) < 5:
        inputs = min(inputs, 1 << 20)
        cut = chance.randrange(inputs + 1)
        runs = [chance.randrange(inputs + 1), cut, chance.randrange(inputs + 1), inputs - cut]
        place = 1 + chance.randrange(len(draft.start) + 1)
        tensor[7:] = [place, max(inputs + chance.randrange(-2, 3), 1), 2, *runs]
    elif way == 2:
        tensor[7] = chance.randrange(1, len(draft.start) + 2)
    elif way == 3:
        tensor[10 + 2 * chance.randrange(len(own) // 2 - 1)] = chance.choice((*NUMBERS, 1, 2))
    else:
        tensor[8] = max(inputs + chance.randrange(-3, 4), 0)


def places(draft: Draft, chance: random.Random) -> None:
    """Copy other bytes of the base, or add to others."""
    if not draft.pieces or draft.start is None:
        return
    number = chance.randrange(len(draft.pieces))
    piece = draft.pieces[number]
    way = chance.randrange(4)
    if way == 0 and len(piece) > 3 and isinstance(piece[-1], int):
        piece[-1] = max(piece[-1] + chance.choice((-4, -2, -1, 1, 2, 16)), 0)
    elif way == 1 and piece[2] not in (0, len(draft.streams)):
        width = chance.choice((0, 1, 2, 4, 8, 3))
        piece[3:] = [width, step(chance.randrange(-20, 20))] if width else [0]
    elif way == 2:
        length = chance.randrange(len(draft.start) + 1)
        back = step(chance.randrange(-len(draft.start), 30))
        draft.pieces.insert(number, [0, length, len(draft.streams), back])
        draft.size += length
    elif len(piece) > 3:
        piece[-1] = chance.choice(NUMBERS)


def base(draft: Draft, chance: random.Random) -> None:
    """Start from another base, which the archive names or does not."""
    if draft.start is None:
        return
    way = chance.randrange(5)
    other = bytearray(draft.start)
    if way == 0 and draft.base:
        draft.base = draft.base[: chance.randrange(len(draft.base))]
    elif way == 1:
        draft.base = draft.base[:32] + varint.write(chance.choice(NUMBERS))
    elif way == 2:
        draft.start = bytes(other[:-1])
    elif other:
        at = chance.randrange(len(other))
        other[at : at + 90] = chance.randbytes(min(90, len(other) - at))
        draft.starting(bytes(other + bytes(chance.randrange(3))))


MUTATIONS: tuple[Mutation, ...] = (
    *(any_number, any_number, any_list, header, directory, coded_bytes, coded_bytes, border),
    *(method, method, pieces, pieces, tensors, tensors),
)
OF_UPDATES: tuple[Mutation, ...] = (
    *(*MUTATIONS, references, references, references, places, places, places, base),
)


def mutant(drafts: list[Draft], chance: random.Random) -> tuple[bytes, bytes | None]:
    """Return an archive after one to three mutations, mostly sealed again, and its base."""
    draft = chance.choice(drafts).copy()
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        chance.choice(MUTATIONS if draft.start is None else OF_UPDATES)(draft, chance)
    if chance.random() < 0.05:
        draft.tail = chance.randbytes(chance.randrange(1, 5))
    if chance.random() < 0.9:
        try:
            return draft.sealed(LIMIT), draft.start
        except FormatError:
            pass
    return draft.write(), None if chance.random() < 0.1 else draft.start


def answer(archive: bytes, base: bytes | None) -> tuple[str | None, str]:
    """Return the SHA-256 of what Python gets of `archive`, or None and the reason."""
    try:
        return hashlib.sha256(sqz.unpack(archive, LIMIT, base)).hexdigest(), ""
    except FormatError as error:
        return None, str(error)


def disagreements(count: int, seed: int, updates: bool = False) -> tuple[list[str], int]:
    """Return what the decoders disagree about among `count` mutants, and how many they accept."""
    chance, drafts, found, accepted = random.Random(seed), seeds(updates), [], 0
    with JavaDecoder(LIMIT) as java:
        for _ in range(count):
            archive, base = mutant(drafts, chance)
            (own, reason), other = answer(archive, base), java.decode(archive, base)
            accepted += own is not None
            if own != other.sha256:
                found.append(
                    f"Python: {own or reason}; Java: {other.sha256 or other.reason}; "
                    f"archive {archive.hex()}"
                )
    return found, accepted


def main() -> None:
    """Compare the decoders on as many mutants as were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20_000, help="mutants")
    parser.add_argument("--seed", type=int, default=1, help="of the chance")
    parser.add_argument("--updates", action="store_true", help="of updates, not of files")
    flags = parser.parse_args()
    found, accepted = disagreements(flags.count, flags.seed, flags.updates)
    print("\n".join(found[:20]))
    print(f"{flags.count} mutants: {accepted} accepted, {len(found)} disagreements")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
