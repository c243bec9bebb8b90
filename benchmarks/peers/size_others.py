"""Contender of sizes: brotli, zstd at its utmost, and NNCodec (DeepCABAC) for the tensors."""

import contextlib
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import brotli
import numpy as np
import zstandard

from benchmarks import contender

_UTMOST = 22


def prepare(settings: dict[str, Any]) -> tuple[contender.Answer, contender.Measure]:
    """Pack every file of `settings["files"]`, with its tensors in "folder"."""
    folder = Path(settings["folder"])
    return {
        name: _packed(name, Path(path), folder) for name, path in settings["files"].items()
    }, dict


def _packed(name: str, path: Path, folder: Path) -> dict[str, Any]:
    content = path.read_bytes()
    found: dict[str, Any] = {
        "bytes": {
            "brotli": len(brotli.compress(content, quality=11, lgwin=24)),
            "zstd_22": len(_zstd(content)),
        }
    }
    with np.load(folder / f"{name}.npz") as stored:
        tensors = {key: stored[key] for key in stored.files}
    if tensors:
        found["nncodec"] = _nncodec(tensors, (folder / f"{name}.rest").read_bytes())
    return found


def _zstd(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=_UTMOST).compress(content)


def _nncodec(tensors: dict[str, np.ndarray], rest: bytes) -> dict[str, Any]:
    """Return bytes of the tensors by NNCodec without loss, and of the rest by zstd."""
    from nncodec import nnc

    whole = {name: array.astype(np.int32) for name, array in tensors.items()}
    with tempfile.TemporaryDirectory() as folder, _quiet():
        started = time.monotonic()
        coded = nnc.compress(
            whole,
            bitstream_path=f"{folder}/weights.nnc",
            use_dq=False,
            param_opt=True,
            row_skipping=True,
            return_bitstream=True,
            verbose=False,
        )
        packed = time.monotonic()
        decoded = nnc.decompress(coded, verbose=False)
        seconds = {"pack": packed - started, "unpack": time.monotonic() - packed}
    for name, array in whole.items():
        if not np.array_equal(decoded[name], array):
            raise RuntimeError(f"NNCodec gives tensor {name} back changed")
    return {"tensors": len(bytes(coded)), "rest": len(_zstd(rest)), "seconds": seconds}


@contextlib.contextmanager
def _quiet() -> Any:
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


if __name__ == "__main__":
    contender.serve(prepare)
