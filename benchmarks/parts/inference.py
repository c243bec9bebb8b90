"""Latency of the same weights in five runtimes, float and int8."""

import json

from benchmarks.compare import Entry, compared
from benchmarks.settings import Result, Settings, Task

RUNS = {227: 12, 96: 40}  # inferences in one turn
RUNTIMES = (
    ("sqzkit's .tflite in LiteRT", "infer_tflite", ""),
    ("ONNX Runtime", "infer_onnxruntime", ""),
    ("ncnn", "infer_ncnn", ""),
    ("OpenVINO", "infer_openvino", ""),
    ("PyTorch eager", "infer_torch", "eager"),
    ("PyTorch compiled, frozen", "infer_torch", "compiled"),
)


def entries(settings: Settings, side: int, threads: int, precision: str) -> list[Entry]:
    """Return the contenders of one comparison."""
    same = {
        "assets": str(settings.assets),
        "side": side,
        "threads": threads,
        "precision": precision,
        "runs": RUNS[side],
    }
    return [
        Entry(
            "PyTorch int8" if precision == "int8" and module == "infer_torch" else name,
            module,
            {**same, "mode": mode},
            ours=module == "infer_tflite",
        )
        for name, module, mode in RUNTIMES
        if not (precision == "int8" and mode == "compiled")
    ]


def measure(settings: Settings, side: int, threads: int, precision: str) -> Result:
    """Measure milliseconds, and count the pictures that are answered as float Keras does."""
    result = compared(entries(settings, side, threads, precision), settings, settings.rounds)
    record = json.loads((settings.assets / "done.json").read_text(encoding="utf-8"))
    expected = record["answers"][str(side)]
    for ready in result["ready"].values():
        answers = ready.pop("answers")
        ready["same_answers"] = sum(a == b for a, b in zip(answers, expected, strict=True))
        ready["pictures"] = len(expected)
    return {"side": side, "threads": threads, "precision": precision, **result}


def _task(side: int, threads: int, precision: str) -> Task:
    return lambda settings: measure(settings, side, threads, precision)


TASKS = {
    f"inference/{precision}_{side}px_{threads}_threads": _task(side, threads, precision)
    for side in RUNS
    for threads in (1, 2)
    for precision in ("float", "int8")
}
