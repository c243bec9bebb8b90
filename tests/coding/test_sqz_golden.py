import hashlib
import json
from pathlib import Path

import pytest

from sqzkit.base.errors import FormatError
from sqzkit.coding import container, sqz, streams
from tests.coding import crafted
from tests.coding.make_golden_sqz import contents

FOLDER = Path(__file__).parents[1] / "golden" / "sqz"
INDEX = json.loads((FOLDER / "index.json").read_text())
GOOD = [entry for entry in INDEX if "error" not in entry]
BAD = [entry for entry in INDEX if "error" in entry]


@pytest.mark.parametrize("entry", GOOD, ids=lambda entry: entry["file"])
def test_golden_archives_unpack_to_what_was_packed(entry):
    archive = (FOLDER / entry["file"]).read_bytes()
    content = sqz.unpack(archive)
    assert len(content) == entry["size"]
    assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    assert sqz.info(archive).kind == ("Caffe .net" if entry["kind"] == "net" else "file")


@pytest.mark.parametrize("entry", BAD, ids=lambda entry: entry["file"])
def test_golden_damage_is_refused_with_the_reason(entry):
    with pytest.raises(FormatError, match=entry["error"]):
        sqz.unpack((FOLDER / entry["file"]).read_bytes())


def test_the_encoder_still_writes_the_same_archives():
    listed = {entry["file"].removesuffix(".sqz"): entry for entry in GOOD}
    for name, content in contents().items():
        entry = listed[name]
        archive = sqz.pack(content)
        if content[4:8] == b"TFL3":
            archive = container.write(sqz._split(content))
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        before = container.read((FOLDER / entry["file"]).read_bytes())
        after = container.read(archive)
        assert after.tensors == before.tensors
        for old, new in zip(before.streams, after.streams, strict=True):
            assert (old.method, old.size) == (new.method, new.size)
            if old.method in (streams.STORED, streams.MIXED, streams.WEIGHTS):
                assert old.content == new.content  # zlib's bytes may differ between builds


def test_the_index_lists_every_archive():
    assert {entry["file"] for entry in INDEX} == {path.name for path in FOLDER.glob("*.sqz")}
    assert {f"bad_{name}.sqz" for name in crafted.REFUSED} < {entry["file"] for entry in BAD}


@pytest.mark.parametrize("name", crafted.REFUSED)
def test_an_archive_breaks_one_rule_alone(name):
    """Without the edit that breaks a rule it is read, so it is refused for nothing else."""
    _, start, _, _ = crafted.REFUSED[name]
    sqz.unpack(start().sealed())


def test_every_method_is_covered():
    used = {method for entry in GOOD for method in entry["methods"]}
    assert used == {"stored", "deflate", "mixed bytes", "byte planes, deflate", "weights"}
