"""docs/sqz.md is enough to write a decoder: its own code is one, and its lists are true."""

import hashlib
import json

import pytest

from tests import thorough
from tests.coding import format_page

INDEX = json.loads((format_page.GOLDEN / "index.json").read_text())
# Python that is not compiled takes some 50 microseconds for a weight, and mixed byte.
QUICK = 12_000
SMALL = [entry for entry in INDEX if entry.get("size", 0) < QUICK]
LARGE = [entry for entry in INDEX if entry.get("size", 0) >= QUICK]
# The page's decoder takes up to a minute for each, so only make test-thorough gives it these.
HUGE = ("caffe_net.sqz", "mixing_weights_clamped.sqz", "mixed_bytes_clamped.sqz")


@pytest.fixture(scope="module")
def page():
    return format_page.decoder()


def holds(page, entry):
    archive = (format_page.GOLDEN / entry["file"]).read_bytes()
    if "error" in entry:
        with pytest.raises(page["Damaged"]):
            page["decode"](archive)
    else:
        content = page["decode"](archive)
        assert len(content) == entry["size"]
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]


@pytest.mark.parametrize("entry", SMALL, ids=lambda entry: entry["file"])
def test_the_pages_decoder_reads_and_refuses_what_it_should(page, entry):
    holds(page, entry)


@pytest.mark.slow
@pytest.mark.parametrize(
    "entry",
    [entry for entry in LARGE if thorough.THOROUGH or entry["file"] not in HUGE],
    ids=lambda entry: entry["file"],
)
def test_the_pages_decoder_reads_large_files(page, entry):
    holds(page, entry)


def test_the_example_and_the_lists_are_those_of_the_archives():
    assert format_page.PAGE.read_text() == format_page.written(), (
        "run python -m tests.coding.format_page"
    )
