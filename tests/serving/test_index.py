"""The index: what is refused in one, and the cheapest way through it; the same in Java."""

import json
from pathlib import Path

import pytest

from sqzkit.base.errors import FormatError
from sqzkit.serving import index as indexes

GOLDEN = Path(__file__).parents[1] / "golden" / "serving" / "plans.json"
CASES = json.loads(GOLDEN.read_text())


@pytest.mark.parametrize("case", CASES["plans"], ids=lambda case: case["name"])
def test_the_way_is_the_cheapest(case):
    index = indexes.parse(json.dumps(case["index"]).encode())
    for have, expected in case["ways"]:
        if expected is None:
            with pytest.raises(FormatError, match="no archive that leads to"):
                indexes.plan(index, have)
        else:
            assert [one.name for one in indexes.plan(index, have)] == expected


@pytest.mark.parametrize("case", CASES["refused"], ids=lambda case: case["name"])
def test_a_damaged_index_is_refused(case):
    with pytest.raises(FormatError, match=case["told"]):
        indexes.parse(case["text"].encode("utf-8", "surrogateescape"))


def test_an_index_has_a_limit():
    text = json.dumps(CASES["plans"][0]["index"]).encode()
    full = text + b" " * (indexes.MAX_BYTES - len(text))
    assert indexes.parse(full) == indexes.parse(text)
    with pytest.raises(FormatError, match="more than 1,048,576 bytes"):
        indexes.parse(full + b" ")


def test_the_longest_chain_is_planned_at_once():
    digest = "0" * 64
    count = 10_000
    releases = tuple(indexes.Release(n, 1, digest) for n in range(count))
    archives = tuple(
        indexes.ArchiveFile("a", n, n - 1 if n else None, 1, digest) for n in range(count)
    )
    assert len(indexes.plan(indexes.Index(1, None, releases, archives), 0)) == count - 1
