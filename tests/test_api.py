"""The library: what it offers, its documented examples, and what it refuses."""

import doctest
import os
import subprocess
import sys

import pytest

import sqzkit
from sqzkit import api
from sqzkit.coding import archive_files
from sqzkit.runs import lock
from sqzkit.teaching import teach as teaching
from tests.teaching.folders import save_photographs

PROGRAMS = ("train", "convert", "evolve", "explore", "fit", "compare")


def python(code, cwd=None):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=cwd
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_public_name_is_documented():
    assert set(sqzkit.__all__) <= set(dir(sqzkit))
    for name in sqzkit.__all__:
        assert getattr(sqzkit, name).__doc__, name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        sqzkit.trian  # noqa: B018


def test_importing_loads_nothing_heavy():
    heavy = ("tensorflow", "tf_keras", "numba", "numpy", "matplotlib", "optuna", "absl")
    code = f"import sys, sqzkit; print([m for m in {heavy!r} if m in sys.modules])"
    assert python(code) == "[]\n"
    code = f"import sys, sqzkit; sqzkit.train; print([m for m in {heavy!r} if m in sys.modules])"
    assert python(code) == "[]\n"


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_of_the_same_name_does_not_hide_the_function(name):
    code = (
        f"import sqzkit, sqzkit.{name}, sqzkit.{name} as aliased\n"
        f"print(callable(sqzkit.{name}), callable(aliased), sqzkit.{name} is aliased)"
    )
    assert python(code) == "True True True\n"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sqzkit.train(model_dir="x", train_epoch=3), "did you mean train_epochs?"),
        (lambda: sqzkit.train(model_dir="x", train_epochs=0), "--train_epochs 0: must be 1 or"),
        (lambda: sqzkit.train(model_dir="x", train_epochs="3"), "must be a whole number"),
        (lambda: sqzkit.train(model_dir="x", stages=("shrink",)), "--stages 'shrink'"),
        (lambda: sqzkit.compress("nowhere", codebook="x"), "--codebook 'x'"),
        (lambda: sqzkit.convert("nowhere", quantisation="int8"), "did you mean quantization?"),
        (sqzkit.convert, "give exactly one of --model_dir"),
        (lambda: sqzkit.evolve("nowhere", "out", population=0), "--population 0"),
        (lambda: sqzkit.explore(study_dir="s", base_e="x"), "--base_e 'x'"),
        (lambda: sqzkit.compare(output_dir="o", rows=("vgg",)), "--rows 'vgg'"),
        (lambda: sqzkit.fit(max_archive_bytes=0), "--max_archive_bytes 0: must be 1 or more"),
        (lambda: sqzkit.fit(max_archive_bytes=-5), "--max_archive_bytes -5: must be 1 or more"),
        (
            lambda: sqzkit.fit(max_archive_bytes=9, max_latency_ms=0),
            "--max_latency_ms 0.0: must be above 0",
        ),
        (lambda: sqzkit.unpack("model.bin"), "does not end in .sqz"),
        (lambda: sqzkit.write_report("nowhere"), "not a run folder"),
    ],
)
def test_wrong_calls_are_refused_by_name(call, message):
    with pytest.raises(sqzkit.SqzkitError) as refused:
        call()
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda folder: sqzkit.evolve("nowhere", folder),
        lambda folder: sqzkit.compare(output_dir=folder),
        lambda folder: sqzkit.fit(max_archive_bytes=9000, output_dir=folder),
        sqzkit.write_report,
    ],
    ids=["evolve", "compare", "fit", "report"],
)
def test_a_folder_that_another_process_writes_is_refused(call, tmp_path):
    (tmp_path / "spec.json").write_text("{}")
    with lock.hold(tmp_path), pytest.raises(sqzkit.SqzkitError, match="_dir .*: in use by process"):
        call(tmp_path)


@pytest.mark.slow
def test_the_documented_examples_run(tmp_path, monkeypatch, any_kernel):
    """In the order of the module, in one folder: each goes on with what the one before made."""
    monkeypatch.chdir(tmp_path)
    names = {"sqzkit": sqzkit}
    save_photographs(tmp_path / "photographs", {"red": 3, "blue": 3})
    count = 0
    for function in (
        api.train, api.compress, api.load_run, api.convert, archive_files.pack, teaching.teach,
    ):  # fmt: skip
        examples = doctest.DocTestParser().get_examples(function.__doc__)
        test = doctest.DocTest(examples, names, function.__name__, None, None, function.__doc__)
        failed = doctest.DocTestRunner(_Quiet()).run(test, clear_globs=False, out=lambda _: None)
        assert failed.failed == 0, function.__name__
        names, count = test.globs, count + len(examples)
    assert count >= 8
    run, model = names["run"], names["model"]
    assert os.fspath(run) == "digits"
    assert model.sizes["tflite"] == os.path.getsize(model)
    answers = sqzkit.Classifier(model.archive).classify(_photograph(tmp_path), top_k=3)
    assert len(answers) == 3
    commands = sqzkit.load_run(run).folder.read_record("commands")
    assert [command.split("sqzkit ")[1].split()[0] for command in commands] == [
        "train", "train", "convert",
    ]  # fmt: skip


class _Quiet(doctest.OutputChecker):
    """Compares the last lines: what a call prints on its way is not its result."""

    def check_output(self, want, got, optionflags):
        return got.endswith(want)


def _photograph(folder):
    from PIL import Image

    path = folder / "photo.png"
    Image.new("RGB", (40, 30), (10, 20, 30)).save(path)
    return path
