"""Updates: every golden one is read, or refused with the reason, by the package and the page."""

import hashlib
import json
import random

import pytest

from sqzkit.base.errors import FormatError
from sqzkit.coding import container, sqz
from tests import thorough
from tests.coding import format_page, make_golden_updates, mutants

FOLDER = make_golden_updates.FOLDER
INDEX = {entry["file"]: entry for entry in json.loads((FOLDER / "index.json").read_text())}
GOOD = [entry for entry in INDEX.values() if "error" not in entry]
BAD = [entry for entry in INDEX.values() if "error" in entry]


@pytest.fixture(scope="module")
def page():
    return format_page.decoder()


def read(entry):
    return (FOLDER / entry["file"]).read_bytes()


def base_of(entry):
    """Return the file that an update starts from, None without one."""
    if "base" not in entry:
        return None
    base = INDEX[entry["base"]]
    # A damaged base is given as it is.
    return read(base) if "error" in base else sqz.unpack(read(base), base=base_of(base))


@pytest.mark.parametrize("entry", GOOD, ids=lambda entry: entry["file"])
def test_golden_updates_give_their_files(entry, page):
    content = sqz.unpack(read(entry), base=base_of(entry))
    assert len(content) == entry["size"]
    assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    assert page["decode"](read(entry), base=base_of(entry) or b"") == content


@pytest.mark.parametrize("entry", BAD, ids=lambda entry: entry["file"])
def test_golden_damage_is_refused_with_the_reason(entry, page):
    base = base_of(entry)
    with pytest.raises(FormatError, match=entry["error"]):
        sqz.unpack(read(entry), base=base)
    with pytest.raises(page["Damaged"]):
        page["decode"](read(entry), base=base or b"")


def test_the_golden_updates_are_those_that_are_made():
    for name, archive in make_golden_updates.archives().items():
        before = container.read((FOLDER / f"{name}.sqz").read_bytes())
        after = container.read(archive)
        assert (after.tensors, after.pieces, after.base) == (
            before.tensors,
            before.pieces,
            before.base,
        )
        for old, new in zip(before.streams, after.streams, strict=True):
            assert old.content == new.content


def test_the_index_lists_every_archive():
    assert set(INDEX) == {path.name for path in FOLDER.glob("*.sqz")}


def test_the_page_and_the_package_agree_on_mutants(page):
    chance, drafts, read = random.Random(5), mutants.seeds(updates=True), 0
    for _ in range(thorough.pick(60, 2000)):
        archive, given = mutants.mutant(drafts, chance)
        base = given or b""  # to the page, no base is an empty one
        try:
            own = sqz.unpack(archive, mutants.LIMIT, base)
        except FormatError:
            own = None
        try:
            other = page["decode"](archive, mutants.LIMIT, base)
        except page["Damaged"]:
            other = None
        assert own == other, archive.hex()
        read += own is not None
    assert read > 10


def test_a_base_may_be_an_archive_of_it():
    entry = INDEX["everything.sqz"]
    content = sqz.unpack(read(entry), base=read(INDEX["base.sqz"]))
    assert hashlib.sha256(content).hexdigest() == entry["sha256"]
