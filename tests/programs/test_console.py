"""The console command: subcommands, their help, and what it says of a wrong call."""

import json
import os
import subprocess
import sys

import pytest

from sqzkit import __main__ as console
from sqzkit.programs import cli
from tests.command_lines import programs

NO_MODULE = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocked())
from sqzkit.__main__ import main
main(["sqzkit", *sys.argv[1:]])
"""


def sqzkit(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "sqzkit", *map(str, arguments)],
        capture_output=True, text=True, check=False, env={**os.environ, **environment},
    )  # fmt: skip


def test_every_program_is_a_subcommand(capsys):
    with pytest.raises(SystemExit) as ended:
        console.main(["sqzkit", "--help"])
    assert ended.value.code == 0
    assert {path.stem for path in programs().values()} == set(console.COMMANDS)
    shown = capsys.readouterr().out
    for name, summary in console.COMMANDS.items():
        assert f"{name} " in shown and summary in shown


@pytest.mark.parametrize("name", console.COMMANDS)
def test_help_shows_every_flag_with_its_default(name):
    done = sqzkit(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: sqzkit {name}")
    module = __import__(f"sqzkit.programs.{name}", fromlist=["PROGRAM"])
    for flag, item in module.PROGRAM.flags().items():
        assert f"--{flag}" in done.stdout or f"--[no]{flag}" in done.stdout
        assert item.setting.help, flag
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "'trian' is not a command of sqzkit; did you mean train?"),
        (["zzz"], "The commands are train, convert, classify"),
        (["x" * 5000], "is not a command of sqzkit"),
        (["train", "--archive"], "--archive is not a flag of this program; it is one of convert"),
        (["convert", "--train_epoch=3"], "--train_epoch is not a flag of this program (see"),
        (["train", "--train_epoch=3"], "did you mean --train_epochs?"),
        (["train", "--" + "a" * 1000 + "=1"], "is not a flag of this program"),
        (["train", "--model_dir"], "model_dir"),
        (["evolve", "stray"], "unexpected argument 'stray'"),
        (["sqz", "pack"], "give one of pack, unpack, info, sign, verify and one file (--help)"),
        (["sqz", "pakc", "a"], "and one file; did you mean pack? (--help)"),
    ],
)
def test_a_wrong_call_exits_with_2_and_one_message(arguments, message):
    done = sqzkit(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr) < 500


def test_without_a_command_the_help_is_shown():
    done = sqzkit()
    assert (done.returncode, done.stdout) == (2, console.overview())


@pytest.mark.parametrize(
    ("blocked", "arguments", "extra"),
    [
        ("tensorflow", ["train", "--model_dir=run"], "train"),
        ("tensorflow", ["convert", "--model_dir=run"], "train"),
        ("optuna", ["explore", "--study_dir=study"], "explore"),
    ],
)
def test_a_missing_library_names_its_extra(tmp_path, blocked, arguments, extra):
    code = NO_MODULE.format(blocked=blocked)
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert f"{blocked} is not installed: install it with pip install 'sqzkit[{extra}]'" in (
        done.stderr
    )
    assert "Traceback" not in done.stderr


def test_what_a_program_says_after_ctrl_c_is_true_of_it():
    # tests/faults kills and resumes them, tests/serving fetch, tests/budget fit.
    resuming = {"train", "explore", "evolve", "compare", "fetch", "fit"}
    said = {
        path.stem: __import__(f"sqzkit.programs.{path.stem}", fromlist=["x"]).PROGRAM.if_interrupted
        for path in programs().values()
    }
    assert {name for name, text in said.items() if text == cli.RESUMES} == resuming
    assert "resume" not in " ".join(text for name, text in said.items() if name not in resuming)


def test_ctrl_c_while_a_program_loads_ends_with_one_line(monkeypatch, capsys):
    def load(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(console.importlib, "import_module", load)
    with pytest.raises(SystemExit) as ended:
        console.main(["sqzkit", "train"])
    assert (ended.value.code, capsys.readouterr().err) == (cli.INTERRUPTED, "interrupted\n")


def test_without_a_place_for_compiled_code_programs_still_run(tmp_path):
    """As on a read-only installation without a home. Root may write anywhere: numba is told."""
    (tmp_path / "file").touch()
    (tmp_path / "a.bin").write_bytes(bytes(1000))
    places = {
        "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator",
        "NUMBA_CACHE_DIR": str(tmp_path / "file" / "cache"),
    }
    done = sqzkit("sqz", "pack", tmp_path / "a.bin", **places)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.bin.sqz").exists()


def test_two_programs_live_in_one_process_beside_foreign_flags():
    code = (
        "import json\n"
        "from absl import flags\n"
        "flags.DEFINE_integer('model_dir', 5, 'of somebody else')\n"
        "from sqzkit.programs import convert, evolve, flags as ours, train\n"
        "known = [p.PROGRAM.flags() for p in (train, convert, evolve)]\n"
        "given = [ours.parse(['x', '--model_dir=a', '--seed=2'], k)[0] for k in known]\n"
        "flags.FLAGS(['x'])\n"
        "print(json.dumps([g['model_dir'] for g in given] + [flags.FLAGS.model_dir]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == ["a", "a", "a", 5]
