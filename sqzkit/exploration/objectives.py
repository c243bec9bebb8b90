"""What a network is judged by, and how that is measured."""

import contextlib
import dataclasses
import importlib.util
import sys
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqzkit.base.errors import UsageError
from sqzkit.preprocessing import Preprocessing

if typing.TYPE_CHECKING:
    import numpy as np

    from sqzkit.base.keras import keras

LATENCY_RUNS = 50
LATENCY_WARMUP = 10


@dataclasses.dataclass(frozen=True)
class Objective:
    """One measure.

    Attributes:
      name: as on the command line.
      title: for tables and axes, with its unit.
      maximize: whether more is better.
      converted: whether it is measured on the converted file.
    """

    name: str
    title: str
    maximize: bool
    converted: bool


OBJECTIVES = {
    objective.name: objective
    for objective in (
        Objective("accuracy", "validation accuracy, %", True, False),
        Objective("parameters", "parameters", False, False),
        Objective("sqz_bytes", ".sqz, bytes", False, True),
        Objective("latency", "latency, ms", False, True),
    )
}


def select(names: Sequence[str]) -> tuple[Objective, ...]:
    """Return the objectives of those names, one to three different ones.

    Raises:
      UsageError: another number of them, an unknown name, or one that needs a
        converter or interpreter that is not installed.
    """
    for name in names:
        if name not in OBJECTIVES:
            raise UsageError(f"--objectives {name!r}: must be among {', '.join(OBJECTIVES)}")
    if not 1 <= len(names) <= 3 or len(set(names)) != len(names):
        raise UsageError(f"--objectives {','.join(names)}: give one, two or three different ones")
    chosen = tuple(OBJECTIVES[name] for name in names)
    for objective in chosen:
        if objective.converted:
            _require_converter(objective.name)
    return chosen


def _require_converter(name: str) -> None:
    for module, package in (
        ("tensorflow.lite", "tensorflow"),
        ("ai_edge_litert.interpreter", "ai-edge-litert"),
    ):
        try:
            found = importlib.util.find_spec(module.partition(".")[0])
        except ValueError:
            found = None
        if found is None:
            raise UsageError(
                f"--objectives {name}: is measured on the converted file, which needs {package}; "
                f"pip install {package}, or leave {name} out"
            )


@dataclasses.dataclass(frozen=True)
class Converted:
    """What was measured on a converted file.

    Attributes:
      tflite_bytes: its size.
      sqz_bytes: size of its archive.
      latency: fastest of `LATENCY_RUNS` inferences on one thread, ms, or None
        where it was not asked for. The fastest, because other workers of the
        study may use the machine at the same time.
    """

    tflite_bytes: int
    sqz_bytes: int
    latency: float | None


def measure_converted(
    model: "keras.Model",
    preprocessing: Preprocessing,
    labels: tuple[str, ...],
    representative: "np.ndarray",
    with_latency: bool,
    lock: Path,
) -> Converted:
    """Convert to int8 per tensor, the smallest archive, and measure that file.

    Args:
      model: a trained network, logits out.
      preprocessing: the record to follow.
      labels: class names.
      representative: uint8 [N, S, S, 3] for the ranges.
      with_latency: whether to time it.
      lock: file that lets one worker of this machine time at a time.
    """
    from sqzkit.coding import sqz
    from sqzkit.conversion.converter import convert_model
    from sqzkit.conversion.options import ConversionOptions
    from sqzkit.tflite.latency import measure

    options = ConversionOptions(quantization="int8", granularity="per_tensor")
    content = convert_model(model, preprocessing, labels, options, representative)
    latency = None
    if with_latency:
        with locked(lock):
            latency = round(measure(content, 1, LATENCY_RUNS, LATENCY_WARMUP).minimum_ms, 6)
    return Converted(len(content), len(sqz.pack(content)), latency)


def multiply_accumulates(model: "keras.Model") -> int:
    """Return the multiplications of one inference's convolutions."""
    from sqzkit.base.keras import keras

    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            _, height, width, _ = layer.output_shape
            total += height * width * layer.kernel.shape.num_elements()
    return total


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock between processes of this machine; a killed one lets go of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as stream:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
