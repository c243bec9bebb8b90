"""The pages hang together: reachable, about what exists, with code that runs."""

import ast
import json
import re
import runpy
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import sqzkit
from benchmarks import report
from tests.command_lines import PAGES, TOP

ALL_PAGES = (*PAGES, *sorted((TOP / "benchmarks").glob("*.md")))
INDEX = TOP / "docs" / "index.md"
PACKAGE = TOP / "sqzkit"
MAVEN_PROPERTIES = {".expected", ".approve"}  # of android_demo/pom.xml
_LINK = re.compile(r"\[[^]]*\]\(([^)#:\s]+\.md)(?:#[\w-]*)?\)")
_CODE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"(?<![\w./-])sqzkit((?:\.[a-z]\w*)+)\b(?!-)")
_PATH = re.compile(r"`((?:sqzkit|tests|docs|benchmarks|android_demo)/[\w./*-]+)`")


def code_blocks(page):
    return _CODE.findall(page.read_text(encoding="utf-8"))


WITH_CODE = [page for page in ALL_PAGES if code_blocks(page)]


def named(page):
    return str(page.relative_to(TOP))


def test_every_page_is_reachable_from_the_index():
    reached, waiting = set(), [INDEX]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        links = _LINK.findall(page.read_text(encoding="utf-8"))
        waiting += [(page.parent / link).resolve() for link in links]
    assert {page for page in reached if not page.is_file()} == set()
    assert {named(page) for page in ALL_PAGES} <= {named(page) for page in reached}


def exists(dotted):
    """Whether `.a.b.c` is a module of sqzkit, or a name that is defined in one."""
    folder, parts = PACKAGE, dotted.strip(".").split(".")
    while parts and (folder / parts[0]).is_dir():
        folder /= parts.pop(0)
    if not parts:
        return True
    modules = [folder / f"{parts[0]}.py", PACKAGE / "programs" / f"{parts[0]}.py"]
    source = next((path for path in modules if path.is_file()), None)
    names = parts if source is None else parts[1:]
    text = (source or folder / "__init__.py").read_text(encoding="utf-8")
    return not names or re.search(rf"\b{names[0]}\b", text) is not None


def test_what_does_not_exist_is_noticed():
    assert exists(".tflite.classifier.Classifier")
    assert exists(".evolve")
    assert not exists(".tflite.classifier.Clasifier")
    assert not exists(".search.surgery")


# The changelog names modules as they were.
@pytest.mark.parametrize("page", [p for p in ALL_PAGES if p.stem != "CHANGELOG"], ids=named)
def test_modules_and_paths_that_a_page_names_exist(page):
    text = page.read_text(encoding="utf-8")
    names = set(_NAME.findall(text)) - MAVEN_PROPERTIES
    assert [name for name in names if not exists(name)] == []
    paths = [path for path in _PATH.findall(text) if not re.search(r"/target/|[A-Z]{6}", path)]
    assert [path for path in paths if not list(TOP.glob(path.rstrip("/")))] == []


@pytest.mark.parametrize("page", WITH_CODE, ids=named)
def test_every_python_block_compiles(page):
    for block in code_blocks(page):
        ast.parse(block)


def test_the_demo_ends_with_the_commands_that_the_readme_shows_next():
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    first, *after = re.search(r"```sh\n(.*?)```", readme, re.DOTALL)[1].splitlines()
    assert first.startswith("make demo ")
    call = ["make", "--dry-run", "--always-make", "demo", "VENV=.venv"]
    said = subprocess.run(call, cwd=TOP, capture_output=True, text=True, check=True).stdout
    shown = re.findall(r'^echo "  (.*)"$', said, re.MULTILINE)
    assert shown == [line.split("  #")[0].rstrip() for line in after]


def test_every_public_name_is_in_the_reference():
    page = (TOP / "docs" / "api.md").read_text(encoding="utf-8")
    public = getattr(sqzkit, "__all__", ())
    assert [
        name for name in public if not re.search(rf":: sqzkit\.(\w+\.)*{name}$", page, re.M)
    ] == []


def test_the_menu_of_the_site_is_that_of_the_index():
    conf = runpy.run_path(str(TOP / "docs" / "conf.py"))
    source = [
        "# T\n\n## One\n\n- [A](a.md): first\n- [W](https://w.md)\n\n## Two\n\n- [B](../b.md)\n"
    ]
    conf["add_menu"](None, "docs/other", source)
    assert "toctree" not in source[0]
    conf["add_menu"](None, "docs/index", source)
    first, second = source[0].split("```{toctree}")[1:]
    assert first.split() == [":caption:", "One", ":hidden:", "A", "<a>", "```"]
    assert second.split() == [":caption:", "Two", ":hidden:", "B", "<../b>", "```"]


def test_names_that_share_a_text_in_a_docstring_get_an_entry_each():
    conf = runpy.run_path(str(TOP / "docs" / "conf.py"))
    lines = ["Title.", "Args:", "  a, b: both", "    of them.", "  c: alone, d: not."]
    conf["split_shared_fields"](None, "class", "C", object, None, lines)
    both = [f"  {name}: both" for name in "ab"]
    assert lines == [*lines[:2], both[0], lines[3], both[1], lines[3], "  c: alone, d: not."]


def test_the_results_page_is_made_of_the_recorded_figures():
    folder = TOP / "benchmarks"
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    drawn = [path.stem for path in (folder / "plots").glob("*.svg")]
    assert (folder / "RESULTS.md").read_text(encoding="utf-8") == report.page(results, drawn)


@pytest.fixture(scope="module")
def newcomers_folder(tmp_path_factory):
    """What the pages' examples find: photographs, and a run with its converted files."""
    folder = tmp_path_factory.mktemp("newcomer")
    random = np.random.default_rng(1)
    for number, name in enumerate(("cat", "dog")):
        place = folder / "photographs" / name
        place.mkdir(parents=True)
        for i in range(12):
            pixels = random.integers(120 * number, 120 * number + 120, (40, 48, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(place / f"{i}.png")
    Image.fromarray(pixels).save(folder / "photo.jpg")
    train = ["train.py", "--data_dir=photographs", "--model=tiny"]
    short = [f"--{stage}_epochs=1" for stage in ("train", "prune", "cluster", "quantize")]
    stages = "--stages=train,prune,cluster,quantize"
    convert = ["convert.py", "--model_dir=runs/mine", "--archive", "--max_accuracy_drop=100"]
    for program, *flags in (
        [*train, "--model_dir=runs/mine", "--train_epochs=2"],
        [*train, "--model_dir=runs/small", stages, *short],
        convert,
    ):
        call = [sys.executable, str(TOP / program), *flags]
        done = subprocess.run(
            call, cwd=folder, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, done.stderr
    shutil.copytree(folder / "runs/mine", folder / "runs/digits")
    made = folder / "runs/mine/conversions"
    shutil.copy(made / "int8_per_channel.sqz", folder / "model.sqz")
    for name in ("old", "new"):
        shutil.copy(made / "int8_per_channel.tflite", folder / f"{name}.tflite")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_CODE, ids=named)
def test_every_python_block_runs(page, newcomers_folder):
    """In order, in one process for each page."""
    script = "\n".join(code_blocks(page))
    call = [sys.executable, "-c", script]
    done = subprocess.run(
        call, cwd=newcomers_folder, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
