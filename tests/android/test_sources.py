"""What holds for the app's sources as they stand, without building anything."""

import re
import subprocess
import sys

import pytest


@pytest.fixture
def app(repository):
    return repository / "android_demo/app/src"


def strings(app):
    return (app / "main/res/values/strings.xml").read_text()


def sources(folder):
    return {path: path.read_text() for path in sorted(folder.rglob("*.java"))}


def test_nothing_waits_by_sleeping(app):
    sleeping = [path.name for path, text in sources(app).items() if re.search(r"\bsleep\(", text)]
    assert sleeping == []


def test_every_failure_that_is_said_is_said_in_a_test(app):
    names = set(re.findall(r'name="(error_\w+)"', strings(app)))
    titles = {f"error_{kind}_title" for kind in ("photo", "camera", "general")}
    tests = "\n".join(sources(app / "test").values())
    untested = {name for name in names if not re.search(rf"R\.string\.{name}\b", tests)}
    assert untested == titles


def test_every_text_is_used(app):
    names = set(re.findall(r'<string name="(\w+)"', strings(app)))
    used = "\n".join(sources(app / "main").values())
    for path in (app / "main").rglob("*.xml"):
        used += path.read_text()
    assert {n for n in names if not re.search(rf"(R\.string\.|@string/){n}\b", used)} == set()


def test_a_model_that_is_none_ends_with_what_is_legal(repository):
    program = repository / "android_demo/tools/make_apk.py"
    done = subprocess.run(
        [sys.executable, str(program), "--model=notes.txt"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "--model=notes.txt" in done.stderr and ".tflite or .sqz" in done.stderr
    assert "Traceback" not in done.stderr
