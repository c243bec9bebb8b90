"""The parts of the benchmark: which there are, measuring them, collecting their figures."""

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.contender import REPOSITORY
from benchmarks.parts import conversion, growth, inference, sizes, startup, training
from benchmarks.process import run as run_program
from benchmarks.settings import Settings, Task
from sqzkit.base import files
from sqzkit.base.errors import UsageError

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


def make_assets(settings: Settings) -> None:
    """Make what the contenders work on, unless it is there."""
    if (settings.assets / "done.json").exists():
        return
    command = [settings.python, "-m", "benchmarks.assets", f"--assets_dir={settings.assets}"]
    if settings.weights_dir:
        command.append(f"--weights_dir={settings.weights_dir}")
    if settings.photographs:
        command.append(f"--photographs={settings.photographs}")
    run_program(command, settings.log)
