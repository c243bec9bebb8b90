"""Write tests/golden/sqz/packed.json: the archives that Python makes of this repository's files.

    python -m tests.coding.packed_files

The Java encoder's tests read it. Of an archive, it is the file in it that is packed. Run it when
`sqzkit.pack` changes on purpose.
"""

import hashlib
import json
from pathlib import Path

from sqzkit.coding import sqz

ROOT = Path(__file__).parents[2]
FILE = ROOT / "tests/golden/sqz/packed.json"
MODELS = ("android_demo/app/src/test/resources/models", "tests/golden/teaching")


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


if __name__ == "__main__":
    FILE.write_text(json.dumps(packed(), indent=1) + "\n")
