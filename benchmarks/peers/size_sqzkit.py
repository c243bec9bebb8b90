"""Contender of sizes: `.sqz`, and what gzip, xz and zstd make of the same bytes."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import contender
from sqzkit.coding import spans, sqz
from sqzkit.tflite.sizes import sizes


def prepare(settings: dict[str, Any]) -> tuple[contender.Answer, contender.Measure]:
    """Pack every file of `settings["files"]`; write what others code of it into "folder".

    A `.tflite`'s constant tensors go to NAME.npz and all its other bytes to
    NAME.rest, for coders that take tensors and no files.
    """
    folder = Path(settings["folder"])
    sqz.pack(b"warm up")  # compiles the coder
    return {
        name: _packed(name, Path(path), folder) for name, path in settings["files"].items()
    }, dict


def _packed(name: str, path: Path, folder: Path) -> dict[str, Any]:
    content = path.read_bytes()
    started = time.monotonic()
    archive = sqz.pack(content)
    packed = time.monotonic()
    if sqz.unpack(archive) != content:
        raise RuntimeError(f"{name}: the archive gives back other bytes")
    seconds = {"pack": packed - started, "unpack": time.monotonic() - packed}
    _write_tensors(content, folder / name)
    return {"bytes": {**sizes(content), "sqz": len(archive)}, "seconds": seconds}


def _write_tensors(content: bytes, stem: Path) -> None:
    tensors, rest, end = {}, [], 0
    for index, span in enumerate(spans.find_spans(content)):
        stored = content[span.offset : span.offset + span.length]
        # Coders of tensors want a matrix; bytes of strings and scales stay with the rest.
        if span.role != "tensor" or span.dtype not in ("int8", "int32") or not span.shape:
            continue
        tensors[str(index)] = np.frombuffer(stored, f"<{np.dtype(span.dtype).str[1:]}").reshape(
            span.shape
        )
        rest.append(content[end : span.offset])
        end = span.offset + span.length
    rest.append(content[end:])
    np.savez(stem.with_suffix(".npz"), **tensors)
    stem.with_suffix(".rest").write_bytes(b"".join(rest))


if __name__ == "__main__":
    contender.serve(prepare)
