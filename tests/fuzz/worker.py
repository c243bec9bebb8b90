"""One target in one process: damage, read, measure; every failing input is kept."""

import argparse
import dataclasses
import json
import mmap
import random
import resource
import struct
import sys
import time
import traceback
import warnings
from pathlib import Path

from sqzkit.base.errors import SqzkitError
from tests.fuzz.targets import TARGETS, Reader, Target, own_folder

HANG_SECONDS = 20  # of processor time; then the kernel ends the process
REPORT_SECONDS = 2.0
CURRENT_SIZE = 1 << 20
MOST_KEPT = 20
_CURRENT_HEAD = struct.Struct("<QQ")


@dataclasses.dataclass
class Tally:
    """What came of the inputs so far.

    Attributes:
      done: inputs read. refused: with one of our errors. failed: otherwise.
      slowest: processor seconds of the slowest input.
      peak_mib: memory of the process at its highest, above what it had before.
    """

    done: int = 0
    refused: int = 0
    failed: int = 0
    slowest: float = 0.0
    peak_mib: float = 0.0


class Current:
    """The input at work, in a file that outlives this process."""

    def __init__(self, path: Path) -> None:
        with open(path, "w+b") as stream:
            stream.truncate(CURRENT_SIZE)
            self._map = mmap.mmap(stream.fileno(), CURRENT_SIZE)

    def set(self, number: int, content: bytes) -> None:
        """Remember input `number`."""
        kept = content[: CURRENT_SIZE - _CURRENT_HEAD.size]
        self._map[: _CURRENT_HEAD.size] = _CURRENT_HEAD.pack(number, len(kept))
        self._map[_CURRENT_HEAD.size : _CURRENT_HEAD.size + len(kept)] = kept

    @staticmethod
    def read(path: Path) -> tuple[int, bytes]:
        """Return number and content of the last input that was set."""
        stored = path.read_bytes()
        number, length = _CURRENT_HEAD.unpack_from(stored)
        return number, stored[_CURRENT_HEAD.size : _CURRENT_HEAD.size + length]


def make_input(target: Target, seeds: list[bytes], seed: int, number: int) -> bytes:
    """Return input `number` of a seed: always the same one."""
    return target.mutate(seeds, random.Random(f"{seed} {number}"))


def read_one(target: Target, reader: Reader, content: bytes, tally: Tally) -> str | None:
    """Read an input; return what went wrong, or None."""
    started, wrong = time.thread_time(), None
    try:
        reader(content)
    except SqzkitError:
        tally.refused += 1
    except BaseException:
        if isinstance(sys.exception() if hasattr(sys, "exception") else None, KeyboardInterrupt):
            raise
        wrong = traceback.format_exc()
    spent = time.thread_time() - started
    tally.done += 1
    tally.slowest = max(tally.slowest, spent)
    if wrong is None and spent > target.seconds:
        wrong = f"{spent:.2f} s of processor time, more than {target.seconds}"
    tally.failed += wrong is not None
    return wrong


def limit_memory(mib: int) -> None:
    """Let the process grow by at most `mib` from here on, where the system can tell."""
    status = Path("/proc/self/statm")
    if status.exists():
        now = int(status.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + (mib << 20),) * 2)


def limit_time() -> None:
    """Let the kernel end the process if the next inputs hang inside a library."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + HANG_SECONDS, hard))


def peak_mib() -> float:
    """Return the process's highest memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(name: str, first: int, last: int, seed: int, folder: Path, limits: bool = True) -> Tally:
    """Read inputs first..last - 1 of a target; print the tally as JSON lines.

    Args:
      name: of the target.
      first, last: numbers of the inputs.
      seed: with a number it decides an input.
      folder: for failing inputs and the current one.
      limits: whether this process may be limited for good.
    """
    warnings.simplefilter("ignore")
    target, tally = TARGETS[name], Tally()
    seeds = target.seeds()
    current = Current(folder / f"{name}.current")
    with own_folder() as own:
        reader = target.reader(Path(own))
        for content in seeds:  # compiles and imports what there is to compile and import
            read_one(target, reader, content, Tally())
        before = peak_mib()
        if limits:
            limit_memory(target.memory_mib)
        reported = 0.0
        for number in range(first, last):
            current.set(number, b"")  # should the mutator be what fails
            content = make_input(target, seeds, seed, number)
            current.set(number, content)
            wrong = read_one(target, reader, content, tally)
            if wrong is not None:
                keep(folder, name, seed, number, content, wrong, tally.failed)
            if time.monotonic() - reported > REPORT_SECONDS:
                reported = time.monotonic()
                tally.peak_mib = peak_mib() - before
                print(json.dumps(dataclasses.asdict(tally)), flush=True)
                if limits:
                    limit_time()
        tally.peak_mib = peak_mib() - before
    print(json.dumps(dataclasses.asdict(tally)), flush=True)
    return tally


def keep(
    folder: Path, name: str, seed: int, number: int, content: bytes, wrong: str, count: int
) -> None:
    """Store a failing input and what went wrong."""
    if count <= MOST_KEPT:
        path = folder / f"{name}-{seed}-{number}"
        path.with_suffix(".input").write_bytes(content)
        path.with_suffix(".txt").write_text(wrong, encoding="utf-8")


def main() -> None:
    """Run one target, or read one kept input again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--last", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--input", type=Path, help="read this kept input only")
    given = parser.parse_args()
    if given.input:
        with own_folder() as own:
            TARGETS[given.target].reader(Path(own))(given.input.read_bytes())
        return
    run(given.target, given.first, given.last, given.seed, given.folder)


if __name__ == "__main__":
    main()
