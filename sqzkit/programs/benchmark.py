"""Time converted models on this machine.

    sqzkit benchmark --model=a.tflite --model=b.sqz --threads=1,2,4

Says nothing about a phone: the app measures there.
"""

import dataclasses
from typing import Any

from sqzkit.base import assembly, files
from sqzkit.base.errors import UsageError
from sqzkit.base.settings import Settings, setting
from sqzkit.programs import cli

_HEADER = f"{'threads':>7} {'median ms':>10} {'p90 ms':>8} {'min ms':>9} {'memory MiB':>11}"


@dataclasses.dataclass(frozen=True)
class BenchmarkSettings(Settings):
    """The flags of `sqzkit benchmark`."""

    model: tuple[str, ...] = setting(
        path=True, exists=True, repeated=True, help="A .tflite or .sqz file; may be given again."
    )
    threads: tuple[int, ...] = setting(
        (1, 2), minimum=1, maximum=256, help="Numbers of threads to measure with."
    )
    runs: int = setting(50, minimum=1, help="Inferences to measure for each.")
    warmup: int = setting(10, minimum=0, help="Inferences before those, which are not counted.")
    output_file: str | None = setting(None, path=True, help="Write the figures as JSON too.")
    overwrite: bool = setting(False, help="Replace the output file if it exists.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.threads:
            raise UsageError("--threads is empty: give numbers such as 1,2")


def main(given: dict[str, Any], arguments: list[str]) -> None:
    """Print a table for each model."""
    asked = assembly.build(BenchmarkSettings, given)
    if asked.output_file:
        files.refuse_existing(asked.output_file, asked.overwrite)
    # Imported here, so that --help and wrong flags answer at once.
    from sqzkit.tflite import latency

    print(f"{latency.machine()}; {asked.runs} runs after {asked.warmup} to warm up")
    records = [_measure(path, asked) for path in asked.model]
    if asked.output_file:
        files.write_json(asked.output_file, {"machine": latency.machine(), "models": records})


def _measure(path: str, asked: BenchmarkSettings) -> dict[str, Any]:
    from sqzkit.tflite import flatbuffer, latency
    from sqzkit.tflite.flatbuffer import TFLiteFile

    content = flatbuffer.load(path)
    model = TFLiteFile(content)
    source = model.tensors[model.inputs[0]] if model.inputs else None
    operators = model.operator_counts()
    shape = f"{source.dtype} {list(source.shape)}" if source else "no input"
    print(f"\n{path}: {len(content):,} bytes, {shape}")
    print("  " + ", ".join(f"{count} {name}" for name, count in operators.items()))
    print(_HEADER)
    rows = []
    for count in asked.threads:
        row = latency.measure(content, count, asked.runs, asked.warmup)
        print(
            f"{count:>7} {row.median_ms:>10.2f} {row.p90_ms:>8.2f} "
            f"{row.minimum_ms:>9.2f} {row.memory_mib:>11.1f}",
            flush=True,
        )
        rows.append(dataclasses.asdict(row))
    return {"model": path, "bytes": len(content), "operators": operators, "latency": rows}


PROGRAM = cli.Program("benchmark", main, (BenchmarkSettings,))

if __name__ == "__main__":
    cli.run(PROGRAM)
