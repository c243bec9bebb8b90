"""The files that convert.py writes: their names, their sizes, and writing all or none of them.

Imports nothing heavy.
"""

import contextlib
import gzip
import json
import lzma
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import zstandard

from sqzkit.base import files
from sqzkit.coding import archive_files
from sqzkit.conversion.config import ConversionConfig
from sqzkit.conversion.options import ConversionOptions
from sqzkit.runs.folder import RunFolder


def default_name(options: ConversionOptions) -> str:
    """Return the name of the file in a run folder, such as "int8_per_channel.tflite"."""
    parts: list[str] = ["float32" if options.quantization == "none" else options.quantization]
    if options.has_integer_kernels:
        parts.append(options.granularity)
    if options.quantization == "int8" and options.inference_input_type != "int8":
        parts.append(str(options.inference_input_type))
    return "_".join(parts) + ".tflite"


def output_path(config: ConversionConfig) -> Path:
    """Return where the `.tflite` goes."""
    if config.output_file is not None:
        return Path(config.output_file)
    folder = RunFolder(Path(str(config.model_dir)))
    stage = f"{config.stage}_" if config.stage else ""
    optimized = f"{config.optimize.optimize_for}_" if config.optimize else ""
    name = stage + optimized + default_name(config.options)
    if config.teachable:
        name = name.replace(".tflite", "_teachable.tflite")
    return folder.conversions_path / name


def archive_path(path: Path) -> Path:
    """Return where the archive of the file at `path` lies."""
    return path.with_suffix(".sqz")


def update_path(path: Path) -> Path:
    """Return where the update to the file at `path` lies."""
    return path.with_suffix(archive_files.UPDATE_SUFFIX)


def sidecar_path(path: Path) -> Path:
    """Return where the record of the file at `path` lies."""
    return path.with_name(path.name + ".json")


def read_record(path: Path) -> dict[str, Any] | None:
    """Return the record beside the file at `path`; None if no conversion wrote it."""
    try:
        record = json.loads(sidecar_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict):
        return None
    ours = all(isinstance(record.get(name), dict) for name in ("flags", "sizes"))
    return record if ours and "sha256" in record else None


def is_whole(path: Path, record: dict[str, Any]) -> bool:
    """Return whether the file at `path`, and the archives it has, are the record's."""
    archives = {"sqz": archive_path(path), "update": update_path(path)}
    kept = [(archives[form], size) for form, size in record["sizes"].items() if form in archives]
    with contextlib.suppress(OSError):
        whole = all(archive.stat().st_size == size for archive, size in kept)
        return whole and files.sha256(path) == record["sha256"]
    return False


def refuse_existing(config: ConversionConfig) -> None:
    """Raise `UsageError` if an output exists and may not be replaced."""
    path = output_path(config)
    archives = [archive_path(path)] if config.archive else []
    archives += [update_path(path)] if config.base else []
    for output in (path, sidecar_path(path), *archives):
        files.refuse_existing(output, config.overwrite)


def refuse_early(config: ConversionConfig) -> None:
    """Do as `refuse_existing` where the name is known before the run is opened.

    A clustered run decides on the granularity, and with it on the name. Beside the
    record of a conversion it is looked at later whether that was the same one.
    """
    decided = config.granularity_given or not config.options.has_integer_kernels
    known = decided or config.output_file is not None
    if known and read_record(output_path(config)) is None:
        refuse_existing(config)


def write(
    path: Path, content: bytes, archives: Mapping[Path, bytes], record: dict[str, Any]
) -> None:
    """Write the file, its archives and its record, or none of them (`WriteError`).

    They are renamed into place when all are whole, the file itself last and the one
    before it removed first: where it is, its record and its archives are its own.
    """
    with contextlib.ExitStack() as stack:  # left in reverse
        stack.enter_context(files.atomic_path(path)).write_bytes(content)
        for target, archive in archives.items():
            stack.enter_context(files.atomic_path(target)).write_bytes(archive)
        sidecar = stack.enter_context(files.atomic_path(sidecar_path(path)))
        sidecar.write_text(files.json_text(record), encoding="utf-8")
        with files.writing(path):
            path.unlink(missing_ok=True)


def sizes(content: bytes) -> dict[str, int]:
    """Return bytes by form: "tflite" (as it is), "gzip" -9, "zstd" -19 and "xz" -9e."""
    # Side by side, because each leaves Python's lock to the others; the slowest begins first.
    with ThreadPoolExecutor() as pool:
        under_way = {form: pool.submit(compress, content) for form, compress in _FORMS.items()}
    compressed = {form: len(future.result()) for form, future in under_way.items()}
    return {"tflite": len(content), **{form: compressed[form] for form in ("gzip", "zstd", "xz")}}


_FORMS: dict[str, Callable[[bytes], bytes]] = {
    "xz": lambda content: lzma.compress(content, preset=9 | lzma.PRESET_EXTREME),
    "zstd": lambda content: zstandard.ZstdCompressor(level=19).compress(content),
    "gzip": lambda content: gzip.compress(content, compresslevel=9, mtime=0),
}
