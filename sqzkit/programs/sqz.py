"""Pack models into `.sqz` archives and back, bit for bit.

python -m sqzkit.sqz pack model.tflite            writes model.tflite.sqz
python -m sqzkit.sqz unpack model.tflite.sqz      writes model.tflite again
python -m sqzkit.sqz info model.tflite.sqz        says what is inside
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from absl import flags

from sqzkit.base import files
from sqzkit.base.errors import FormatError, UsageError
from sqzkit.programs import cli

SUFFIX = ".sqz"
Result = TypeVar("Result")

_OUTPUT = flags.DEFINE_string("output", None, "File to write (default: beside the input).")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace the output if it exists.")
_LIMIT = flags.DEFINE_integer(
    "limit", 256 << 20, "Largest file to unpack, in bytes.", lower_bound=1
)


def main(argv: Sequence[str]) -> None:
    """Run the command that `argv` names."""
    if len(argv) != 3 or argv[1] not in COMMANDS:
        raise UsageError(f"give one of {', '.join(COMMANDS)} and one file (--help)")
    COMMANDS[argv[1]](Path(argv[2]))


def _pack(path: Path) -> None:
    from sqzkit.coding import sqz  # brings numba

    output = Path(_OUTPUT.value or f"{path}{SUFFIX}")
    content = _read(path)
    if not _OVERWRITE.value and _holds(output, content):
        print(f"{output} holds {path} already")
        return
    files.refuse_existing(output, _OVERWRITE.value)
    archive = sqz.pack(content)
    files.write_bytes(output, archive)
    share = 100 * len(archive) / max(len(content), 1)
    print(f"{output}: {len(archive):,} bytes, {share:.1f} % of {len(content):,}")


def _unpack(path: Path) -> None:
    from sqzkit.coding import sqz  # brings numba

    output = Path(_OUTPUT.value or _without_suffix(path))
    files.refuse_existing(output, _OVERWRITE.value)
    content = _named(path, lambda archive: sqz.unpack(archive, _LIMIT.value), _LIMIT.value)
    files.write_bytes(output, content)
    print(f"{output}: {len(content):,} bytes, SHA-256 as packed")


def _info(path: Path) -> None:
    from sqzkit.coding import sqz

    found = _named(path, lambda archive: sqz.info(archive, _LIMIT.value), _LIMIT.value)
    print(f"{path}: {found.archive_size:,} bytes for a {found.kind} of {found.size:,}")
    print(f"SHA-256 {found.sha256}")
    print(f"{found.tensors} weight tensors with {found.weights:,} weights")
    for number, stream in enumerate(found.streams):
        print(f"stream {number}: {stream.size:>12,} -> {stream.coded:>10,}  {stream.method}")


def _holds(archive: Path, content: bytes) -> bool:
    """Return whether `archive` was packed from `content`: by a call that was killed later, say."""
    from sqzkit.coding import sqz

    try:
        found = sqz.info(archive.read_bytes(), _LIMIT.value)
    except (OSError, FormatError):
        return False
    return found.sha256 == hashlib.sha256(content).hexdigest()


def _without_suffix(path: Path) -> Path:
    if path.suffix != SUFFIX:
        raise UsageError(f"{path} does not end in {SUFFIX}: name the result with --output")
    return path.with_suffix("")


def _named(path: Path, work: Callable[[bytes], Result], limit: int) -> Result:
    """Return `work(content of path)`; its errors name the file."""
    try:
        # No archive is longer than its file by more than its header and some 80 bytes.
        return work(files.read_bytes(path, limit + (1 << 16)))
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


COMMANDS = {"pack": _pack, "unpack": _unpack, "info": _info}

if __name__ == "__main__":
    cli.run(main)
