"""Training throughput of one network, batch and data: sqzkit, TensorFlow, PyTorch."""

import tempfile

from benchmarks.compare import Entry, compared
from benchmarks.settings import Result, Settings

BATCH = 32
TORCH_MODES = {
    "eager": "PyTorch eager",
    "channels_last": "PyTorch channels-last",
    "compiled": "PyTorch compiled",
    "compiled_channels_last": "PyTorch compiled, channels-last",
}
LOSS_TOLERANCE = 1e-3  # of the same weights' loss on the first batch


def entries(settings: Settings, threads: int, folder: str) -> list[Entry]:
    """Return all contenders with so many threads; runs go below `folder`."""
    same = {
        "graph": str(settings.assets / "training.npz"),
        "data": str(settings.assets / "training_data.npz"),
        "batch": BATCH,
        "threads": threads,
    }
    ours = [
        Entry(
            "sqzkit, train.py's loop" + ("" if augmentation == "none" else f", {augmentation}"),
            "train_sqzkit",
            {**same, "augmentation": augmentation, "folder": f"{folder}/{augmentation}"},
            ours=True,
        )
        for augmentation in ("none", "light")
    ]
    plain = [
        Entry(name, "train_plain", {**same, "xla": xla}, ours=True)
        for name, xla in (("TensorFlow, plain tf.function", False), ("TensorFlow, XLA", True))
    ]
    torch = [
        Entry(name, "train_torch", {**same, "mode": mode}) for mode, name in TORCH_MODES.items()
    ]
    return ours + plain + torch


def measure(settings: Settings, threads: int) -> Result:
    """Measure images a second; refuse networks that are not the same."""
    with tempfile.TemporaryDirectory(dir=settings.work_dir) as folder:
        result = compared(entries(settings, threads, folder), settings, settings.rounds)
    losses = {name: ready["loss"] for name, ready in result["ready"].items()}
    first = next(iter(losses.values()))
    others = {name: loss for name, loss in losses.items() if abs(loss - first) > LOSS_TOLERANCE}
    if others:
        raise RuntimeError(f"not the same network: loss {first} and {others}")
    return {"batch": BATCH, "threads": threads, **result}


TASKS = {
    "training/2_threads": lambda settings: measure(settings, 2),
    "training/1_thread": lambda settings: measure(settings, 1),
}
