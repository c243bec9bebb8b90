"""train.py as a user calls it: exit codes, messages, kills, and what is left behind."""

import json
import os
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from sqzkit.runs import lock
from sqzkit.runs.folder import RunFolder

TINY = (
    "--model=tiny",
    "--fire_modules=1",
    "--pool_after=conv1",
    "--dropout=0.3",
    "--train_epochs=3",
    "--train_batch_size=64",
)


@pytest.fixture
def command(repository):
    """Return the command line of train.py with flags."""
    return lambda *flags: [sys.executable, str(repository / "train.py"), *flags]


@pytest.fixture
def train(command, tmp_path):
    """Run train.py in an empty folder; return (exit code, stdout, stderr)."""

    def call(*flags, timeout=300):
        done = subprocess.run(
            command(*flags),
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            timeout=timeout,
        )
        return done.returncode, done.stdout, done.stderr

    return call


def kernels(path):
    """Return every array of a weights file by its name."""
    arrays = {}
    with h5py.File(path) as store:
        store.visititems(
            lambda name, item: (
                arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return arrays


def test_help_is_fast_and_lists_every_flag(train):
    started = time.process_time()
    before = os.times()
    code, out, _ = train("--help")
    after = os.times()
    assert time.process_time() - started < 1
    # Processor time of the child: wall time says more about what else is running.
    spent = after.children_user + after.children_system
    spent -= before.children_user + before.children_system
    assert spent < 1
    assert "--base_learning_rate" in out
    assert "--stages" in out
    assert code in (0, 1)  # absl's own code for --help is 1


def test_neither_help_nor_a_wrong_call_imports_tensorflow(command, repository):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command("--seed=1")[1:]],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert "sqzkit.training.config" in imported
    assert not imported & {"tensorflow", "tf_keras", "numba", "matplotlib"}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "--model_dir is missing"),
        (("--model_dir=run", "--mode=test"), "mode"),
        (("--model_dir=run", "--train_epochs=0"), "--train_epochs 0: must be 1 or more"),
        (("--model_dir=run", "--train_epochs=x"), "train_epochs"),
        (("--model_dir=run", "--learning_rate=1"), "learning_rate"),
        (("--model_dir=run", "--model=resnet"), "v1_0"),
        (("--model_dir=run", "--data_dir=a", "--tfds_name=b"), "give one of the two"),
        (("--model_dir=run", "--tfds_data_dir=b"), "without --tfds_name"),
        (("--model_dir=run", "--train_epochs=1", "--train_steps=1"), "give one of the two"),
        (("--model_dir=run", "--weights=v1_0", "--model=tiny"), "--weights=v1_0 fixes"),
        (("--model_dir=run", "--stages=prune,train"), "cannot follow"),
        (("--model_dir=run", "--cache_dir="), "--cache_dir is empty"),
        (
            ("--model_dir=run", "--stages=train,prune", "--distribution_strategy=parameter_server"),
            "--stages 'prune' with --distribution_strategy=parameter_server",
        ),
        (("--model_dir=run", "extra"), "unexpected argument 'extra'"),
    ],
)
def test_a_wrong_call_is_refused_before_anything_is_written(train, tmp_path, flags, message):
    code, _, error = train(*flags)
    assert code == 2
    assert message in error
    assert "Traceback" not in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("mode", ["train_and_eval", "eval"])
def test_a_run_folder_in_use_is_refused(train, tmp_path, mode):
    RunFolder(tmp_path / "run").write_spec({})
    with lock.hold(tmp_path / "run"):
        code, out, err = train(*TINY, "--model_dir=run", f"--mode={mode}")
    assert (code, out) == (2, "")
    assert f"--model_dir run: in use by process {os.getpid()} on " in err
    assert os.listdir(tmp_path / "run") == ["spec.json"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, repository):
    """A finished tiny run on the digits, and what was printed."""
    folder = tmp_path_factory.mktemp("finished")
    done = subprocess.run(
        [sys.executable, str(repository / "train.py"), "--model_dir=run", *TINY],
        capture_output=True, text=True, check=False, cwd=folder, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "run", done.stdout


def test_a_run_leaves_every_record(finished):
    folder, out = finished
    names = {path.name for path in folder.iterdir()}
    assert names >= {
        "commands.json",
        "data.json",
        "evaluation.json",
        "flags.json",
        "labels.txt",
        "layers.json",
        "metrics.jsonl",
        "preprocessing.json",
        "spec.json",
        "stages.json",
        "train.weights.h5",
    }
    assert "checkpoints" not in names
    assert not [name for name in names if name.startswith(".")]
    flags = json.loads((folder / "flags.json").read_text())["train"]
    assert (flags["train_epochs"], flags["model"]) == (3, "tiny")
    evaluation = json.loads((folder / "evaluation.json").read_text())
    assert evaluation["examples"] == 359
    assert out.count("train epoch") == 3
    assert "training: 3 epochs, batches of 64" in out


def test_the_same_command_again_changes_nothing(finished, train):
    folder, _ = finished
    before = (folder / "train.weights.h5").read_bytes()
    code, out, _ = train(f"--model_dir={folder}", *TINY)
    assert code == 0
    assert "train epoch" not in out
    assert (folder / "train.weights.h5").read_bytes() == before


def test_eval_measures_and_writes_no_checkpoint(finished, train):
    folder, _ = finished
    before = {path.name: path.stat().st_mtime_ns for path in folder.rglob("*")}
    code, out, error = train(f"--model_dir={folder}", "--mode=eval")
    assert code == 0, error
    assert "train on 359 test images: top-1" in out
    after = {path.name: path.stat().st_mtime_ns for path in folder.rglob("*")}
    changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    assert {name for name in changed if not name.endswith(".png")} <= {
        "evaluation.json",
        "mistakes",
    }


def test_in_a_cluster_only_the_chief_evaluates(finished, train, monkeypatch):
    folder, _ = finished
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    cluster = {"worker": ["localhost:1", "localhost:2"]}
    task = {"type": "worker", "index": 1}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
    assert train(f"--model_dir={folder}", "--mode=eval") == (0, "", "")
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def wait_for_epoch(process, epoch):
    """Read the process's output up to the line of `epoch`."""
    for line in process.stdout:
        if f"train epoch {epoch}/" in line:
            return
    raise AssertionError("the process ended before")


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_run_goes_on_and_ends_with_the_same_weights(finished, command, tmp_path, sent):
    flags = ("--model_dir=run", *TINY)
    process = subprocess.Popen(
        command(*flags), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONFAULTHANDLER": "1"},  # where a library crashed, if one does
    )  # fmt: skip
    wait_for_epoch(process, 2)
    started = time.monotonic()
    process.send_signal(sent)
    _, error = process.communicate(timeout=60)
    assert process.returncode == (-9 if sent == signal.SIGKILL else 130), error
    if sent != signal.SIGKILL:
        assert time.monotonic() - started < 10  # 2 s on a quiet machine
        assert error.splitlines()[-1].startswith("interrupted")
    assert not (tmp_path / "run" / "stages.json").exists()
    done = subprocess.run(
        command(*flags), capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "resumes after epoch" in done.stdout
    undisturbed = kernels(finished[0] / "train.weights.h5")
    resumed = kernels(tmp_path / "run" / "train.weights.h5")
    assert undisturbed.keys() == resumed.keys()
    for name, array in undisturbed.items():
        np.testing.assert_array_equal(array, resumed[name], err_msg=name)
    metrics = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").open()]
    assert [line["epoch"] for line in metrics] == [1, 2, 3]
