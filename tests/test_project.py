"""The project's own rules, held by tests: which way imports point, what starts fast."""

import ast
import graphlib
import subprocess
import sys
import time

import pytest

# Lowest first. A package imports only from packages that stand before it, anywhere in a file.
LAYERS = (
    "base",
    "preprocessing",
    "coding",
    "tflite",
    "data",
    "models",
    "runs",
    "serving",
    "training",
    "compression",
    "ptq",
    "conversion",
    "reporting",
    "teaching",
    "exploration",
    "evolution",
    "budget",
    "paper",
    "api",
    "programs",
)
HEAVY = ("tensorflow", "tf_keras", "tensorflow_model_optimization", "numba", "matplotlib", "optuna")
PROGRAMS = ("train.py", "convert.py")


def imported_modules(tree, top_only=False):
    nodes = tree.body if top_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_package_has_a_layer(repository):
    folders = {path.parent.name for path in (repository / "sqzkit").glob("*/*.py")}
    modules = {path.stem for path in (repository / "sqzkit").glob("*.py")}
    # The package itself and its console command stand above all.
    assert folders | modules - {"__init__", "__main__"} == set(LAYERS)


def test_imports_point_down(repository):
    wrong = set()
    for rank, package in enumerate(LAYERS):
        for path in (repository / "sqzkit").rglob("*.py"):
            if path.relative_to(repository / "sqzkit").parts[0].removesuffix(".py") != package:
                continue
            for module in imported_modules(ast.parse(path.read_text(encoding="utf-8"))):
                parts = module.split(".")
                if parts[0] == "sqzkit" and len(parts) > 1 and parts[1] in LAYERS[rank + 1 :]:
                    wrong.add(f"{path.relative_to(repository)} imports {module}")
    assert not wrong, "\n".join(sorted(wrong))


def imported_files(path, root):
    """Yield the files of sqzkit that a file imports, whether at run time or for its types."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [[alias.name] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [[f"{node.module}.{alias.name}", node.module] for alias in node.names]
        for spellings in names:
            places = [root.joinpath(*name.split(".")) for name in spellings]
            files = [file for p in places for file in (p.with_suffix(".py"), p / "__init__.py")]
            yield from [file for file in files if file.exists()][:1]


def test_no_files_import_each_other_in_a_circle(repository):
    files = (repository / "sqzkit").rglob("*.py")
    graph = {path: set(imported_files(path, repository)) for path in files}
    assert sum(map(len, graph.values())) > 500
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, with the files


def test_each_keras_has_one_door(repository):
    doors = [repository / "sqzkit" / "base" / name for name in ("keras.py", "keras3.py")]
    for path in (repository / "sqzkit").rglob("*.py"):
        modules = set(imported_modules(ast.parse(path.read_text(encoding="utf-8"))))
        assert path in doors or not modules & {"tf_keras", "keras"}, path


def test_tf_mot_has_one_door(repository):
    door = repository / "sqzkit" / "compression" / "tfmot.py"
    for path in (repository / "sqzkit").rglob("*.py"):
        modules = imported_modules(ast.parse(path.read_text(encoding="utf-8")))
        inside = any(module.startswith("tensorflow_model_optimization") for module in modules)
        assert inside == (path == door), path


def test_coders_do_without_tensorflow(repository):
    for path in (repository / "sqzkit" / "coding").rglob("*.py"):
        modules = imported_modules(ast.parse(path.read_text(encoding="utf-8")))
        assert not any(module.split(".")[0] in ("tensorflow", "tf_keras") for module in modules), (
            path
        )


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_is_quick_and_loads_nothing_heavy(repository, program):
    code = (
        "import sys, runpy, atexit\n"
        f"atexit.register(lambda: print('HEAVY', [m for m in {HEAVY!r} if m in sys.modules]))\n"
        f"sys.argv = ['{program}', '--help']\n"
        f"runpy.run_path('{repository / program}', run_name='__main__')\n"
    )
    start = time.perf_counter()
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    elapsed = time.perf_counter() - start
    assert "--model_dir" in result.stdout
    assert "HEAVY []" in result.stdout
    # The bar is 1 s on a quiet machine; a busy one gets room, a heavy import (5 s) does not.
    assert elapsed < 3


def test_entry_files_are_thin(repository):
    for program in PROGRAMS:
        assert len((repository / program).read_text(encoding="utf-8").splitlines()) <= 120


def test_modules_and_functions_are_small(repository):
    large = []
    for path in (repository / "sqzkit").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(repository)
        if len(text.splitlines()) > 350:
            large.append(f"{name}: {len(text.splitlines())} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                length = body[-1].end_lineno - body[0].lineno + 1 if body else 0
                if length > 40:
                    large.append(f"{name}:{node.name}: {length} lines")
    assert not large, "\n".join(large)


def test_nothing_tracked_names_a_registry_or_this_machine(repository):
    words = ["repo1." + "maven", "pypi." + "org", "python" + "hosted", "registry." + "npmjs"]
    words += ["/work/" + "main", "/work/" + "shared", "/tmp/" + "sqz"]
    call = ["git", "grep", "-nIiF", *(part for word in words for part in ("-e", word))]
    result = subprocess.run(call, cwd=repository, capture_output=True, text=True, check=False)
    assert result.stdout == ""
