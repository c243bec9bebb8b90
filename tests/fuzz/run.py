"""A million damaged inputs over all readers: `python -m tests.fuzz.run --inputs=1000000`.

Each target runs in a process of its own, which may take no more memory than
the target states and no more than 20 s of processor time an input; a process
that ends otherwise is a failure, its input is kept, and the next one goes on
behind it. Exit code 1 if anything failed.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.fuzz.targets import TARGETS
from tests.fuzz.worker import Current, Tally, keep

TOP = Path(__file__).resolve().parents[2]


class Progress:
    """One line that says how far all targets are and how long yet."""

    def __init__(self, total: int) -> None:
        self.total, self.before, self.started = total, 0, time.monotonic()
        self.live = sys.stderr.isatty()

    def show(self, name: str, done: int) -> None:
        """Show how far `name` is."""
        if not self.live:
            return
        finished = self.before + done
        left = (time.monotonic() - self.started) / max(finished, 1) * (self.total - finished)
        text = f"\r\x1b[K{name}: {finished:,} of {self.total:,} inputs, {left / 60:.0f} min left"
        print(text, end="", file=sys.stderr, flush=True)


def shares(inputs: int, names: list[str]) -> dict[str, int]:
    """Return how many of `inputs` each target gets, `inputs` in all."""
    whole = sum(TARGETS[name].share for name in names)
    counts = {name: int(inputs * TARGETS[name].share / whole) for name in names}
    counts[names[0]] += inputs - sum(counts.values())
    return counts


def run_target(name: str, count: int, seed: int, folder: Path, progress: Progress) -> Tally:
    """Run all inputs of a target, in as many processes as it takes."""
    total, first, current = Tally(), 0, folder / f"{name}.current"
    while first < count:
        part, code = _process(name, first, count, seed, folder, progress)
        _add(total, part)
        if code == 0:
            break
        # The last report may be seconds old: the file knows which input it was.
        number, content = Current.read(current)
        number = max(number, first)
        total.done += number - first - part.done + 1
        total.failed += 1
        keep(folder, name, seed, number, content, f"the process ended with {code}", total.failed)
        first = number + 1
    current.unlink(missing_ok=True)
    return total


def _process(
    name: str, first: int, last: int, seed: int, folder: Path, progress: Progress
) -> tuple[Tally, int]:
    """Return the last tally of one process and its exit code."""
    arguments = {"first": first, "last": last, "seed": seed, "folder": folder}
    call = [sys.executable, "-m", "tests.fuzz.worker", name]
    call += [f"--{key}={value}" for key, value in arguments.items()]
    with (
        open(folder / f"{name}.log", "a", encoding="utf-8") as log,
        subprocess.Popen(call, cwd=TOP, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        assert process.stdout is not None
        tally = Tally()
        for line in process.stdout:
            if line.startswith("{"):  # libraries may print, too
                tally = Tally(**json.loads(line))
                progress.show(name, first + tally.done)
        return tally, process.wait()


def _add(total: Tally, part: Tally) -> None:
    for field in dataclasses.fields(Tally):
        old, new = getattr(total, field.name), getattr(part, field.name)
        largest = field.name in ("slowest", "peak_mib")
        setattr(total, field.name, max(old, new) if largest else old + new)


def main() -> None:
    """Run the targets one after another and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--targets", default=",".join(TARGETS), help="some of them")
    parser.add_argument("--folder", type=Path, default=Path("fuzz_failures"))
    given = parser.parse_args()
    names = given.targets.split(",")
    given.folder.mkdir(parents=True, exist_ok=True)
    counts = shares(given.inputs, names)
    progress, tallies = Progress(given.inputs), {}
    print(f"{'target':<14}{'inputs':>10}{'refused':>10}{'failed':>8}{'slowest s':>11}{'MiB':>7}")
    for name, count in counts.items():
        tally = tallies[name] = run_target(name, count, given.seed, given.folder, progress)
        progress.before += count
        if progress.live:
            print("\r\x1b[K", end="", file=sys.stderr)
        print(_row(name, dataclasses.asdict(tally)), flush=True)
    failed = sum(tally.failed for tally in tallies.values())
    done = sum(tally.done for tally in tallies.values())
    minutes = (time.monotonic() - progress.started) / 60
    print(f"{done:,} inputs in {minutes:.1f} minutes, {failed} failed: {given.folder}")
    sys.exit(1 if failed else 0)


def _row(name: str, tally: dict[str, Any]) -> str:
    return (
        f"{name:<14}{tally['done']:>10,}{tally['refused']:>10,}{tally['failed']:>8}"
        f"{tally['slowest']:>11.3f}{tally['peak_mib']:>7.0f}"
    )


if __name__ == "__main__":
    main()
