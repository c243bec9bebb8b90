"""Compare updates with other programs' on pairs of files of your own.

python -m benchmarks.updates [--moved=0.01,0.05] [OLD=NEW]...
python -m benchmarks.updates --grown=PHOTOGRAPHS --weights=v1_1_onnx --work_dir=DIR

Prints a Markdown table: whole files in bytes. The peers are bsdiff4 (pip install
bsdiff4; left out where it is missing), zstd -19 --patch-from, and xz -9e of the
difference, byte by byte. `--moved` adds copies of each OLD in which a share of the
int8 weights is one larger or smaller, with the bytes that every coder needs at least on
average, since nothing tells in advance which ones move. `--grown` trains old and new versions on a
folder (train/CLASS, test/CLASS) whose data grow, see `benchmarks/grown.py`, in
the cases of `--cases`, for each choice of `--moves` and `--seeds` seeds; an interrupted
measurement is resumed by the same command.
"""

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from absl import flags

from benchmarks import grown, script, update_peers
from sqzkit.base import files
from sqzkit.base.errors import RunError, UsageError
from sqzkit.coding import container, planning, sqz

_MOVED = flags.DEFINE_list("moved", [], "Shares of the weights to move by one, 0..1.")
_GROWN = flags.DEFINE_string("grown", None, "Folder of photographs that a part of is old.")
_CASES = flags.DEFINE_list("cases", ["class", "photographs"], "With --grown: also few.")
_MOVES = flags.DEFINE_list(
    "moves", ["head"], "With --grown: each --base_moves to try; share:0.02 too."
)
_SEEDS = flags.DEFINE_integer("seeds", 1, "With --grown: how many, from 0 on.")
_WEIGHTS = flags.DEFINE_string("weights", "v1_1_onnx", "With --grown: weights to start from.")
_WORK_DIR = flags.DEFINE_string("work_dir", None, "With --grown: folder for runs and files.")
_IMAGE_SIZE = flags.DEFINE_integer("image_size", 96, "With --grown: pixels.")
TITLES = ("pair", "new file", "whole `.sqz`", "update", "bsdiff4", "zstd", "xz of difference")


def moved(content: bytes, share: float) -> tuple[bytes, float]:
    """Return `content` with a share of its int8 weights moved by one, and the bytes of a choice.

    A weight moves by chance, so all sets of k among n weights are equally likely, and so are both
    ways for each: telling one costs log2 of C(n, k) 2^k bits on average, whatever the coder. Those
    at an end of the range, which move one way only, are counted apart.
    """
    random, made, bits = np.random.default_rng(0), bytearray(content), 0.0
    counts = np.zeros((2, 2), int)  # inside or at an end, all or moved
    for span in planning.find_spans(content):
        if span.dtype == "int8" and span.role == "tensor":
            own = np.frombuffer(made, np.int8, span.length, span.offset)
            steps = random.choice([-1, 1], own.size) * (random.random(own.size) < share)
            end, before = abs(own) == 127, own.copy()
            own[:] = np.clip(own + steps, -127, 127)
            for number, group in enumerate((~end, end)):
                counts[number] += group.sum(), (own != before)[group].sum()
    for number, (weights, changed) in enumerate(counts.tolist()):
        parts = [math.lgamma(count + 1) for count in (weights, changed, weights - changed)]
        bits += (parts[0] - parts[1] - parts[2]) / math.log(2) + (changed if number == 0 else 0)
    return bytes(made), bits / 8


def row(name: str, old: bytes, new: bytes) -> str:
    """Return a line of the table.

    Raises:
      RunError: the update gives another file.
    """
    update = sqz.pack(new, old)
    start = time.thread_time()
    if sqz.unpack(update, base=old) != new:
        raise RunError(f"{name}: the update gives another file")
    took = time.thread_time() - start
    peers = update_peers.sizes(old, new)
    best = update_peers.best(old, new)
    sizes = [len(new), len(sqz.pack(new)), len(update), *peers]
    cells = ["-" if size is None else f"{size:,}" for size in sizes]
    share = f"{len(update) / best:.2f} | {1000 * took:.0f} ms"
    return f"| {name} | {' | '.join(cells)} | {share} |"


def pairs(arguments: Sequence[str], shares: Sequence[float]) -> Iterator[tuple[str, bytes, bytes]]:
    """Yield the pairs of files that are named, and moved copies of the old ones."""
    for argument in arguments:
        old_name, _, new_name = argument.partition("=")
        old = sqz.base_content(files.read_bytes(old_name, container.DEFAULT_LIMIT))
        if new_name:
            new = sqz.base_content(files.read_bytes(new_name, container.DEFAULT_LIMIT))
            yield f"{Path(old_name).stem} to {Path(new_name).stem}", old, new
        for share in shares:
            made, entropy = moved(old, share)
            yield f"{Path(old_name).stem}, {share:.0%} moved ({entropy:,.0f})", old, made


def main(argv: Sequence[str]) -> None:
    """Print the table."""
    if _GROWN.value:
        _grown(_GROWN.value, _WORK_DIR.value)
        return
    if len(argv) < 2:
        raise UsageError("name one pair OLD=NEW or more (--help)")
    print(f"| {' | '.join(TITLES)} | of the best peer | unpacked in |")
    print("|---" + "|---:" * (len(TITLES) + 1) + "|")
    for name, old, new in pairs(argv[1:], [float(share) for share in _MOVED.value]):
        print(row(name, old, new), flush=True)


def _grown(data_dir: str, work_dir: str | None) -> None:
    if work_dir is None:
        raise UsageError("--grown needs --work_dir")
    print(f"| {' | '.join(grown.TITLES)} |")
    print("|---" + "|---:" * (len(grown.TITLES) - 1) + "|")
    made = grown.Grown(Path(data_dir), _WEIGHTS.value, Path(work_dir), _IMAGE_SIZE.value)
    for line in made.rows(_CASES.value, _MOVES.value, _SEEDS.value):
        print(line, flush=True)


if __name__ == "__main__":
    script.run(main)
