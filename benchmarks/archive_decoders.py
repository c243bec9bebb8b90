"""Time both decoders of `.sqz`, Python's and Java's, and Java's encoder on archives of your own.

python -m benchmarks.archive_decoders [--most_milliseconds=300] ARCHIVE.sqz...

Prints a Markdown table: bytes of the archive and of its file, and the
processor time of the quickest of some runs. `--most_milliseconds` is for decoders. Needs a JDK.
"""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from benchmarks import java_decoder, script
from sqzkit.base import files
from sqzkit.base.errors import RunError, UsageError

RUNS, PACKED = 12, 4  # the virtual machine compiles during the first ones
_MOST = flags.DEFINE_float(
    "most_milliseconds", None, "Fail (exit code 1) if a decoder takes longer for an archive."
)


def python_seconds(archive: bytes) -> tuple[float, bytes]:
    """Return the processor time of the quickest of some runs, and the file that comes out."""
    from sqzkit.coding import sqz

    best, content = float("inf"), b""
    for _ in range(RUNS // 2):
        start = time.thread_time()
        content = sqz.unpack(archive)
        best = min(best, time.thread_time() - start)
    return best, content


def java_seconds(java: java_decoder.JavaDecoder, archive: bytes, sha256: str) -> float:
    """Return the same for Java.

    Raises:
      RunError: another file came out.
    """
    answers = [java.decode(archive) for _ in range(RUNS)]
    if any(answer.sha256 != sha256 for answer in answers):
        raise RunError(f"the Java decoder gives another file: {answers[0].reason}")
    return min(answer.seconds for answer in answers)


def main(argv: Sequence[str]) -> None:
    """Print the table of the archives in `argv`."""
    from sqzkit.coding import container

    if len(argv) < 2:
        raise UsageError("name one .sqz archive or more (--help)")
    if not java_decoder.is_available():
        raise RunError("the Java decoder needs a JDK: javac is not on the path")
    slowest = 0.0
    print("| archive | bytes | of file | Python | Java | Java packs |")
    print("|---|---:|---:|---:|---:|---:|")
    with java_decoder.JavaDecoder(container.DEFAULT_LIMIT) as java:
        for name in argv[1:]:
            archive = files.read_bytes(name, container.DEFAULT_LIMIT)
            own, content = python_seconds(archive)
            other = java_seconds(java, archive, hashlib.sha256(content).hexdigest())
            slowest = max(slowest, own, other)
            sizes = f"{len(archive):,} | {len(content):,}"
            packing = min(answer.seconds for answer in java_decoder.pack([content] * PACKED))
            times = f"{1000 * own:.0f} ms | {1000 * other:.0f} ms | {1000 * packing:.0f} ms"
            print(f"| {Path(name).stem} | {sizes} | {times} |", flush=True)
    if _MOST.value is not None and 1000 * slowest > _MOST.value:
        raise RunError(f"{1000 * slowest:.0f} ms: more than was asked for")


if __name__ == "__main__":
    script.run(main)
