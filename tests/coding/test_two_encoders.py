"""Python and Java make the same archive of every file."""

import hashlib
import json
import random
import zlib

import numpy as np
import pytest

from benchmarks import java_decoder
from sqzkit.coding import sqz
from tests import thorough
from tests.coding import packed_files

CLASSIC = "ng" not in zlib.ZLIB_RUNTIME_VERSION
pytestmark = pytest.mark.skipif(not CLASSIC, reason="zlib-ng deflates to other bytes")


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def test_the_archives_that_java_is_compared_with_are_those_of_today():
    assert packed_files.packed() == json.loads(packed_files.FILE.read_text())


def damaged(content, chance):
    """Return `content` with some bytes changed, or cut off, or with others behind."""
    changed = bytearray(content)
    for _ in range(chance.choice((0, 1, 3, 30))):
        changed[chance.randrange(len(changed))] = chance.choice(
            (0, 1, 127, 255, chance.randrange(256))
        )
    if chance.random() < 0.2:
        del changed[chance.randrange(len(changed)) :]
    return bytes(changed) + chance.randbytes(chance.choice((0, 0, 0, 50)))


def models(tflite, kernel, seed):
    """Return a model with tensors and scales of many kinds."""
    draw = np.random.default_rng(seed)
    outputs, inputs = draw.integers(1, 40, 2)
    scales = (draw.random(outputs) + 0.1).astype(np.float32)
    product = scales * np.float32(draw.choice([0.0, -0.5, 1e-30, 0.0237, 3e38]))
    book = draw.normal(size=draw.choice([2, 30, 256, 300])).astype(np.float32)
    tensors = [
        kernel((outputs, *draw.integers(1, 4, 2), inputs), seed, draw.choice([0.0, 0.3, 1.0])),
        draw.integers(-9999, 9999, outputs).astype(np.int32),
        draw.choice(book, (int(draw.integers(1, 90)), 3, 17)),
        draw.normal(size=int(draw.integers(1, 3000))).astype(np.float16),
        np.sort(draw.integers(0, 200, int(draw.integers(1, 500)))).astype(np.int64),
        draw.integers(0, 3, (7, int(draw.integers(1, 400)))).astype(np.uint8),
    ]
    with np.errstate(all="ignore"):
        product = np.where(np.isfinite(product), product, 1)
    return tflite(
        tensors, [scales.tolist(), product.tolist(), *[None] * 4], outside=draw.choice([None, 8192])
    )


def plain(chance):
    """Return bytes of no kind in particular: noise, text, repetitions with errors, or zeros."""
    size = int(10 ** chance.uniform(0, 5.3))
    few = bytes(
        chance.choices(range(chance.choice((1, 2, 9, 256))), k=chance.randrange(1, size + 1))
    )
    repeated = bytearray((few * (size // len(few) + 1))[:size])
    for _ in range(chance.choice((0, 2, 200))):
        repeated[chance.randrange(size)] = chance.randrange(256)
    return bytes(repeated)


@pytest.mark.slow
@pytest.mark.skipif(not java_decoder.is_available(), reason="needs a JDK")
def test_java_packs_whole_damaged_and_other_files_as_python_does(tflite, kernel):
    chance = random.Random(5)
    files = [*packed_files.contents().values(), bytes(3_000_000)]
    for seed in range(thorough.pick(30, 2000)):
        content = models(tflite, kernel, seed)
        files += [content, damaged(content, chance), plain(chance)]
    answers = java_decoder.pack(files)
    for content, answer in zip(files, answers, strict=True):
        assert answer.sha256 == sha256(sqz.pack(content)), content[:200]
