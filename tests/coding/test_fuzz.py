"""10,000 damaged files: each is refused, or is still the same file."""

import hashlib
import json
import random
import resource
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqzkit.base.errors import FormatError
from sqzkit.coding import han_net, sqz
from tests.coding.drafts import HEADER, checked

FOLDER = Path(__file__).parents[1] / "golden" / "sqz"
CASES = 10_000
LIMIT = 1 << 20
INDEX = json.loads((FOLDER / "index.json").read_text())
SMALL = [
    (entry, (FOLDER / entry["file"]).read_bytes())
    for entry in INDEX
    if entry.get("size", CASES) < CASES and (FOLDER / entry["file"]).stat().st_size < 1000
]


def mutate(archive: bytes, chance: random.Random) -> bytes:
    """Change, cut, double or add some bytes; mostly make the CRC-32 right again."""
    kind = chance.randrange(10)
    damaged = bytearray(archive)
    if kind == 0:
        damaged = damaged[: chance.randrange(len(damaged))]
    elif kind == 1:
        damaged += chance.randbytes(chance.randrange(1, 40))
    elif kind == 2:
        start = chance.randrange(HEADER, len(damaged))
        damaged[start:start] = damaged[start : start + chance.randrange(1, 20)]
    else:
        begin = 4 if chance.random() < 0.2 else HEADER
        end = min(begin + 60, len(damaged)) if chance.random() < 0.5 else len(damaged)
        for _ in range(chance.randrange(1, 4)):
            damaged[chance.randrange(begin, end)] = chance.randrange(256)
    fix = len(damaged) >= HEADER and chance.random() < 0.9
    return checked(bytes(damaged)) if fix else bytes(damaged)


def test_10000_damaged_archives():
    chance = random.Random(11)
    assert len(SMALL) >= 10
    for _, archive in SMALL:  # compiles what there is to compile
        sqz.unpack(archive, LIMIT)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused, deep, slowest = 0, 0, 0.0
    for case in range(CASES):
        entry, archive = SMALL[case % len(SMALL)]
        start = time.thread_time()
        try:
            content = sqz.unpack(mutate(archive, chance), LIMIT)
            assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        except FormatError as error:
            refused += 1
            deep += "CRC-32" not in str(error)
        slowest = max(slowest, time.thread_time() - start)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
    assert refused > 0.9 * CASES
    assert deep > 0.6 * CASES
    assert slowest < 10  # seconds of the thread: none hangs, on a slow machine either
    assert grown < 4 * LIMIT + (48 << 20)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_archives_that_hypothesis_damages(data):
    entry, archive = data.draw(st.sampled_from(SMALL))
    start = data.draw(st.integers(4, len(archive)))
    length = data.draw(st.integers(0, 8))
    damaged = archive[:start] + data.draw(st.binary(max_size=8)) + archive[start + length :]
    if len(damaged) >= HEADER and data.draw(st.booleans()):
        damaged = checked(damaged)
    try:
        content = sqz.unpack(damaged, LIMIT)
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    except FormatError:
        pass


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_arbitrary_bytes_pack_and_are_no_archive(content):
    assert sqz.unpack(sqz.pack(content)) == content
    with pytest.raises(FormatError):
        sqz.unpack(content)


def test_10000_damaged_net_files():
    """A .net has no checksum: what is read must at least write back the same bytes."""
    layers = [
        han_net.Convolution("a", (4, 3, 3, 3)),
        han_net.Convolution("b", (8, 4, 1, 1)),
        han_net.Convolution("c", (16, 8, 3, 3)),
    ]
    source = np.random.default_rng(0)
    weights = {}
    for layer in layers:
        outputs, inputs, height, width = layer.shape
        kernel = source.integers(-9, 10, (height, width, inputs, outputs)).astype(np.float32)
        kernel *= source.random(kernel.shape) < 0.15
        weights[layer.name] = kernel, np.zeros(outputs, np.float32)
    content = han_net.write(han_net.from_weights(weights))
    chance, refused, slowest = random.Random(5), 0, 0.0
    for _ in range(CASES):
        damaged = bytearray(content)
        if chance.random() < 0.2:
            damaged = damaged[: chance.randrange(len(damaged))]
        for _ in range(chance.randrange(3)):
            end = 12 if chance.random() < 0.3 else len(damaged)
            if damaged:
                damaged[chance.randrange(min(end, len(damaged)))] = chance.randrange(256)
        start = time.thread_time()
        try:
            net = han_net.read(bytes(damaged), layers)
            assert han_net.write(net) == bytes(damaged)
        except FormatError:
            refused += 1
        slowest = max(slowest, time.thread_time() - start)
    assert refused > 0.3 * CASES
    assert slowest < 10  # seconds of the thread: none hangs, on a slow machine either
