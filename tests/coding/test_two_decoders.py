"""Python and Java say the same of every archive, and neither is busy or large for long."""

import json
from pathlib import Path

import pytest

from benchmarks import java_decoder
from sqzkit.coding import container
from tests import thorough
from tests.coding import hostile, mutants, test_updates

FOLDER = Path(__file__).parents[1] / "golden" / "sqz"
INDEX = json.loads((FOLDER / "index.json").read_text())

pytestmark = pytest.mark.skipif(not java_decoder.is_available(), reason="needs a JDK")


@pytest.fixture(scope="module")
def java():
    """The Java decoder with a small heap."""
    with java_decoder.JavaDecoder(container.DEFAULT_LIMIT) as decoder:
        yield decoder


@pytest.mark.parametrize("entry", test_updates.INDEX.values(), ids=lambda entry: entry["file"])
def test_java_reads_and_refuses_every_golden_update(java, entry):
    found = java.decode(test_updates.read(entry), test_updates.base_of(entry))
    assert found.sha256 == entry.get("sha256")
    assert entry.get("error", "") in found.reason


def test_java_takes_an_archive_as_a_base(java):
    entry = test_updates.INDEX["everything.sqz"]
    base = test_updates.read(test_updates.INDEX["base.sqz"])
    assert java.decode(test_updates.read(entry), base).sha256 == entry["sha256"]


@pytest.mark.parametrize("entry", INDEX, ids=lambda entry: entry["file"])
def test_java_reads_and_refuses_every_golden_archive(java, entry):
    found = java.decode((FOLDER / entry["file"]).read_bytes())
    assert found.sha256 == entry.get("sha256")
    assert entry.get("error", "") in found.reason


@pytest.mark.parametrize("updates", [False, True])
def test_the_decoders_agree_on_mutants(updates):
    count = thorough.pick(400, 20_000)
    found, accepted = mutants.disagreements(count=count, seed=3, updates=updates)
    assert found == []
    assert accepted > count / 5


@pytest.mark.parametrize("name", hostile.UPDATES)
def test_no_update_keeps_java_busy_for_long(java, name):
    archive, base, declared = hostile.UPDATES[name]()
    java.decode(archive, base)  # is compiled
    assert java.decode(archive, base).seconds < 2 * hostile.seconds(declared)


@pytest.mark.parametrize("name", hostile.ARCHIVES)
def test_no_archive_keeps_java_busy_for_long(java, name):
    archive, declared = hostile.ARCHIVES[name]()
    java.decode(archive)  # is compiled
    assert java.decode(archive).seconds < 2 * hostile.seconds(declared)
