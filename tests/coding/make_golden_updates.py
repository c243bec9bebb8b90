"""Write tests/golden/sqz/updates: updates that every decoder of `.sqz` must read, or refuse.

    python -m tests.coding.make_golden_updates

Run it only when the format changes on purpose; a released version never does.
"""

import hashlib
import json

from sqzkit.coding import sqz
from tests.coding import crafted_updates
from tests.coding.make_golden_sqz import FOLDER as PARENT

FOLDER = PARENT / "updates"
ABOUT = {
    "nothing_new": "a file that is its base: one copy",
    "to_nothing": "an empty file",
    "from_nothing": "an empty base",
    "everything": "pieces of every kind; references of bytes and of a codebook",
    "kernel_moved": "a reference: 5 % of the weights moved by one",
    "kernel_unlike": "a reference that is of no use",
    "kernel_equal": "a tensor equal to its reference: no bits behind its list of values",
    "kernel_one_more": "every weight one more than its reference",
    "kernel_wraps": "differences beyond -128..127",
    "outputs": "outputs in another order, two gone, one new: three tensors",
    "inputs": "runs: inputs in another order, two of them twice, three beyond the base's",
    "one_place": "fewer inputs; a kernel of one place",
    "codebook": "a codebook with other entries than the base's",
    "codebook_of_few": "a codebook of which the base has one input",
    "codebook_int16": "16-bit elements; a reference among bytes of another kind",
    "codebook_int64": "64-bit elements; a reference among bytes of another kind",
    "interleaved": "tensors with and without a reference in turn: two states",
    "sums": "sums of 1, 2, 4 and 8 bytes, at odd places, that run over",
    "steps": "copies that go back, overlap and are empty",
    "zeros": "more bytes than an archive of its size may declare without a base",
    "chained": "an update of what `everything.sqz` gives",
}


def archives() -> dict[str, bytes]:
    """Return the archives to be read by name, bases first."""
    bases = {
        "base": crafted_updates.base_file(),
        "base_empty": b"",
        "base_zeros": bytes(300_000),
        "base_counting": crafted_updates.counting(),
    }
    made = {name: sqz.pack(content) for name, content in bases.items()}
    for name, (_, draft) in crafted_updates.accepted().items():
        made[name] = draft.sealed()
    return made


def main() -> None:
    """Write archives and index."""
    FOLDER.mkdir(exist_ok=True)
    bases = {name: base for name, (base, _) in crafted_updates.accepted().items()}
    listed: list[dict[str, object]] = []
    contents: dict[str, bytes] = {}
    for name, archive in archives().items():
        (FOLDER / f"{name}.sqz").write_bytes(archive)
        base = bases.get(name)
        contents[name] = content = sqz.unpack(archive, base=contents[base] if base else None)
        entry = {
            "file": f"{name}.sqz",
            "kind": "update" if base else "file",
            **({"base": f"{base}.sqz"} if base else {}),
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "archive_sha256": hashlib.sha256(archive).hexdigest(),
            "methods": [stream.method for stream in sqz.info(archive).streams],
            "about": ABOUT.get(name, "a base of others"),
        }
        listed.append(entry)
    (FOLDER / "bad_cut_off.sqz").write_bytes(archives()["base"][:-9])
    listed.append({"file": "bad_cut_off.sqz", "error": "CRC-32", "rule": "CRC32 is right."})
    for name, (archive, word, rule, base) in crafted_updates.refused().items():
        (FOLDER / f"bad_{name}.sqz").write_bytes(archive)
        given = {"base": f"{base}.sqz"} if base else {}
        listed.append({"file": f"bad_{name}.sqz", **given, "error": word, "rule": rule})
    (FOLDER / "index.json").write_text(json.dumps(listed, indent=1) + "\n")


if __name__ == "__main__":
    main()
