"""Compare a `.sqz` with what people have, on models of their own.

python -m benchmarks.archive_sizes [--least_saving=5] MODEL.tflite...

Prints a Markdown table: bytes as `.sqz`, `xz -9e`, `zstd -19` and `gzip -9`
(deflate), what the `.sqz` saves against xz, and the seconds to pack and unpack
it. Every archive is unpacked and compared with its file.
"""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from benchmarks import script
from sqzkit.base.errors import RunError, UsageError

_LEAST = flags.DEFINE_float(
    "least_saving", None, "Fail (exit code 1) if a .sqz saves fewer per cent against xz."
)
TITLES = ("model", "bytes", ".sqz", "xz -9e", "zstd -19", "gzip -9", "below xz", "pack", "unpack")


@dataclasses.dataclass(frozen=True)
class Row:
    """One model: its name, bytes by form (`sizes`, and "sqz"), and seconds."""

    name: str
    sizes: dict[str, int]
    pack_seconds: float
    unpack_seconds: float

    @property
    def saving(self) -> float:
        """Per cent of the xz file that the `.sqz` does without."""
        return 100 * (1 - self.sizes["sqz"] / self.sizes["xz"])

    def to_markdown(self) -> str:
        """Return the row of the table."""
        forms = ("tflite", "sqz", "xz", "zstd", "gzip")
        cells = [self.name, *(f"{self.sizes[form]:,}" for form in forms), f"{self.saving:.1f} %"]
        return f"| {' | '.join(cells)} | {self.pack_seconds:.2f} s | {self.unpack_seconds:.2f} s |"


def measure(path: Path) -> Row:
    """Pack, unpack and compare one file.

    Raises:
      UsageError: it cannot be read.
      RunError: it did not come back bit for bit.
    """
    from sqzkit.coding import sqz
    from sqzkit.conversion.outputs import sizes

    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    start = time.perf_counter()
    archive = sqz.pack(content)
    packed = time.perf_counter()
    if sqz.unpack(archive) != content:
        raise RunError(f"{path}: the archive gives another file")
    unpacked = time.perf_counter()
    name = f"{path.parent.name}/{path.stem}"
    forms = {**sizes(content), "sqz": len(archive)}
    return Row(name, forms, packed - start, unpacked - packed)


def main(argv: Sequence[str]) -> None:
    """Print the table of the files in `argv`."""
    if len(argv) < 2:
        raise UsageError("name one .tflite or more (--help)")
    from sqzkit.coding import sqz

    sqz.unpack(sqz.pack(bytes(range(256)) * 8))  # loads what is compiled
    print(f"| {' | '.join(TITLES)} |\n|---" + "|---:" * (len(TITLES) - 1) + "|")
    rows = []
    for path in argv[1:]:
        rows.append(measure(Path(path)))
        print(rows[-1].to_markdown(), flush=True)
    least = min(rows, key=lambda row: row.saving)
    larger = [row.name for row in rows if row.sizes["sqz"] > row.sizes["gzip"]]
    print(f"\nat least {least.saving:.1f} % below xz; larger than gzip: {len(larger)}")
    if _LEAST.value is not None and (least.saving < _LEAST.value or larger):
        raise RunError(f"{', '.join(larger) or least.name}: saves less than was asked for")


if __name__ == "__main__":
    script.run(main)
