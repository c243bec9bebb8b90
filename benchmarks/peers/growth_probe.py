"""One pass of everything at one size: photographs, training, conversion, archive, inference.

    python -m benchmarks.peers.growth_probe --photographs=DIR --image_size=64 --base_e=40

Prints one JSON line: seconds and peak memory of each step. The folder has one
subfolder a class.
"""

import json
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from benchmarks import script
from sqzkit.base import quiet
from sqzkit.data.source import DataSource

_PHOTOGRAPHS = flags.DEFINE_string("photographs", None, "Folder of photographs.", required=True)
_IMAGE_SIZE = flags.DEFINE_integer("image_size", 64, "Side of the input, pixels.")
_BASE_E = flags.DEFINE_integer("base_e", 40, "Width of the network; v1.1's is 128.")

_BATCH = 32
_CALIBRATION = 16
_INFERENCES = 20


def peak_mib() -> float:
    """Return the most resident memory since `forget_peak`, or since the start."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def forget_peak() -> None:
    """Let the kernel count the most resident memory anew (Linux 4.0 and later)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


class Ledger:
    """Seconds and peak memory by step."""

    def __init__(self) -> None:
        """Begin an empty one."""
        self.steps: dict[str, dict[str, float]] = {}

    def note(self, name: str, work: Callable[[], Any]) -> Any:
        """Do the work, note what it took, and return its result."""
        forget_peak()
        started = time.monotonic()
        result = work()
        self.steps[name] = {"seconds": time.monotonic() - started, "peak_mib": peak_mib()}
        return result


def _training(ledger: Ledger, dataset: Any, side: int) -> Any:
    """Train two epochs; the first traces the step, so only the second is noted."""
    import tensorflow as tf

    from sqzkit.models import spec, squeezenet
    from sqzkit.preprocessing import default
    from sqzkit.training import optimization, steps
    from sqzkit.training.options import FitOptions

    classes = len(dataset.labels)
    network = spec.named("v1_1", classes, base_e=_BASE_E.value, incr_e=_BASE_E.value)
    model = squeezenet.build(network, side)
    options = FitOptions(epochs=2, batch_size=_BATCH)
    optimizer = optimization.build_optimizer(options, model.trainable_variables)
    loss = steps.smoothed_cross_entropy(classes, 0.0)
    strategy = tf.distribute.get_strategy()
    stepper = steps.Stepper(model, optimizer, options, loss, strategy)

    def epoch(number: int) -> None:
        sums = steps.EpochSums()
        _, batches = steps.epoch_batches(dataset, default(side), options, strategy, number)
        for images, labels in batches:
            sums.add(stepper.train(images, labels))
        sums.read()

    images, labels = next(steps.epoch_batches(dataset, default(side), options, strategy, 0)[1])
    stepper.train(images, labels)
    ledger.note("train an epoch", lambda: epoch(1))
    return model


def _shipping(ledger: Ledger, model: Any, dataset: Any, side: int) -> None:
    from ai_edge_litert.interpreter import Interpreter

    from sqzkit.coding import sqz
    from sqzkit.conversion.converter import convert_model
    from sqzkit.conversion.options import ConversionOptions
    from sqzkit.data import pipeline
    from sqzkit.preprocessing import default

    pictures, _ = pipeline.raw_images(dataset, "train", default(side), _CALIBRATION, seed=1)
    labels, options = tuple(dataset.labels), ConversionOptions()
    content = ledger.note(
        "convert to int8",
        lambda: convert_model(model, default(side), labels, options, pictures),
    )
    sqz.pack(b"compile the coder")
    archive = ledger.note("pack", lambda: sqz.pack(content))
    ledger.note("unpack", lambda: sqz.unpack(archive))
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.invoke()

    def infer() -> float:
        times = []
        for _ in range(_INFERENCES):
            started = time.perf_counter()
            interpreter.invoke()
            times.append(time.perf_counter() - started)
        return statistics.median(times)

    seconds = ledger.note("infer", infer)
    ledger.steps["infer"]["seconds"] = seconds


def main(argv: Sequence[str]) -> None:
    """Measure every step once."""
    script.reject_arguments(argv)
    quiet.load_tensorflow()
    from sqzkit.data.open import open_dataset
    from sqzkit.data.store import open_store
    from sqzkit.preprocessing import default

    side, ledger = _IMAGE_SIZE.value, Ledger()
    start = peak_mib()
    source = DataSource(data_dir=_PHOTOGRAPHS.value)
    dataset = ledger.note("open the folder", lambda: open_dataset(source))
    ledger.note("decode", lambda: open_store(dataset, "train", default(side)))
    model = _training(ledger, dataset, side)
    _shipping(ledger, model, dataset, side)
    parameters = int(model.count_params())
    print(json.dumps({"start_mib": start, "parameters": parameters, "steps": ledger.steps}))


if __name__ == "__main__":
    script.run(main)
