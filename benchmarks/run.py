"""Measure sqzkit beside its peers, and write RESULTS.md.

    make benchmark
    python -m benchmarks.run --only=training,inference/int8 --weights_dir=DIR --photographs=DIR

Each part's figures are kept in --work_dir: a call that was interrupted goes on
with the parts that are missing. Give the machine's cores to nothing else.
"""

import json
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from benchmarks import machine, report
from benchmarks.contender import REPOSITORY
from benchmarks.parts import conversion, growth, inference, sizes, startup, training
from benchmarks.process import run as run_program
from benchmarks.settings import Settings, Task
from sqzkit import cli, files
from sqzkit.errors import UsageError

_ONLY = flags.DEFINE_list("only", None, "Parts to measure, by the beginnings of their names.")
_AGAIN = flags.DEFINE_boolean("again", False, "Measure parts anew whose figures are there.")
_WORK_DIR = flags.DEFINE_string("work_dir", "build/benchmarks", "Folder for what is kept.")
_RESULTS_DIR = flags.DEFINE_string("results_dir", "benchmarks", "Folder of RESULTS.md, plots.")
_PEERS_PYTHON = flags.DEFINE_string(
    "peers_python", "benchmarks/.venv/bin/python", "Interpreter that has requirements.txt."
)
_WEIGHTS_DIR = flags.DEFINE_string("weights_dir", None, "Folder that may hold the weights.")
_PHOTOGRAPHS = flags.DEFINE_string("photographs", None, "Folder to calibrate on; else made up.")
_ROUNDS = flags.DEFINE_integer("rounds", 7, "How often each contender is measured.", 1)
_QUICK = flags.DEFINE_boolean("quick", False, "Measure once, to see that everything runs.")

TASKS: Mapping[str, Task] = {
    **training.TASKS,
    **inference.TASKS,
    **sizes.TASKS,
    **conversion.TASKS,
    **startup.TASKS,
    **growth.TASKS,
}
OURS = ("tensorflow", "tf_keras", "ai-edge-litert", "numpy", "numba", "zstandard")
PEERS = (
    "torch",
    "onnxruntime",
    "ncnn",
    "openvino",
    "nncodec",
    "ai-edge-quantizer",
    "ai-edge-litert",
    "brotli",
    "zstandard",
    "numpy",
)


def chosen(only: Sequence[str] | None) -> list[str]:
    """Return the names of the parts that begin with one of `only`, in order.

    Raises:
      UsageError: one of them begins no part's name.
    """
    if only is None:
        return list(TASKS)
    for beginning in only:
        if not any(name.startswith(beginning) for name in TASKS):
            raise UsageError(f"--only={beginning}: begins none of {', '.join(TASKS)}")
    return [name for name in TASKS if name.startswith(tuple(only))]


def figures_path(settings: Settings, name: str) -> Path:
    """Return where the figures of a part are kept."""
    return settings.work_dir / "figures" / f"{name.replace('/', '.')}.json"


def measure(settings: Settings, names: Sequence[str], again: bool) -> None:
    """Measure the parts whose figures are missing, each kept as soon as it is done."""
    for name in names:
        path = figures_path(settings, name)
        if path.exists() and not again:
            print(f"{name}: measured before", flush=True)
            continue
        started = time.monotonic()
        result = TASKS[name](settings)
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(path, result)
        print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)
        for who, reason in result.get("refused", {}).items():
            print(f"  left out: {who}: {reason}", flush=True)


def collected(settings: Settings) -> dict[str, Any]:
    """Return all figures that are there, with what they were measured on."""
    found = {
        name: json.loads(figures_path(settings, name).read_text(encoding="utf-8"))
        for name in TASKS
        if figures_path(settings, name).exists()
    }
    listed = subprocess.run(
        [settings.peers_python, "-m", "benchmarks.machine", *PEERS],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(REPOSITORY)},
    )
    return {
        "machine": machine.describe(),
        "versions": {"sqzkit": machine.versions(*OURS), "peers": json.loads(listed.stdout)},
        "photographs": json.loads((settings.assets / "done.json").read_text())["photographs"],
        "tasks": found,
    }


def _make_assets(settings: Settings) -> None:
    if (settings.assets / "done.json").exists():
        return
    command = [settings.python, "-m", "benchmarks.assets", f"--assets_dir={settings.assets}"]
    if settings.weights_dir:
        command.append(f"--weights_dir={settings.weights_dir}")
    if settings.photographs:
        command.append(f"--photographs={settings.photographs}")
    run_program(command, settings.log)


def main(argv: Sequence[str]) -> None:
    """Measure, and write the report of all that was ever measured in the folder."""
    cli.reject_arguments(argv)
    names = chosen(_ONLY.value)
    python = shutil.which(_PEERS_PYTHON.value)
    if python is None:
        raise UsageError(f"--peers_python {_PEERS_PYTHON.value}: is not there; run make benchmark")
    settings = Settings(
        work_dir=Path(_WORK_DIR.value).resolve(),
        peers_python=str(Path(python).absolute()),  # resolved, it would leave its environment
        weights_dir=_WEIGHTS_DIR.value,
        photographs=_PHOTOGRAPHS.value,
        rounds=1 if _QUICK.value else _ROUNDS.value,
        quick=_QUICK.value,
    )
    settings.work_dir.mkdir(parents=True, exist_ok=True)
    _make_assets(settings)
    measure(settings, names, _AGAIN.value)
    print(f"wrote {report.write(collected(settings), Path(_RESULTS_DIR.value))}")


if __name__ == "__main__":
    cli.run(main)
