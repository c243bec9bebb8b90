"""Take a file apart against another one, its base: what an update holds.

Runs that the base has too are copied. A tensor of weights that changed is coded
with the base's tensor of its name as its reference, output by output where outputs
were added, dropped or moved. Other numbers are coded as sums, if that is smaller.
"""

import bisect
import collections
import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from sqzkit.coding import planning, streams, symbols, weights
from sqzkit.coding.archive import COPY, UPDATE, Archive, Base, Piece
from sqzkit.coding.planning import Plan, Span
from sqzkit.coding.symbols import Reference, SymbolTensor

PIECE_BYTES, TENSOR_BYTES, RUN_BYTES = 5, 12, 3  # that these take in the directory, about
MAX_COPIES = 1 << 15
MIN_COPY = 6  # bytes
MIN_SPAN = 64  # bytes of numbers worth a piece of their own
MIN_CHANGE = 24  # bytes that a changed span must take as copies to be coded apart
MAX_GAP, MAX_BRIDGED, MIN_BRIDGED = 64, 1024, 4  # bytes between and of copies, copies of a bridge
MAX_PARTS, MAX_COMPARED = 64, 1 << 22  # tensors that one is split into, pairs of channels
FAR = 0.7  # share of a channel's energy beyond which another one is not like it
NEXT = 1.25  # how much farther the channel next to the last one may be and still be taken
BRIDGE = -2  # stands for the number of the bridges' stream

Run = tuple[int, int, int]  # where it is in the file, where in the base, its length
Placed = tuple[int, Piece]  # where a piece begins in the file
Tensor = tuple[SymbolTensor, np.ndarray]  # with its symbols


def archives(content: bytes, base: bytes) -> Iterator[Archive]:
    """Yield ways to code `content` as an update of `base`; none is the smallest for all files."""
    pair = _Pair(content, base)
    known = {offset for offset, like in pair.likes.items() if like}
    parts = planning.plan(content, pair.changed, known)
    numbers = _Numbers(pair, parts)
    for bridged in (False, True):
        yield _archive(pair, parts, numbers, bridged)


class _Pair:
    """A file and its base.

    Attributes:
      runs: what they have in common, in the order of the file, beside `changed`.
      changed: the file's spans that take less apart than copied.
      likes: by the offset of each, the base's span that is like it.
    """

    def __init__(self, content: bytes, base: bytes) -> None:
        from sqzkit.coding.kernels import copies  # brings numba

        self.content, self.base = content, base
        self._new, self._old = np.frombuffer(content, np.uint8), np.frombuffer(base, np.uint8)
        spans = [span for span in planning.find_spans(content) if span.length >= MIN_SPAN]
        pairs = list(zip(spans, likes(spans, planning.find_spans(base)), strict=True))
        apart = {span for span, like in pairs if like and self._differs(span, like)}
        # A product's source must be a piece of its own, even if it is in the base.
        for number, (source, _) in planning.products(content, spans).items():
            if spans[number] in apart:
                apart.add(spans[source])
        left_out = np.array(sorted((s.offset, s.offset + s.length) for s in apart), np.int64)
        found = copies.find_copies(self._new, self._old, left_out.reshape(-1, 2), MAX_COPIES)
        self.runs: list[Run] = [(at, place, size) for at, place, size in found.tolist()]
        self.changed = [span for span, _ in pairs if span in apart or self._is_new(span)]
        self.likes = {span.offset: like for span, like in pairs}

    def _differs(self, span: Span, like: Span) -> bool:
        """Return whether more differs between spans of one length than copies can skip."""
        if span.length != like.length:
            return False
        own = self._new[span.offset : span.offset + span.length]
        other = self._old[like.offset : like.offset + span.length]
        return (1 + PIECE_BYTES) * int(np.count_nonzero(own != other)) >= MIN_CHANGE

    def _is_new(self, span: Span) -> bool:
        """Return whether copies give too little of a span."""
        runs = list(self.within(span.offset, span.offset + span.length))
        left = span.length - sum(size for _, _, size in runs)
        return left > 0 and left + PIECE_BYTES * len(runs) >= MIN_CHANGE

    def within(self, start: int, end: int) -> Iterator[Run]:
        """Yield the runs in start..end - 1 of the file, cut off at both ends."""
        first = bisect.bisect_right(self.runs, start, key=lambda run: run[0] + run[2])
        for at, place, size in itertools.islice(self.runs, first, None):
            if at >= end:
                return
            cut, last = max(start - at, 0), min(size, end - at)
            if last - cut >= MIN_COPY:
                yield at + cut, place + cut, last - cut


def likes(spans: Sequence[Span], before: Sequence[Span]) -> Iterator[Span | None]:
    """Yield for each span the base's of its name, else the one of its number among its kind."""
    named = {(span.name, span.role, span.dtype): span for span in before}
    numbered = dict(_numbered(before))
    for key, span in _numbered(spans):
        yield named.get((span.name, span.role, span.dtype), numbered.get(key))


def _numbered(spans: Sequence[Span]) -> Iterator[tuple[tuple[str, str, int], Span]]:
    """Yield each span with its number among those of its kind."""
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    for span in spans:
        kind = span.role, span.dtype
        yield (*kind, counts[kind]), span
        counts[kind] += 1


class _Numbers:
    """The groups and tensors of a plan, coded against the base.

    Attributes:
      groups: coded.
      tensors: of the weights stream. books: their codebooks. coded: their weights.
    """

    def __init__(self, pair: _Pair, parts: Plan) -> None:
        self._pair, self._parts = pair, parts
        self._placed = list(_placed(parts.pieces))
        self._summed: set[int] = set()
        self.groups = [self._code(number) for number in range(1, len(parts.groups) + 1)]
        places = [at for at, piece in self._placed if piece.stream == len(parts.groups) + 2]
        made = [
            part
            for tensor, at in zip(parts.tensors, places, strict=True)
            for part in _with_references(tensor, pair.base, pair.likes[at])
        ]
        self.tensors = [tensor for tensor, _ in made]
        self.books = b"".join(made.codebook for made in parts.tensors)
        self.coded = _code(made, pair.base)

    def _code(self, number: int) -> streams.Coded:
        """Return the smaller of a group's numbers, and what is to be added to the base's."""
        group = self._parts.groups[number - 1]
        plain = streams.encode(group.content, group.stride)
        own = [(at, piece) for at, piece in self._placed if piece.stream == number]
        if not any(self._like(at, piece) for at, piece in own):
            return plain
        added = b"".join(self._difference(at, piece, group.stride) for at, piece in own)
        sums = streams.encode(added, group.stride)
        if len(sums.content) >= len(plain.content):
            return plain
        self._summed.add(number)
        return sums

    def _like(self, at: int, piece: Piece) -> Span | None:
        like = self._pair.likes[at]
        return like if like and like.length == piece.length else None

    def _difference(self, at: int, piece: Piece, width: int) -> bytes:
        like = self._like(at, piece)
        own = self._pair.content[at : at + piece.length]
        return _subtracted(own, self._pair.base, like.offset, width) if like else own

    def piece(self, at: int, piece: Piece) -> Piece:
        """Return a piece of the plan as the update has it."""
        like = self._like(at, piece) if piece.stream in self._summed else None
        if not like:
            return piece
        width = self._parts.groups[piece.stream - 1].stride
        return dataclasses.replace(piece, base=like.offset, width=width)


def _subtracted(content: bytes, base: bytes, place: int, width: int) -> bytes:
    """Return what is to be added to the base's integers at `place` to give `content`."""
    numbers = np.frombuffer(content, f"<u{width}")
    return (numbers - np.frombuffer(base, f"<u{width}", len(numbers), place)).tobytes()


def _placed(pieces: Sequence[Piece]) -> Iterator[Placed]:
    """Yield each piece behind where it begins."""
    at = 0
    for piece in pieces:
        yield at + piece.gap, piece
        at += piece.gap + piece.length


def _archive(pair: _Pair, parts: Plan, numbers: _Numbers, bridged: bool) -> Archive:
    """Return the update of numbers coded as `numbers`; all else is copied, bridged or kept."""
    items: list[Placed] = []
    order, bridges, end = [], bytearray(), 0
    for at, piece in [*_placed(parts.pieces), (len(pair.content), Piece(0, 0, COPY))]:
        for runs in _alike(pair.within(end, at)):
            is_bridge = bridged and len(runs) >= MIN_BRIDGED
            items += _bridge(pair, runs, bridges) if is_bridge else map(_copy, runs)
        order.append(len(items))
        items.append((at, piece if piece.stream == COPY else numbers.piece(at, piece)))
        end = at + piece.length
    groups = [*numbers.groups, *([streams.encode(bytes(bridges), 4)] if bridges else [])]
    renumbered = {BRIDGE: len(groups), len(parts.groups) + 2: len(groups) + 2}
    pieces, rest, end = [], bytearray(), 0
    for at, piece in items[:-1]:
        rest += pair.content[end:at]
        source = 0 if piece.stream else order[piece.source]
        stream = renumbered.get(piece.stream, piece.stream)
        pieces.append(dataclasses.replace(piece, gap=at - end, stream=stream, source=source))
        end = at + piece.length
    coded = [streams.encode(bytes(rest) + pair.content[end:], 4), *groups]
    if numbers.tensors:
        size = sum(tensor.size * tensor.width for tensor in numbers.tensors)
        coded.append(streams.encode(numbers.books, 4))
        coded.append(streams.Coded(streams.WEIGHTS, 1, size, numbers.coded))
    return Archive.of(UPDATE, pair.content, coded, numbers.tensors, pieces, Base.of(pair.base))


def _copy(run: Run) -> Placed:
    at, place, size = run
    return at, Piece(0, size, COPY, base=place)


def _alike(runs: Iterator[Run]) -> Iterator[list[Run]]:
    """Yield together what follows each other closely, as far apart in the file as in the base."""
    group: list[Run] = []
    for run in runs:
        if group:
            at, place, size = group[-1]
            near = run[0] - at - size <= MAX_GAP and max(size, run[2]) <= MAX_BRIDGED
            if not near or run[1] - run[0] != place - at:
                yield group
                group = []
        group.append(run)
    if group:
        yield group


def _bridge(pair: _Pair, runs: list[Run], bridges: bytearray) -> Iterator[Placed]:
    """Yield one sum in place of `runs` and what lies between them."""
    start, distance = runs[0][0], runs[0][1] - runs[0][0]
    end = runs[-1][0] + runs[-1][2]
    width = 1 if distance % 4 else 4
    first, last = -(-start // width) * width, end // width * width  # words of the file
    if first > start:
        yield _copy((start, start + distance, first - start))
    bridges += _subtracted(pair.content[first:last], pair.base, first + distance, width)
    yield first, Piece(0, last - first, BRIDGE, base=first + distance, width=width)
    if end > last:
        yield _copy((last, last + distance, end - last))


def _code(made: Sequence[Tensor], base: bytes) -> bytes:
    references = [symbols.reference_symbols(tensor, base) for tensor, _ in made]
    return weights.encode([values for _, values in made], references)


def _with_references(made: symbols.Coded, base: bytes, like: Span | None) -> list[Tensor]:
    """Return a tensor, or the tensors it is split into, with the references that save most."""
    whole = [(made.tensor, made.symbols)]
    before = _symbols(made.tensor, base, like) if like else None
    if like is None or before is None:
        return whole
    parts = list(_split_outputs(made, before, like.offset))
    if len(parts) > (MAX_PARTS if made.tensor.width == 1 else 1):
        return whole  # a codebook's ranks are those of all outputs together
    runs = sum(len(tensor.reference.runs) for tensor, _ in parts if tensor.reference)
    size = len(_code(parts, base)) + TENSOR_BYTES * (len(parts) - 1) + RUN_BYTES * runs
    return parts if size < len(_code(whole, base)) else whole


def _symbols(tensor: SymbolTensor, base: bytes, like: Span) -> np.ndarray | None:
    """Return the symbols of the base's tensor if they can be a reference."""
    shape = weights.four_dimensions(like.shape)
    wide = tensor.width > 1
    if shape[1:3] != tensor.shape[1:3] or like.length != tensor.width * int(np.prod(shape)):
        return None
    run = base[like.offset : like.offset + like.length]
    if not wide:
        return (np.frombuffer(run, np.uint8) - np.uint8(tensor.center)).view(np.int8).reshape(shape)
    found = symbols.to_symbols(run, tensor.width, shape)
    return found.symbols if found and shape[0] == tensor.shape[0] else None


def _split_outputs(made: symbols.Coded, before: np.ndarray, offset: int) -> Iterator[Tensor]:
    """Yield runs of outputs, each with the base's outputs that are like it as its reference."""
    outputs, height, width, inputs = made.tensor.shape
    # Exact, whatever library multiplies: sums of products of int8 are far below 2^53.
    own, other = made.symbols.astype(np.float64), before.astype(np.float64)
    both = min(outputs, len(other))
    columns = np.arange(inputs)
    if inputs != other.shape[3]:  # outputs that moved as well are not found then
        columns = _channels(
            own[:both].transpose(3, 0, 1, 2).reshape(inputs, -1),
            other[:both].transpose(3, 0, 1, 2).reshape(other.shape[3], -1),
        )
    runs = tuple(
        (other.shape[3] if start < 0 else start, count) for _, start, count in _consecutive(columns)
    )
    seen = np.where(columns < 0, 0.0, other[..., columns])
    rows = _channels(own.reshape(outputs, -1), seen.reshape(len(other), -1))
    output_bytes = before[0].size * made.tensor.width
    for first, start, count in _consecutive(rows):
        reference = Reference(offset + start * output_bytes, other.shape[3], runs)
        shape = count, height, width, inputs
        tensor = dataclasses.replace(
            made.tensor, shape=shape, reference=reference if start >= 0 else None
        )
        yield tensor, made.symbols[first : first + count]


def _channels(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return which row of `other` each row of `own` is like; -1: none is."""
    energy = (own * own).sum(1)
    if own.shape == other.shape and ((own - other) ** 2).sum() <= FAR * energy.sum():
        return np.arange(len(own))
    if len(own) * len(other) > MAX_COMPARED:
        return np.where(np.arange(len(own)) < len(other), np.arange(len(own)), -1)
    distances = energy[:, None] + (other * other).sum(1) - 2 * own @ other.T
    found, last = np.full(len(own), -1), -1
    for row, distance in enumerate(distances):
        best = int(distance.argmin())
        if last + 1 < len(other) and distance[last + 1] <= NEXT * distance[best] + 1:
            best = last + 1
        if distance[best] <= FAR * energy[row] + 1:
            found[row] = last = best
    return found


def _consecutive(channels: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Yield each run of consecutive numbers, or of -1: its place, first number and length."""
    steps = np.diff(np.where(channels < 0, -9, channels), prepend=-99)
    starts = np.flatnonzero(steps != np.where(channels < 0, 0, 1)).tolist()
    for start, end in itertools.pairwise([*starts, len(channels)]):
        yield start, int(channels[start]), end - start
