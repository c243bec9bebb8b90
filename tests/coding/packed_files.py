"""Write the archives that Python makes, for the Java encoder's tests.

    python -m tests.coding.packed_files

`tests/golden/sqz/packed.json` has those of this repository's files by their SHA-256 (of an archive,
it is the file in it that is packed), and the folder `packed_updates` updates of small files. Run it
when `sqzkit.pack` changes on purpose.
"""

import hashlib
import json
from pathlib import Path

import numpy as np

from sqzkit.coding import sqz
from tests.coding.conftest import build_tflite, sparse_kernel
from tests.coding.crafted_updates import moved

ROOT = Path(__file__).parents[2]
FILE = ROOT / "tests/golden/sqz/packed.json"
UPDATES = ROOT / "tests/golden/sqz/packed_updates"
MODELS = ("android_demo/app/src/test/resources/models", "tests/golden/teaching")

LABELS = b"".join(b"n%08d class number %d\n" % (7 * n, n) for n in range(300))
WORDS = np.random.default_rng(90).integers(0, 4000, 200).astype("<i4")
BODY, LAST = sparse_kernel((16, 3, 3, 24), 91, 0.9), sparse_kernel((20, 1, 1, 160), 92, 0.9)
BIASES = np.random.default_rng(93).integers(-20_000, 20_000, 300).astype(np.int32)
BOOK = np.linspace(-1, 1, 33).astype(np.float32)
RANKS = np.random.default_rng(94).integers(0, 33, (16, 128))
SCALES = (np.random.default_rng(95).random(20) + 0.1).astype(np.float32)


def contents() -> dict[str, bytes]:
    """Return the files by their paths."""
    index = json.loads((FILE.parent / "index.json").read_text())
    golden = [FILE.parent / entry["file"] for entry in index if entry.get("kind") == "file"]
    paths = golden + [
        path for folder in MODELS for path in sorted((ROOT / folder).glob("*.tflite"))
    ]
    read = {path: path.read_bytes() for path in paths}
    return {
        path.relative_to(ROOT).as_posix(): sqz.unpack(content) if path.suffix == ".sqz" else content
        for path, content in read.items()
    }


def packed() -> dict[str, str]:
    """Return the SHA-256 of each file's archive."""
    return {
        name: hashlib.sha256(sqz.pack(content)).hexdigest() for name, content in contents().items()
    }


def network(
    body: np.ndarray = BODY,
    last: np.ndarray = LAST,
    biases: np.ndarray = BIASES,
    clustered: np.ndarray = BOOK[RANKS],
    labels: bytes = LABELS,
    scales: np.ndarray = SCALES,
) -> bytes:
    """Return a model with numbers of every kind; one scale vector is a multiple of another."""
    listed = [None, scales.tolist(), (scales * np.float32(0.0237)).tolist(), None]
    return build_tflite([body, last, biases, clustered], listed, tail=labels)


def offsets(words: np.ndarray) -> bytes:
    """Return text with numbers in it, as a graph has its offsets."""
    return b"".join(b"table %06d " % n + word.tobytes() for n, word in enumerate(words))


def update_pairs() -> dict[str, tuple[bytes, bytes]]:
    """Return files and their bases by what changed."""
    ranks, none, few = RANKS.copy(), sparse_kernel((1, 1, 1, 160), 96), LAST[:7]
    ranks[::7, ::5] = 0
    order, kept = [7, 8, 9, 0, 1, 2, 4], [*range(5), *range(9, 18), *range(19, 24)]
    scales = SCALES * np.float32(1.01)
    changed = {
        "nothing": network(),
        "weights_moved": network(moved(BODY, 0.05, 97), moved(LAST, 0.02, 98)),
        "classes_moved": network(last=moved(LAST[order], 0.05, 99), scales=SCALES[order]),
        "class_added": network(last=np.concatenate([LAST[:4], none, LAST[4:]])),
        "classes_new": network(last=sparse_kernel((6, 1, 1, 160), 100, 0.9), scales=SCALES[:6]),
        "inputs_fewer": network(moved(BODY[..., kept], 0.05, 101)),
        "inputs_more": network(np.concatenate([BODY, sparse_kernel((16, 3, 3, 5), 102)], -1)),
        "codebook_changed": network(clustered=(BOOK * np.float32(1.01))[ranks]),
        "numbers_moved": network(biases=BIASES + np.arange(300, dtype=np.int32) % 19 - 9),
        "scales_moved": network(scales=scales),
        "label_changed": network(labels=LABELS.replace(b"number 100", b"number one hundred")),
        "tensor_gone": build_tflite([moved(LAST, 0.05, 103), BIASES], tail=LABELS),
        "another_network": build_tflite([sparse_kernel((24, 3, 3, 20), 104), few, BIASES[:99]]),
        "no_model": LABELS + bytes(5000),
        "empty": b"",
    }
    pairs = {name: (content, network()) for name, content in changed.items()}
    pairs["offsets_moved"] = offsets(WORDS + 64), offsets(WORDS)
    pairs["from_nothing"] = network(), b""
    pairs["taught"] = tuple(
        (ROOT / MODELS[1] / name).read_bytes() for name in ("export.tflite", "export_base.tflite")
    )
    return pairs


def updates() -> dict[str, bytes]:
    """Return the archives of the folder `packed_updates`: updates, and of each base an archive."""
    made: dict[str, bytes] = {}
    for name, (content, base) in update_pairs().items():
        made[f"{name}.sqz"] = sqz.pack(content, base)
        made[f"base_{hashlib.sha256(base).hexdigest()}.sqz"] = sqz.pack(base)
    return made


def main() -> None:
    """Write all of them."""
    FILE.write_text(json.dumps(packed(), indent=1) + "\n")
    UPDATES.mkdir(exist_ok=True)
    for name, archive in updates().items():
        (UPDATES / name).write_bytes(archive)


if __name__ == "__main__":
    main()
