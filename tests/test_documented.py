"""What the pages show exists, and what exists is exercised by a test."""

import re
import subprocess
import sys

import pytest

from tests.command_lines import PAGES, TOP, documented, own_flags, probe, programs

PROGRAMS = programs()
TESTS = {
    path: path.read_text(encoding="utf-8")
    for path in (TOP / "tests").rglob("*.py")
    if "fuzz" not in path.relative_to(TOP).parts
}
# Where a program's flags may be exercised: tests that name it, or build the records it fills.
RECORDS = {
    "train.py": r"TrainingConfig|CompressionConfig|FitOptions|DataSource|compression_config",
    "convert.py": r"ConversionConfig|ConversionOptions|OptimizeConfig",
    "-m sqzkit.explore": r"ExploreConfig|explore_toys",
    "-m sqzkit.evolve": r"EvolveConfig",
}


def test_all_programs_are_found():
    assert {"train.py", "convert.py", "-m sqzkit.sqz", "-m sqzkit.report"} <= set(PROGRAMS)
    assert len(PROGRAMS) >= 10


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_documented_command_line_is_understood(name):
    found = probe(PROGRAMS[name], documented().get(name, []))
    assert found["wrong"] == {}
    assert found["heavy"] == []


def test_every_other_documented_script_has_the_flags_shown():
    others = {name: lines for name, lines in documented().items() if name not in PROGRAMS}
    for name, lines in others.items():
        if name in ("-m pytest", "-m venv", "-m sqzkit.NAME"):
            continue
        path = TOP / (name.removeprefix("-m ").replace(".", "/") + ".py" if "-m " in name else name)
        folder = path.with_suffix("") / "__main__.py"
        source = (path if path.exists() else folder).read_text(encoding="utf-8")
        for argument in (word for line in lines for word in line if word.startswith("--")):
            assert argument.split("=")[0] in source, (name, argument)


def test_every_flag_that_a_page_names_exists():
    known = {flag for name in PROGRAMS for flag in own_flags(name)}
    folders = ("android_demo/tools", "benchmarks", "tests/coding", "tests/fuzz")
    scripts = [path for folder in folders for path in (TOP / folder).rglob("*.py")]
    others = "\n".join(path.read_text(encoding="utf-8") for path in scripts)
    foreign = ("help", "test_env", "fix", "requirement")  # of bazel, ruff and pip
    for page in PAGES:
        for flag in re.findall(r"(?<![\w-])--(\w+)", page.read_text(encoding="utf-8")):
            plain = flag.removeprefix("no") if flag not in known else flag
            fits = plain in known or f"--{flag}" in others
            assert fits or flag in foreign, f"{page.name} names --{flag}"


def test_every_make_target_that_a_page_names_exists():
    targets = re.findall(r"^([\w-]+):", (TOP / "Makefile").read_text(encoding="utf-8"), re.M)
    for page in PAGES:
        for target in re.findall(r"(?:^|`|&& )make ([a-z-]+)", page.read_text("utf-8"), re.M):
            assert target in targets, f"{page.name} names make {target}"


def test_every_test_that_a_page_names_exists():
    for page in PAGES:
        for path in re.findall(r"pytest ((?:[\w/.]+\.py ?)+)", page.read_text(encoding="utf-8")):
            assert all((TOP / name).exists() for name in path.split()), (page.name, path)


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_flag_is_exercised_by_a_test(name):
    """No flag is excused: each stands in a test of its program, or of the record it fills."""
    stem = PROGRAMS[name].stem
    called = rf'{re.escape(name.removeprefix("-m "))}|sqzkit {stem}\b|^    "{stem}": \('
    near = re.compile(f"{called}|{RECORDS[name]}" if name in RECORDS else called, re.MULTILINE)
    texts = [text for path, text in TESTS.items() if near.search(text)]
    missing = [
        flag
        for flag in own_flags(name)
        if not any(re.search(rf"--(no)?{flag}\b|\b{flag}=|[\"']{flag}[\"']", t) for t in texts)
    ]
    assert missing == []


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_takes_less_than_a_second(name):
    """Of processor time, the best of three: how long a busy machine makes it wait says nothing."""
    call = f"import resource, subprocess, sys; subprocess.run([sys.executable, *{name.split()!r}, "
    call += "'--help'], capture_output=True); used = resource.getrusage(resource.RUSAGE_CHILDREN); "
    call += "print(used.ru_utime + used.ru_stime)"
    times = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", call], capture_output=True, text=True, check=True, cwd=TOP
        )
        times.append(float(done.stdout))
        if times[-1] < 1:
            return
    pytest.fail(f"{name} --help took {min(times):.2f} s")
