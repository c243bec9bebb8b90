"""Record what every program writes in small seeded runs, to show that a change changes no result.

    python benchmarks/seeded_runs.py --checkout=OLD --python=OLD/.venv/bin/python \
        --output_dir=runs/old --record=old.json
    python benchmarks/seeded_runs.py --checkout=NEW --python=NEW/.venv/bin/python \
        --output_dir=runs/new --record=new.json --against=old.json

The programs run in the output folder with relative paths, so that no record holds a path of
the machine. Exit code 1: a program failed, or the results differ; the two output folders then
hold what to compare. Both runs must use the same machine and the same libraries.
"""

import argparse
import csv
import hashlib
import html
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Record = dict[str, dict[str, str]]

# Not compared, because these files hold nothing but what may differ between two equal runs.
SKIPPED_FILES = {
    "commands.json": "the command line as typed, which may become `sqzkit train`",
    "*.lock": "empty; shows that a process runs",
    "study.journal": "Optuna's log: times, process numbers and random identifiers",
    "compare.html": "holds seconds and latencies; compare.csv holds its results",
    "compare.md": "holds latencies; compare.csv holds its results",
    "lineage.png": "draws latencies; lineage.json holds its results",
}
# Not compared, wherever they stand in JSON or CSV.
SKIPPED_FIELDS = {
    **dict.fromkeys(
        ("seconds", "train_seconds", "images_per_second", "latency_ms", "paper_size_latency_ms",
         "median_ms", "p90_ms", "minimum_ms", "memory_mib"), "measured anew in each run"),
    "machine": "names the processor",
    "sqzkit": "the version of sqzkit",
    "weights_sha256": "of a weights file's bytes; its numbers are compared instead",
    "layers_of": "the same hash under another name",
}  # fmt: skip
WEIGHTS = (".h5", ".safetensors")

# A Keras file to convert. No program of this repository writes one.
KERAS_MODEL = """
import numpy as np, tf_keras as keras
layers = keras.layers
model = keras.Sequential([keras.Input((32, 32, 3)), layers.Conv2D(8, 3, activation="relu"),
    layers.BatchNormalization(), layers.Conv2D(8, 3, 2, use_bias=False), layers.ReLU(),
    layers.GlobalAveragePooling2D(), layers.Dense(4, activation="softmax")])
draw = np.random.default_rng(7)
model.set_weights([draw.uniform(0.1, 0.5, w.shape).astype("float32") for w in model.get_weights()])
model.save("inputs/model.h5")
"""
COMMANDS = Path(__file__).with_suffix(".txt")
# What these print is a result, too: it is kept as a file, of which the numbers are compared.
PRINTING = ("sqzkit.classify", "sqzkit.sqz info")


def prepare(folder: Path, shared: Path) -> None:
    """Fill `folder`/inputs: 8 photographs of each of 4 classes, labels, published weights."""
    for label in "0123":
        target = folder / "inputs" / "hands" / label
        target.mkdir(parents=True)
        source = shared / "data" / "sign_language_digits" / "train" / label
        for path in sorted(source.iterdir())[:8]:
            shutil.copyfile(path, target / path.name)
    (folder / "inputs" / "labels.txt").write_text("a\nb\nc\nd\n", encoding="utf-8")
    (folder / "inputs" / "weights").symlink_to((shared / "weights").resolve())


def run_programs(checkout: Path, python: Path, folder: Path) -> None:
    """Run every line of `COMMANDS` in `folder`; write no caches into the checkout."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(checkout),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NUMBA_CACHE_DIR": str(folder / "inputs" / "numba"),
        "PYTHONHASHSEED": "0",
    }
    lines = [line.split() for line in COMMANDS.read_text(encoding="utf-8").splitlines()]
    calls = [["-c", KERAS_MODEL], *(line for line in lines if line and line[0] != "#")]
    for number, call in enumerate(calls):
        print(f"{number + 1} of {len(calls)}: {' '.join(call[:4]).splitlines()[0]}", flush=True)
        if call[0].endswith(".py"):
            call[0] = str(checkout / call[0])
        done = subprocess.run(
            [str(python), *call], cwd=folder, env=environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            sys.exit(f"{' '.join(call)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
        if " ".join(call[1:]).startswith(PRINTING):
            (folder / f"{number:02}.stdout").write_text(done.stdout, encoding="utf-8")


def without_skipped_fields(value: Any) -> Any:
    """Return a JSON value without the fields of `SKIPPED_FIELDS`, at any depth."""
    if isinstance(value, dict):
        kept = {name: item for name, item in value.items() if name not in SKIPPED_FIELDS}
        return {name: without_skipped_fields(item) for name, item in kept.items()}
    return [without_skipped_fields(item) for item in value] if isinstance(value, list) else value


def page_numbers(text: str) -> list[str]:
    """Return the numbers that a reader of a page sees, in order; its words may change.

    The commands at the end of a page and drawings are left out.
    """
    text = re.sub(r"(?s)<(style|script|svg|footer|pre)\b.*?</\1>|<[^>]*>", " ", text)
    return re.findall(r"\d[\d,.]*", html.unescape(text))


def read_arrays(path: Path) -> Iterator[tuple[str, str, tuple[int, ...], bytes]]:
    """Yield (name, dtype, shape, little-endian bytes) of every array of a weights file."""
    if path.suffix == ".h5":
        import h5py

        found: list[h5py.HLObject] = []
        with h5py.File(path) as store:
            store.visititems(lambda _, item: found.append(item))
            for item in found:
                if isinstance(item, h5py.Dataset):
                    yield item.name[1:], str(item.dtype), item.shape, item[()].tobytes()
        return
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    for name, entry in json.loads(content[8:start]).items():
        if name != "__metadata__":
            dtype = entry["dtype"].replace("F", "float").replace("I", "int")
            first, last = (start + offset for offset in entry["data_offsets"])
            yield name, dtype, tuple(entry["shape"]), content[first:last]


def sha256(parts: Iterable[object]) -> str:
    """Return the SHA-256 of `parts`: bytes as they are, anything else as JSON with sorted keys."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(
            part if isinstance(part, bytes) else json.dumps(part, sort_keys=True).encode()
        )
    return digest.hexdigest()


def hashes(path: Path, folder: Path) -> dict[str, str]:
    """Return the SHA-256 of a file by what it is of: bytes, numbers or fields."""
    content = path.read_bytes()
    if path.suffix in WEIGHTS:
        numbers = sha256(part for array in sorted(read_arrays(path)) for part in array)
        return {"numbers": numbers, f"bytes of {path.suffix}": sha256([content])}
    # `compare` records full paths; below the output folder, they are as good as relative ones.
    content = content.replace(f"{folder}/".encode(), b"")
    if path.suffix in (".html", ".md", ".stdout"):
        return {"numbers": sha256(page_numbers(content.decode()))}
    if path.suffix in (".json", ".jsonl", ".csv"):
        lines = content.decode().splitlines()
        rows = csv.DictReader(lines) if path.suffix == ".csv" else map(json.loads, lines)
        values = [json.loads(content)] if path.suffix == ".json" else list(rows)
        return {"fields": sha256([without_skipped_fields(values)])}
    return {"bytes": sha256([content])}


def record(folder: Path) -> Record:
    """Return the hashes of all files below `folder`, its inputs aside, by relative path.

    A weights file stands under its name without the format's suffix.
    """
    found: Record = {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        skipped = any(relative.match(pattern) for pattern in SKIPPED_FILES)
        if path.is_file() and relative.parts[0] != "inputs" and not skipped:
            name = relative.with_suffix("") if path.suffix in WEIGHTS else relative
            found[name.as_posix()] = hashes(path, folder)
    return found


def differences(before: Record, after: Record) -> list[str]:
    """Return one line for each file that is missing, new or different.

    Of a weights file in another format, only the numbers are compared.
    """
    lines = [f"missing: {name}" for name in sorted(before.keys() - after.keys())]
    lines += [f"new: {name}" for name in sorted(after.keys() - before.keys())]
    for name in sorted(before.keys() & after.keys()):
        old, new = before[name], after[name]
        kinds = [kind for kind in old if kind in new and old[kind] != new[kind]]
        if kinds or not old.keys() & new.keys():
            lines.append(f"different: {name} ({', '.join(kinds) or 'another kind of file'})")
    return lines


def main() -> None:
    """Run, record and compare as the flags say."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    for name, words in (
        ("checkout", "working tree to run"),
        ("python", "interpreter that has its libraries"),
        ("output_dir", "new folder for all outputs"),
        ("record", "JSON file to write"),
    ):
        parser.add_argument(f"--{name}", type=Path, required=True, help=words)
    parser.add_argument("--against", type=Path, help="an earlier record to compare with")
    flags = parser.parse_args()
    if flags.output_dir.exists():
        parser.error(f"--output_dir {flags.output_dir}: exists; name a new folder")
    checkout, folder = flags.checkout.resolve(), flags.output_dir.resolve()
    prepare(folder, checkout.parent / "shared")
    # Not resolved: the link's own folder tells Python which environment it belongs to.
    run_programs(checkout, flags.python.absolute(), folder)
    found = record(folder)
    flags.record.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"{len(found)} files recorded in {flags.record}")
    if flags.against:
        lines = differences(json.loads(flags.against.read_text(encoding="utf-8")), found)
        print("\n".join(lines) or f"no differences from {flags.against}")
        sys.exit(1 if lines else 0)


if __name__ == "__main__":
    main()
