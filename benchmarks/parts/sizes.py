"""Bytes of the same weights in our archive and in others'."""

import json
from pathlib import Path
from typing import Any

from benchmarks.compare import Entry, compared
from benchmarks.settings import Result, Settings

SIDE = 227
NET = "compressed_SqueezeNet.net"
QUANTIZED = "int8 by ai-edge-quantizer"


def measure(settings: Settings) -> Result:
    """Return bytes by file and form; every archive was unpacked and compared."""
    folder = settings.folder("sizes")
    files, quantized = _files(settings, folder)
    told = {"files": {name: str(path) for name, path in files.items()}, "folder": str(folder)}
    ours = _answer(Entry("sqzkit", "size_sqzkit", told, ours=True), settings)
    others = _answer(Entry("others", "size_others", told), settings)
    rows = {}
    for name in files:
        row = {**ours[name]["bytes"], **others.get(name, {}).get("bytes", {})}
        coded = others.get(name, {}).get("nncodec")
        if coded:
            row["nncodec"] = coded["tensors"] + coded["rest"]
        rows[name] = {"bytes": row, "seconds": ours[name]["seconds"], "nncodec": coded}
    return {"files": rows, "quantizer": quantized, "refused": others.get("refused", {})}


def _files(settings: Settings, folder: Path) -> tuple[dict[str, Path], dict[str, Any]]:
    """Return the files to pack by what the table calls them, and the quantizer's answers."""
    published = {
        kind: settings.assets / f"published_{SIDE}_{kind}.tflite"
        for kind in ("float", "int8", "int8_per_tensor")
    }
    files = {
        "float32": published["float"],
        "int8 per channel": published["int8"],
        "int8 per tensor": published["int8_per_tensor"],
    }
    made = folder / "quantizer.tflite"
    pictures = settings.assets / f"pictures_{SIDE}.npy"
    told = {"float": str(published["float"]), "output": str(made), "pictures": str(pictures)}
    answer = _answer(Entry(QUANTIZED, "quantize_aeq", told), settings)
    if "answers" in answer:
        record = json.loads((settings.assets / "done.json").read_text(encoding="utf-8"))
        pairs = zip(answer.pop("answers"), record["answers"][str(SIDE)], strict=True)
        answer["same_answers"] = sum(a == b for a, b in pairs)
        files[QUANTIZED] = made
    net = Path(settings.weights_dir or "") / NET
    if settings.weights_dir and net.is_file():
        files["Song Han's .net"] = net
    return files, answer


def _answer(entry: Entry, settings: Settings) -> dict[str, Any]:
    """Return what a contender found when it was prepared, or {"refused": ...}."""
    result = compared([entry], settings, rounds=0)
    return result["ready"].get(entry.name, {"refused": result["refused"]})


TASKS = {"sizes/published": measure}
