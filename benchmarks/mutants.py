"""Measure by small faults, one at a time, how much the fast tests of a package notice.

    python -m benchmarks.mutants --package=training --sample=100

Each module sqzkit/PACKAGE/NAME.py is changed by cosmic-ray's operators (a comparison turned
round, a number one larger, a branch never taken, ...) in a copy of the checkout, and judged by
the fast tests of tests/PACKAGE/test_NAME.py and then of the package's other files that import the
module, or, if there are none, of all of tests/PACKAGE. A sample is drawn by seed, since thousands
of faults take hours. Exit code 1: fewer than `--bar` of them were noticed. The survivors are
printed: a test should notice each, unless it changes nothing that can be seen.

The tests of each fault run in a fork of this process, which has imported TensorFlow and the other
large libraries: starting a new one took longer than the tests.

`make mutants PACKAGE=training SAMPLE=100` runs it.
"""

import argparse
import importlib
import importlib.util
import os
import random
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes, get_ast_from_path
from cosmic_ray.mutating import use_mutation

TIMEOUT = 300  # seconds; a fault that makes the tests hang is noticed
FOLDERS = ("sqzkit", "tests", "benchmarks", "android_demo")
FILES = ("pyproject.toml", "train.py", "convert.py")
BUILT = shutil.ignore_patterns("target", "__pycache__")  # some 260 MB where the app was built
# Nothing of ours: a fork must import the changed module itself.
LARGE = (
    *("tensorflow", "tf_keras", "tensorflow_model_optimization", "sklearn.datasets", "PIL.Image"),
    *("scipy.optimize", "hypothesis", "ai_edge_litert.interpreter", "optuna", "matplotlib.figure"),
)


def changes_nothing(operator: str, line: str) -> bool:
    """Return whether a fault in this line only changes an annotation, an import or a decorator."""
    annotated = "BitOr" in operator and (":" in line or "->" in line)
    return annotated or line.startswith(("@", "import ", "from ", "class "))


def faults(module: Path, sample: int, seed: int) -> list[tuple[int, str, int]]:
    """Return a sample of what can be changed in `module`: line, operator, its occurrence there."""
    nodes = list(ast_nodes(get_ast_from_path(module)))
    lines = module.read_text(encoding="utf-8").splitlines()
    found = []
    for name in sorted(plugins.operator_names()):
        operator = plugins.get_operator(name)
        if operator.arguments():
            continue
        places = [start for node in nodes for start, _ in operator().mutation_positions(node)]
        found += [
            (row, name, occurrence)
            for occurrence, (row, _) in enumerate(places)
            if not changes_nothing(name, lines[row - 1].strip())
        ]
    return sorted(random.Random(seed).sample(found, min(sample, len(found))))


def exit_code(checkout: Path, tests: Sequence[Path]) -> int:
    """Return pytest's exit code in `checkout`, or that of a fork which took too long."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        os.chdir(checkout)
        sys.path[:] = [str(checkout), *sys.path]
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        signal.alarm(TIMEOUT)
        options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow"]
        code = int(pytest.main([*options, *map(str, tests)]))
    except BaseException:
        code = 1
    os._exit(code)


def judges(checkout: Path, package: str, name: str) -> Iterator[list[Path]]:
    """Yield the fast tests that judge a module: its own, then those that import it, if there are.

    If there are neither, all of the package's. They are run once, and must pass.
    """
    folder, found = Path("tests") / package, False
    own = folder / f"test_{name}.py"
    imported = re.compile(rf"{package} import .*\b{name}\b|{package}\.{name} import")
    files = [path for path in sorted(folder.glob("test_*.py")) if imported.search(path.read_text())]
    for tests in ([own], [path for path in files if path != own], [folder]):
        if not tests or (found and tests == [folder]):
            continue
        code = exit_code(checkout, tests)
        if code == pytest.ExitCode.OK:
            found = True
            yield tests
        elif code not in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED):
            sys.exit(f"{', '.join(map(str, tests))} must pass before a fault is tried")


def survivors(
    checkout: Path, module: Path, tried: list[tuple[int, str, int]], groups: Iterator[list[Path]]
) -> list[str]:
    """Return a line for each of the faults that none of the groups of tests notices."""
    path, left = checkout / module, tried
    lines = path.read_text(encoding="utf-8").splitlines()
    for tests in groups:
        passed = []
        for row, name, occurrence in left:
            # Its time and size may be those of the one before.
            Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)
            with use_mutation(path, plugins.get_operator(name)(), occurrence):
                if exit_code(checkout, tests) == pytest.ExitCode.OK:
                    passed.append((row, name, occurrence))
        left = passed
        if not left:
            break
        Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)
    return [f"{module}:{row} {name}: {lines[row - 1].strip()}" for row, name, _ in left]


def main() -> None:
    """Read the arguments, try the faults and print the score."""
    parser = argparse.ArgumentParser(description="Try small faults against a package's tests.")
    parser.add_argument("--package", required=True, help="such as training")
    parser.add_argument("--modules", help="only these, such as fit,loop")
    parser.add_argument("--sample", type=int, default=25, help="faults tried in each module")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--bar", type=float, default=0.85, help="share that must be noticed")
    arguments = parser.parse_args()
    package = Path("sqzkit") / arguments.package
    every = sorted(path.stem for path in package.glob("[!_]*.py"))
    names = arguments.modules.split(",") if arguments.modules else every
    for library in LARGE:
        importlib.import_module(library)
    count = 0
    left: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder)
        for name in FOLDERS:
            shutil.copytree(name, checkout / name, ignore=BUILT)
        for name in FILES:
            shutil.copyfile(name, checkout / name)
        for name in names:
            module = package / f"{name}.py"
            tried = faults(module, arguments.sample, arguments.seed)
            groups = judges(checkout, arguments.package, name)
            found = survivors(checkout, module, tried, groups)
            count, left = count + len(tried), left + found
            print(f"{module}: {len(tried) - len(found)} of {len(tried)} noticed", flush=True)
            print(*found, sep="\n", end="\n" * bool(found), flush=True)
    share = 1 - len(left) / max(count, 1)
    print(f"{arguments.package}: {share:.1%} of {count} faults were noticed")
    sys.exit(share < arguments.bar)


if __name__ == "__main__":
    main()
