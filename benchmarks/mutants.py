"""Measure by small faults, one at a time, how much the fast tests of a package notice.

    python -m benchmarks.mutants --package=training --sample=100

Each module sqzkit/PACKAGE/NAME.py is changed by cosmic-ray (a comparison turned round, a number
one larger, a branch never taken, ...) in a copy of the checkout, and judged by
tests/PACKAGE/test_NAME.py without the slow tests, or by all of tests/PACKAGE if none of those is
fast. A sample is drawn by seed, since thousands of faults take hours. Exit code 1: fewer than
`--bar` of them were noticed. The survivors are printed: a test should notice each, unless it
changes nothing that can be seen.

`make mutants PACKAGE=training SAMPLE=100` runs it.
"""

import argparse
import random
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = f"{sys.executable} -m pytest -x -q -p no:cacheprovider -m 'not slow'"
NO_TESTS = (4, 5)  # pytest's exit codes: no such file; none is fast
CONFIGURATION = """
[cosmic-ray]
module-path = "{module}"
timeout = {timeout}
excluded-modules = []
test-command = "{command} {tests}"

[cosmic-ray.distributor]
name = "local"
"""
COPIED = ("sqzkit", "tests", "benchmarks", "pyproject.toml", "train.py", "convert.py")


def changes_nothing(operator: str, line: str) -> bool:
    """Return whether a fault in this line only changes an annotation, an import or a decorator."""
    annotated = "BitOr" in operator and (":" in line or "->" in line)
    return annotated or line.startswith(("@", "import ", "from ", "class "))


def draw(database: Path, module: Path, sample: int, seed: int) -> int:
    """Leave a sample of the faults in cosmic-ray's `database`; return its size."""
    lines = module.read_text(encoding="utf-8").splitlines()
    with sqlite3.connect(database) as store:
        found = store.execute(
            "select job_id, operator_name, start_pos_row from mutation_specs"
        ).fetchall()
        seen = [
            job for job, name, row in found if not changes_nothing(name, lines[row - 1].strip())
        ]
        kept = set(random.Random(seed).sample(seen, min(sample, len(seen))))
        for job, *_ in found:
            if job not in kept:
                store.execute("delete from mutation_specs where job_id = ?", (job,))
                store.execute("delete from work_items where job_id = ?", (job,))
    return len(kept)


def judges(checkout: Path, own: Path) -> Path:
    """Return which tests judge a module: its own, or its package's if none of those is fast."""
    for tests in (own, own.parent):
        call = [*shlex.split(TESTS), str(tests)]
        code = subprocess.run(call, cwd=checkout, check=False, stdout=subprocess.DEVNULL).returncode
        if code == 0:
            return tests
        if code not in NO_TESTS:
            break
    sys.exit(f"{tests} must pass before a fault is tried")


def run(checkout: Path, module: Path, tests: Path, sample: int, seed: int) -> tuple[int, list[str]]:
    """Return how many faults were tried in `module`, and a line for each that survived."""
    configuration, database = checkout / "mutants.toml", checkout / "mutants.sqlite"
    database.unlink(missing_ok=True)
    text = CONFIGURATION.format(module=module, command=TESTS, tests=tests, timeout=600.0)
    configuration.write_text(text, encoding="utf-8")
    tool = [sys.executable, "-m", "cosmic_ray.cli"]
    subprocess.run([*tool, "init", configuration.name, database.name], cwd=checkout, check=True)
    lines = (checkout / module).read_text(encoding="utf-8").splitlines()
    tried = draw(database, checkout / module, sample, seed)
    subprocess.run([*tool, "exec", configuration.name, database.name], cwd=checkout, check=True)
    with sqlite3.connect(database) as store:
        found = store.execute(
            "select operator_name, start_pos_row from mutation_specs natural join work_results "
            "where test_outcome like '%SURVIVED%' order by start_pos_row"
        ).fetchall()
    return tried, [f"{module}:{row} {name}: {lines[row - 1].strip()}" for name, row in found]


def main() -> None:
    """Read the arguments, try the faults and print the score."""
    parser = argparse.ArgumentParser(description="Try small faults against a package's tests.")
    parser.add_argument("--package", required=True, help="such as training")
    parser.add_argument("--module", help="only this one, such as fit")
    parser.add_argument("--sample", type=int, default=25, help="faults tried in each module")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--bar", type=float, default=0.85, help="share that must be noticed")
    arguments = parser.parse_args()
    package = Path("sqzkit") / arguments.package
    names = (
        [arguments.module] if arguments.module else sorted(p.stem for p in package.glob("[!_]*.py"))
    )
    tried, survivors = 0, []
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder)
        for name in COPIED:
            copy = shutil.copytree if Path(name).is_dir() else shutil.copyfile
            copy(name, checkout / name)
        for name in names:
            tests = judges(checkout, Path("tests") / arguments.package / f"test_{name}.py")
            count, left = run(
                checkout, package / f"{name}.py", tests, arguments.sample, arguments.seed
            )
            tried, survivors = tried + count, survivors + left
            print(f"{package / name}.py: {count - len(left)} of {count} noticed", flush=True)
    print("\n".join(survivors))
    share = 1 - len(survivors) / max(tried, 1)
    print(f"{arguments.package}: {share:.1%} of {tried} faults were noticed")
    sys.exit(share < arguments.bar)


if __name__ == "__main__":
    main()
