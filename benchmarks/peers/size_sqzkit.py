"""Contender of sizes: `.sqz`, and what gzip, xz and zstd make of the same bytes."""

import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import contender
from sqzkit.coding import han_net, planning, sqz
from sqzkit.conversion.outputs import sizes


def prepare(settings: dict[str, Any]) -> tuple[contender.Answer, contender.Measure]:
    """Pack every file of `settings["files"]`; write what others code of it into "folder".

    Its integer tensors go to NAME.npz and all other bytes to NAME.rest, for
    coders that take tensors and no files.
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
    _write_tensors(content, folder, name)
    return {"bytes": {**sizes(content), "sqz": len(archive)}, "seconds": seconds}


def _write_tensors(content: bytes, folder: Path, name: str) -> None:
    tensors: dict[str, Any]
    tensors, rest = net_tensors(content) if name.endswith(".net") else tflite_tensors(content)
    np.savez(folder / f"{name}.npz", **tensors)
    (folder / f"{name}.rest").write_bytes(rest)


def tflite_tensors(content: bytes) -> tuple[dict[str, Any], bytes]:
    """Return a file's integer tensors as NNCodec wants them, and all its other bytes.

    Kernels come as [filters, height, width, inputs] and become [filters, inputs, height, width].
    """
    tensors, rest, end = {}, [], 0
    for index, span in enumerate(planning.find_spans(content)):
        # Strings, and the scales of the tensors, stay with the rest.
        if span.role != "tensor" or span.dtype not in ("int8", "int32") or not span.shape:
            continue
        stored = np.frombuffer(content, span.dtype, math.prod(span.shape), span.offset)
        tensor = stored.reshape(span.shape)
        tensors[str(index)] = tensor.transpose(0, 3, 1, 2) if tensor.ndim == 4 else tensor
        rest.append(content[end : span.offset])
        end = span.offset + span.length
    return tensors, b"".join((*rest, content[end:]))


def net_tensors(content: bytes) -> tuple[dict[str, Any], bytes]:
    """Return a `.net`'s weights as codebook ranks counted from zero's, and all else it holds."""
    tensors, rest = {}, []
    for layer in han_net.read(content):
        order = np.argsort(layer.codebook, kind="stable").astype(np.uint8)
        rank = np.argsort(order, kind="stable").astype(np.int32)
        tensors[layer.convolution.name.replace("/", "_")] = rank[layer.codes] - rank[0]
        arrays = (layer.codebook[order], order, layer.bias)
        rest += [array.tobytes() for array in arrays]
    return tensors, b"".join(rest)


if __name__ == "__main__":
    contender.serve(prepare)
