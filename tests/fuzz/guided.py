"""The same readers, led by Atheris to code that no input has reached yet.

    .venv/bin/pip install atheris
    .venv/bin/python -m tests.fuzz.guided sqz --runs=100000 --folder=build/guided

Atheris (libFuzzer) is no requirement of the project: it is for Linux and some Pythons only.
The folder keeps what reached new code, and another call goes on from it. An input that fails
is kept there, too, and ends the run with Atheris's exit code.
"""

import argparse
import random
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import atheris

# Numba compiles functions of these: byte code with counters in it is not for it.
COMPILED = [
    *("sqzkit.ptq.rounding", "sqzkit.coding.streams", "sqzkit.coding.weights"),
    *("sqzkit.coding.huffman", "sqzkit.coding.kernels.binary"),
    *("sqzkit.coding.kernels.huffman", "sqzkit.coding.kernels.mixed_bytes"),
    *("sqzkit.coding.kernels.predictors", "sqzkit.coding.kernels.weights"),
]

with atheris.instrument_imports(include=["sqzkit"], exclude=COMPILED):
    from sqzkit.base.errors import SqzkitError
    from tests.fuzz.targets import TARGETS, Target, own_folder

LENGTH = 1 << 16  # bytes of an input
TIMEOUT = 20  # seconds


def mutator(target: Target, seeds: list[bytes]) -> Callable[[bytes, int, int], bytes]:
    """Return a mutator that knows the format half of the time."""

    def mutate(content: bytes, size: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < 0.5:
            return atheris.Mutate(content, size)
        try:
            return target.mutate([content], chance)[:size]
        except (ValueError, RecursionError):  # no JSON any more
            return target.mutate(seeds, chance)[:size]

    return mutate


def run(name: str, runs: int, folder: Path, own: Path) -> None:
    """Read `runs` inputs; does not return."""
    target = TARGETS[name]
    corpus = folder / name
    corpus.mkdir(parents=True, exist_ok=True)
    with atheris.instrument_imports(include=["sqzkit"], exclude=COMPILED):
        seeds, reader = target.seeds(), target.reader(own)

        def read(content: bytes) -> None:
            try:
                reader(content)
            except SqzkitError:
                return

        for number, content in enumerate(seeds):
            (corpus / f"seed{number}").write_bytes(content)
            read(content)  # imports what there is to import

    options = [f"-runs={runs}", f"-max_len={LENGTH}", f"-timeout={TIMEOUT}", "-rss_limit_mb=0"]
    options += [f"-artifact_prefix={folder}/{name}-", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], read, custom_mutator=mutator(target, seeds))
    atheris.Fuzz()


def main() -> None:
    """Run one target."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, default=Path("build/guided"))
    given = parser.parse_args()
    with own_folder() as own:
        run(given.target, given.runs, given.folder, Path(own))


if __name__ == "__main__":
    main()
