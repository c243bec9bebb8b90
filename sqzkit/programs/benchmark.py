"""Time converted models on this machine.

    python -m sqzkit.benchmark --model=a.tflite --model=b.sqz --threads=1,2,4

Says nothing about a phone: the app measures there.
"""

from collections.abc import Sequence
from typing import Any

from absl import flags

from sqzkit.base import files
from sqzkit.base.errors import UsageError
from sqzkit.programs import cli

_MODEL = flags.DEFINE_multi_string("model", [], "A .tflite or .sqz file; may be given again.")
_THREADS = flags.DEFINE_list("threads", ["1", "2"], "Numbers of threads to measure with.")
_RUNS = flags.DEFINE_integer("runs", 50, "Inferences to measure for each.")
_WARMUP = flags.DEFINE_integer("warmup", 10, "Inferences before that, not counted.")
_OUTPUT_FILE = flags.DEFINE_string("output_file", None, "Write the figures as JSON too.")
_OVERWRITE = flags.DEFINE_boolean("overwrite", False, "Replace the output file if it exists.")

_HEADER = f"{'threads':>7} {'median ms':>10} {'p90 ms':>8} {'least ms':>9} {'memory MiB':>11}"


def main(argv: Sequence[str]) -> None:
    """Print a table for each model."""
    cli.reject_arguments(argv)
    threads = _checked()
    # Imported here, so that --help and wrong flags answer at once.
    from sqzkit.tflite import latency

    print(f"{latency.machine()}; {_RUNS.value} runs after {_WARMUP.value} to warm up")
    records = [_measure(path, threads) for path in _MODEL.value]
    if _OUTPUT_FILE.value:
        files.write_json(_OUTPUT_FILE.value, {"machine": latency.machine(), "models": records})


def _checked() -> list[int]:
    if not _MODEL.value:
        raise UsageError("--model is missing: give one or more .tflite or .sqz files")
    if _RUNS.value < 1:
        raise UsageError(f"--runs={_RUNS.value}: must be 1 or more")
    if _WARMUP.value < 0:
        raise UsageError(f"--warmup={_WARMUP.value}: must be 0 or more")
    if _OUTPUT_FILE.value:
        files.refuse_existing(_OUTPUT_FILE.value, _OVERWRITE.value)
    if not _THREADS.value or not all(
        item.isdecimal() and 1 <= int(item) <= 256 for item in _THREADS.value
    ):
        raise UsageError(f"--threads={','.join(_THREADS.value)}: must be numbers of 1..256")
    return [int(item) for item in _THREADS.value]


def _measure(path: str, threads: Sequence[int]) -> dict[str, Any]:
    from sqzkit.tflite import latency, model_file
    from sqzkit.tflite.flatbuffer import TFLiteFile

    content = model_file.load(path)
    model = TFLiteFile(content)
    source = model.tensors[model.inputs[0]] if model.inputs else None
    operators = model.operator_counts()
    shape = f"{source.dtype} {list(source.shape)}" if source else "no input"
    print(f"\n{path}: {len(content):,} bytes, {shape}")
    print("  " + ", ".join(f"{count} {name}" for name, count in operators.items()))
    print(_HEADER)
    rows = []
    for count in threads:
        row = latency.measure(content, count, _RUNS.value, _WARMUP.value)
        print(
            f"{count:>7} {row.median_ms:>10.2f} {row.p90_ms:>8.2f} "
            f"{row.minimum_ms:>9.2f} {row.memory_mib:>11.1f}",
            flush=True,
        )
        rows.append(row.to_json())
    return {"model": path, "bytes": len(content), "operators": operators, "latency": rows}


if __name__ == "__main__":
    cli.run(main)
